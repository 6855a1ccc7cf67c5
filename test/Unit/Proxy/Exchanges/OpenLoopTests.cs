using Lateen.Proxy.Clusters;
using Lateen.Proxy.Net;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Exchanges;

/// <summary>Clients that ask on a schedule, whatever the answers do, of a worker that needs virtual time for each thing it does: what is
/// left of its work when they ask for three times what it can do.</summary>
public sealed class OpenLoopTests(ITestOutputHelper output)
{
    private const long PatienceMicros = 1_000_000, Second = 1_000_000;
    private const int ConnectionsMax = 20_000;

    private static readonly BreakerLimits Unlimited = new()
    {
        MaxConnections = uint.MaxValue,
        MaxPending = uint.MaxValue,
        MaxRequests = uint.MaxValue,
    };

    [Theory]
    [InlineData(100, true)]
    [InlineData(100, false)]
    [InlineData(1000, true)]
    [InlineData(1000, false)]
    public void At_three_times_what_a_worker_can_do_answers_still_come_in_time(long workMicros, bool keeps)
    {
        int capacity = new Storm(workMicros, keeps).Peak();
        Outcome calm = Play(workMicros, capacity * 8 / 10, keeps), storm = Play(workMicros, capacity * 3, keeps, seconds: 6);
        output.WriteLine($"peak {capacity}\nat 0.8: {calm}\nat 3: {storm}");
        Assert.Equal((0, 0), (calm.Refused, calm.GaveUp));
        // The first second fills queues, and what was asked last is not answered yet.
        Assert.True(storm.GoodAtLast > capacity * 9 / 10, storm.ToString());
        Assert.True(storm.Recovered, "when the storm is over, requests are answered at once");
    }

    [Fact]
    public void Where_thousands_of_open_connections_ask_at_once_some_are_refused_with_the_flag_of_overload()
    {
        int capacity = new Storm(100, keeps: true).Peak();
        Outcome storm = Play(100, capacity * 3, keeps: true, open: 8000, seconds: 6);
        output.WriteLine(storm.ToString());
        Assert.True(storm.Refused > 0, storm.ToString());
        // What the crowd asked at first is answered too late; then there are as many as can be served.
        Assert.True(storm.GoodAtLast > capacity * 9 / 10, storm.ToString());
        Assert.Contains(storm.Records, static line => line.StartsWith("503 OM overload", StringComparison.Ordinal));
        Assert.All(storm.Records, static line => Assert.Matches("^(200 - via_upstream|503 OM overload|0 DC )", line));
        Assert.True(storm.Recovered, "when the storm is over, requests are answered at once");
    }

    [Fact]
    public void A_crowd_that_keeps_its_connections_busy_does_not_lock_others_out()
    {
        (int asked, int good) = new Storm(100, keeps: true, open: 1200).WithGuests(seconds: 6);
        output.WriteLine($"{good} of {asked}");
        Assert.True(good > asked * 8 / 10, $"{good} of {asked}");
    }

    private static Outcome Play(long workMicros, int rate, bool keeps, int open = 0, int seconds = 3) =>
        new Storm(workMicros, keeps, open).Play(rate, seconds);

    private sealed record Outcome(int Good, int Refused, int GaveUp, IReadOnlyList<string> Records)
    {
        // A second, in the last two.
        public int GoodAtLast { get; init; }

        public bool Recovered { get; init; }

        public override string ToString() =>
            $"{Good} in time, {Refused} refused, {GaveUp} given up; {GoodAtLast} in time a second at last";
    }

    private sealed class Storm
    {
        private readonly ProxyRig _rig = new();
        private readonly Clients _clients;

        public Storm(long workMicros, bool keeps, int open = 0)
        {
            _rig.AddUpstream(80, static (_, _) => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
            _rig.Start(ProxyRig.Forward("/", _rig.AddCluster("web", 80, static c => c with { DefaultLimits = Unlimited })));
            _clients = new Clients(_rig, open, keeps);
            _rig.Proxy.WorkMicros = workMicros;
        }

        // A second of some clients of whom each asks again when it is answered.
        public int Peak()
        {
            for (int i = 0; i < 1000; i++)
            {
                _clients.Reap();
                while (_clients.Waiting < 64)
                    _clients.Ask();
                _rig.Network.Advance(1000);
            }
            return _clients.Good;
        }

        // Everybody of the crowd asks again when answered; every 20 ms somebody comes on a connection of its own.
        public (int Asked, int Good) WithGuests(int seconds)
        {
            var guests = new Clients(_rig, 0, keeps: false);
            int crowd = _clients.Idle;
            for (int i = 0; i < seconds * 50; i++)
            {
                for (long end = _rig.Network.Now + 20_000; _rig.Network.Now < end; _rig.Network.Advance(1000))
                {
                    _clients.Reap();
                    while (_clients.Waiting < crowd)
                        _clients.Ask();
                }
                guests.Ask();
            }
            return (seconds * 50, guests.Good);
        }

        public Outcome Play(int rate, int seconds)
        {
            (long begun, int before) = (_rig.Network.Now, 0);
            for (long i = 0; i < (long)rate * seconds; i++)
            {
                _rig.Network.Advance(begun + (i * Second / rate) - _rig.Network.Now);
                _clients.Ask();
                if (i == (long)rate * (seconds - 2)) before = _clients.Good;
            }
            var outcome = new Outcome(_clients.Good, _clients.Refused, _clients.GaveUp, [.. _rig.Records.Lines])
            {
                GoodAtLast = (_clients.Good - before) / 2,
            };
            _rig.Network.Advance(60 * Second);
            return outcome with { Recovered = _rig.Ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Second / 10)
                .StartsWith("HTTP/1.1 200", StringComparison.Ordinal) };
        }
    }

    // Keeps connections as long as they are good; who waits too long hangs up.
    private sealed class Clients
    {
        private readonly ProxyRig _rig;
        private readonly bool _keeps;
        private readonly Stack<RawClient> _idle = new();
        private readonly Queue<(RawClient Client, long Since)> _waiting = new();

        public Clients(ProxyRig rig, int open, bool keeps)
        {
            (_rig, _keeps) = (rig, keeps);
            for (int i = 0; i < open; i++)
            {
                _idle.Push(rig.Connect());
                rig.Network.Advance(500);
            }
        }

        public int Good { get; private set; }

        public int Refused { get; private set; }

        public int GaveUp { get; private set; }

        public int Waiting => _waiting.Count;

        public int Idle => _idle.Count;

        private long _reaped;

        public void Ask()
        {
            if (_rig.Network.Now - _reaped >= 5000)
                Reap();
            if (_waiting.Count >= ConnectionsMax)
            {
                GaveUp++;
                return;
            }
            RawClient client = _idle.TryPop(out RawClient? free) ? free : _rig.Connect();
            client.Send(_keeps ? "GET / HTTP/1.1\r\nHost: a\r\n\r\n" : "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            _waiting.Enqueue((client, _rig.Network.Now));
        }

        public void Reap()
        {
            _reaped = _rig.Network.Now;
            for (int i = _waiting.Count; i > 0; i--)
            {
                (RawClient client, long since) = _waiting.Dequeue();
                if (client.Complete || client.Closed)
                    Take(client, since);
                else if (_rig.Network.Now - since < PatienceMicros)
                    _waiting.Enqueue((client, since));
                else
                {
                    GaveUp++;
                    client.Transport.Close(abort: true);
                }
            }
        }

        private void Take(RawClient client, long since)
        {
            if (client.Text.StartsWith("HTTP/1.1 200", StringComparison.Ordinal) && _rig.Network.Now - since < PatienceMicros) Good++;
            else if (client.Text.StartsWith("HTTP/1.1 503", StringComparison.Ordinal)) Refused++;
            else GaveUp++;
            client.Forget();
            if (_keeps && !client.Closed && !client.Ended) _idle.Push(client);
        }
    }
}
