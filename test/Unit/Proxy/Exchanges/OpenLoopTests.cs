using Lateen.Proxy.Clusters;
using Lateen.Proxy.Net;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Exchanges;

/// <summary>Clients that ask on a schedule, whatever the answers do, of a worker that needs virtual time for each thing it does: what is
/// left of its work when they ask for three times what it can do.</summary>
public sealed class OpenLoopTests(ITestOutputHelper output)
{
    // A request through the proxy is two things to do (the client's bytes, the upstream's), a refusal is one.
    private const long WorkMicros = 100, PatienceMicros = 1_000_000, Second = 1_000_000;
    private const int Capacity = (int)(Second / (2 * WorkMicros)), ConnectionsMax = 20_000;

    private static readonly BreakerLimits Unlimited = new()
    {
        MaxConnections = uint.MaxValue,
        MaxPending = uint.MaxValue,
        MaxRequests = uint.MaxValue,
    };

    [Fact]
    public void At_three_times_what_a_worker_can_do_answers_still_come_in_time()
    {
        Outcome calm = Play(Capacity * 8 / 10, QueueAge.DefaultLimitMicros), storm = Play(Capacity * 3, QueueAge.DefaultLimitMicros);
        output.WriteLine($"at 0.8: {calm}\nat 3: {storm}");
        Assert.Equal((0, 0), (calm.Refused, calm.GaveUp));
        // The first second fills queues, and what was asked last is not answered yet.
        Assert.True(storm.Good > Capacity * 3 * 7 / 10, storm.ToString());
        Assert.True(storm.Recovered, "when the storm is over, requests are answered at once");
    }

    [Fact]
    public void Where_thousands_of_open_connections_ask_at_once_some_are_refused_with_the_flag_of_overload()
    {
        Outcome storm = Play(Capacity * 3, QueueAge.DefaultLimitMicros, open: 8000, seconds: 6);
        output.WriteLine(storm.ToString());
        Assert.True(storm.Refused > 0, storm.ToString());
        // What the crowd asked at first is answered too late; then there are as many as can be served.
        Assert.True(storm.GoodAtLast > Capacity * 8 / 10, storm.ToString());
        Assert.Contains(storm.Records, static line => line.StartsWith("503 OM overload", StringComparison.Ordinal));
        Assert.All(storm.Records, static line => Assert.Matches("^(200 - via_upstream|503 OM overload|0 DC )", line));
        Assert.True(storm.Recovered, "when the storm is over, requests are answered at once");
    }

    private static Outcome Play(int rate, long limitMicros, int open = 0, int seconds = 3)
    {
        var rig = new ProxyRig();
        rig.Worker.Loop.Age.LimitMicros = limitMicros;
        rig.AddUpstream(80, static (_, _) => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        rig.Start(ProxyRig.Forward("/", rig.AddCluster("web", 80, static c => c with { DefaultLimits = Unlimited })));
        var clients = new Clients(rig, open);
        rig.Proxy.WorkMicros = WorkMicros;
        (long begun, int before) = (rig.Network.Now, 0);
        for (long i = 0; i < (long)rate * seconds; i++)
        {
            rig.Network.Advance(begun + (i * Second / rate) - rig.Network.Now);
            clients.Ask();
            if (i == (long)rate * (seconds - 1)) before = clients.Good;
        }
        var outcome = new Outcome(clients.Good, clients.Refused, clients.GaveUp, [.. rig.Records.Lines]) { GoodAtLast = clients.Good
            - before };
        rig.Network.Advance(60 * Second);
        return outcome with { Recovered = rig.Ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Second / 10)
            .StartsWith("HTTP/1.1 200", StringComparison.Ordinal) };
    }

    private sealed record Outcome(int Good, int Refused, int GaveUp, IReadOnlyList<string> Records)
    {
        // In the last second.
        public int GoodAtLast { get; init; }

        public bool Recovered { get; init; }

        public override string ToString() =>
            $"{Good} in time, {Refused} refused, {GaveUp} given up; {GoodAtLast} in time in the last second, of {Capacity}";
    }

    // Keeps connections as long as they are good; who waits too long hangs up.
    private sealed class Clients
    {
        private readonly ProxyRig _rig;
        private readonly Stack<RawClient> _idle = new();
        private readonly Queue<(RawClient Client, long Since)> _waiting = new();

        public Clients(ProxyRig rig, int open)
        {
            _rig = rig;
            for (int i = 0; i < open; i++)
            {
                _idle.Push(rig.Connect());
                rig.Network.Advance(500);
            }
        }

        public int Good { get; private set; }

        public int Refused { get; private set; }

        public int GaveUp { get; private set; }

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
            client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            _waiting.Enqueue((client, _rig.Network.Now));
        }

        private void Reap()
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
            if (!client.Closed && !client.Ended) _idle.Push(client);
        }
    }
}
