using Lateen.Config.Sources.Kubernetes;
using Lateen.Config.Sources.Kubernetes.Watching;
using Xunit;

namespace Lateen.Test.Unit.Config.Sources.Kubernetes;

public sealed class ListWatchTests
{
    private DateTimeOffset _now = DateTimeOffset.UnixEpoch;

    private static ApiObject Thing(string name, long version) => new("ns", name, $"{version}", default);

    private static WatchEvent Event(WatchEventKind kind, string name, long version) => new(kind, Thing(name, version), $"{version}", null);

    private static ListWatch Synced(params ApiObject[] things)
    {
        var machine = new ListWatch(new Random(1));
        machine.Listed(new ListPage(things, "10", ""));
        return machine;
    }

    [Fact]
    public void Pages_become_one_list()
    {
        var machine = new ListWatch(new Random(1));
        Assert.Equal(new WatchStep.List("", true), machine.Next(_now));
        Assert.Equal(["a"], machine.Listed(new ListPage([Thing("a", 1)], "5", "more"))!.Put.Select(p => p.Name));
        Assert.False(machine.HasSynced);
        Assert.Equal(new WatchStep.List("more", true), machine.Next(_now));
        var change = machine.Listed(new ListPage([Thing("b", 2)], "5", ""));
        Assert.Equal(["b"], change!.Put.Select(p => p.Name));
        Assert.Empty(change.Deleted);
        Assert.True(change.IsList && machine.HasSynced);
        Assert.Equal(new WatchStep.Watch("5"), machine.Next(_now));
    }

    [Fact]
    public void A_watch_that_ended_goes_on_from_the_last_bookmark()
    {
        var machine = Synced();
        machine.Next(_now);
        machine.Told(Event(WatchEventKind.Put, "a", 11), _now);
        machine.Told(new WatchEvent(WatchEventKind.Bookmark, null, "40", null), _now);
        machine.Ended(_now);
        Assert.Equal(new WatchStep.Watch("40"), machine.Next(_now));
    }

    [Fact]
    public void An_event_told_twice_changes_nothing()
    {
        var machine = Synced(Thing("a", 1));
        Assert.Null(machine.Told(Event(WatchEventKind.Put, "a", 1), _now));
        Assert.NotNull(machine.Told(Event(WatchEventKind.Put, "a", 11), _now));
        Assert.Null(machine.Told(Event(WatchEventKind.Put, "a", 11), _now));
        Assert.NotNull(machine.Told(Event(WatchEventKind.Deleted, "a", 12), _now));
        Assert.Null(machine.Told(Event(WatchEventKind.Deleted, "a", 12), _now));
    }

    [Fact]
    public void An_expired_version_is_listed_anew_at_once_and_what_is_gone_is_told()
    {
        var machine = Synced(Thing("a", 1), Thing("b", 2));
        machine.Next(_now);
        machine.Told(new WatchEvent(WatchEventKind.Failed, null, "", new ApiFailure(410, "Expired", "too old")), _now);
        Assert.Equal(new WatchStep.List("", true), machine.Next(_now));
        var change = machine.Listed(new ListPage([Thing("b", 2), Thing("c", 20)], "20", ""))!;
        Assert.Equal(["c"], change.Put.Select(p => p.Name));
        Assert.Equal([("ns", "a")], change.Deleted);
    }

    [Fact]
    public void A_list_that_is_forgotten_between_two_pages_is_asked_for_in_one()
    {
        var machine = new ListWatch(new Random(1));
        machine.Listed(new ListPage([Thing("a", 1)], "5", "more"));
        machine.Failed(new ApiFailure(410, "Expired", "the continue token is too old"), _now);
        Assert.Equal(new WatchStep.List("", false), machine.Next(_now));
        var change = machine.Listed(new ListPage([Thing("b", 1)], "9", ""))!;
        Assert.Equal(["b"], change.Put.Select(p => p.Name));
        Assert.Equal([("ns", "a")], change.Deleted);
    }

    [Fact]
    public void Failures_wait_longer_each_time_and_never_longer_than_ten_seconds()
    {
        var machine = Synced();
        var waits = new List<double>();
        for (var i = 0; i < 12; i++)
        {
            machine.Failed(new ApiFailure(0, "", "refused"), _now);
            var wait = Assert.IsType<WatchStep.Wait>(machine.Next(_now));
            waits.Add((wait.Until - _now).TotalSeconds);
            _now = wait.Until;
        }

        Assert.InRange(waits[0], 0.25, 0.5);
        Assert.All(waits[6..], w => Assert.InRange(w, 5, 10));
        Assert.True(waits[6..].Distinct().Count() > 1, "chance spreads them");
    }

    [Fact]
    public void A_server_that_wants_to_be_left_alone_is()
    {
        var machine = Synced();
        machine.Failed(new ApiFailure(429, "TooManyRequests", "slow down", TimeSpan.FromSeconds(33)), _now);
        Assert.Equal(new WatchStep.Wait(_now.AddSeconds(33)), machine.Next(_now));
    }

    [Fact]
    public void After_an_outage_versions_are_not_trusted()
    {
        var machine = Synced(Thing("a", 1));
        for (var i = 0; i < 3; i++) machine.Failed(new ApiFailure(0, "", "refused"), _now);
        Assert.Equal(new WatchStep.List("", true), machine.Next(_now.AddMinutes(1)));
    }

    [Fact]
    public void Whatever_happens_on_the_way_the_objects_are_those_of_the_server()
    {
        for (var seed = 0; seed < 2000; seed++) new Trial(seed).Run();
    }

    /// <summary>A server with a history and a network that does what it likes.</summary>
    private sealed class Trial(int seed)
    {
        private readonly Random _chance = new(seed);
        private readonly ListWatch _machine = new(new Random(seed));
        private readonly Dictionary<string, long> _server = [];
        private readonly Dictionary<string, long> _seen = [];
        private readonly List<(long Version, WatchEvent Event)> _history = [];
        private DateTimeOffset _now = DateTimeOffset.UnixEpoch;
        private long _version = 1;
        private long _oldest;
        private (long Version, ApiObject[] All) _listing;

        public void Run()
        {
            for (var step = 0; step < 60; step++)
            {
                Write(_chance.Next(4));
                Drive(fair: false);
            }

            for (var step = 0; step < 12; step++) Drive(fair: true);
            Assert.True(_server.OrderBy(p => p.Key).SequenceEqual(_seen.OrderBy(p => p.Key)),
                $"seed {seed}: the server has {string.Join(' ', _server)}, known is {string.Join(' ', _seen)}");
        }

        private void Write(int times)
        {
            for (var i = 0; i < times; i++)
            {
                var name = $"{(char)('a' + _chance.Next(6))}";
                var isGone = _chance.Next(3) == 0;
                if (isGone && !_server.ContainsKey(name)) continue;
                _version++;
                _history.Add((_version, Event(isGone ? WatchEventKind.Deleted : WatchEventKind.Put, name, _version)));
                if (isGone) _server.Remove(name);
                else _server[name] = _version;
            }

            if (_chance.Next(10) == 0) _oldest = _version;
        }

        private void Drive(bool fair)
        {
            _now = _now.AddSeconds(fair ? 30 : _chance.Next(3));
            var isBroken = !fair && _chance.Next(4) == 0;
            switch (_machine.Next(_now))
            {
                case WatchStep.List or WatchStep.Watch when isBroken:
                    _machine.Failed(new ApiFailure(_chance.Next(2) == 0 ? 0 : 503, "", "broken"), _now);
                    break;
                case WatchStep.List list:
                    List(list);
                    break;
                case WatchStep.Watch watch when long.Parse(watch.Version) < _oldest:
                    _machine.Failed(new ApiFailure(410, "Expired", "too old"), _now);
                    break;
                case WatchStep.Watch watch:
                    Watch(long.Parse(watch.Version), fair);
                    break;
                default:
                    break;
            }
        }

        // Pages are of the moment of the first, as an API server's are, until it has forgotten that.
        private void List(WatchStep.List list)
        {
            if (list.Continue.Length == 0) _listing = (_version, [.. _server.OrderBy(p => p.Key).Select(p => Thing(p.Key, p.Value))]);
            else if (_listing.Version < _oldest)
            {
                _machine.Failed(new ApiFailure(410, "Expired", "the continue token is too old"), _now);
                return;
            }

            var from = list.Continue.Length == 0 ? 0 : int.Parse(list.Continue);
            var to = list.InPages ? Math.Min(from + 2, _listing.All.Length) : _listing.All.Length;
            Take(_machine.Listed(new ListPage(_listing.All[from..to], $"{_listing.Version}", to < _listing.All.Length ? $"{to}" : "")));
        }

        private void Watch(long from, bool fair)
        {
            foreach (var (version, said) in _history.Where(h => h.Version > from).ToArray())
            {
                Take(_machine.Told(said, _now));
                if (!fair && _chance.Next(5) == 0) Take(_machine.Told(said, _now));
                if (!fair && _chance.Next(6) == 0)
                {
                    _machine.Failed(new ApiFailure(0, "", "cut"), _now);
                    return;
                }
            }

            _machine.Ended(_now);
        }

        private void Take(KindChange? change)
        {
            foreach (var (_, name) in change?.Deleted ?? []) _seen.Remove(name);
            foreach (var put in change?.Put ?? []) _seen[put.Name] = long.Parse(put.Version);
        }
    }
}
