using Lateen.Proxy;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Listeners;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Epoll;
using Lateen.Proxy.Net.Memory;
using Lateen.Proxy.Tcp;
using Lateen.Proxy.Upstream;
using Lateen.Test.Unit.Proxy.Net;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Tcp;

public sealed class TcpSessionTests
{
    private readonly TcpRig _rig = new();
    private readonly TcpCounters _counters = new(1);
    private readonly Witness _witness = new();

    /// <summary>A filter that keeps the facts of each session for the test, and may wait or refuse.</summary>
    private sealed class Witness : NetworkFilterFactory
    {
        public readonly List<TcpSession> Ended = [];
        public TcpSession? Last;
        public NetworkVerdict OnConnection, OnData;
        public int Shown;

        public override NetworkFilter Create(TcpSession session)
        {
            Last = session;
            return new Seen(this);
        }

        private sealed class Seen(Witness witness) : NetworkFilter
        {
            public override NetworkVerdict OnConnection(TcpSession session) => Answer(session, witness.OnConnection);

            public override NetworkVerdict OnData(TcpSession session, ref ReadOnlySpan<byte> bytes)
            {
                witness.Shown += bytes.Length;
                return Answer(session, witness.OnData);
            }

            private static NetworkVerdict Answer(TcpSession session, NetworkVerdict verdict)
            {
                if (verdict == NetworkVerdict.Close)
                    session.Deny("not_allowed", "deny_close");
                return verdict;
            }

            public override void OnEnd(TcpSession session) => witness.Ended.Add(session);
        }
    }

    private TcpOptions Options(params string[] clusters) => new()
    {
        StatPrefix = "test",
        Targets = [.. (clusters.Length == 0 ? ["backend"] : clusters).Select(c => new TcpTarget(_rig.Directory.Handle(c), 1))],
        Counters = _counters,
    };

    private ListenerSet Serve(ChainHandler handler, long inspect = 0)
    {
        var set = new ListenerSet(_rig.Worker);
        set.Put(new Listener
        {
            Name = "tcp",
            Address = TcpRig.ProxyAt,
            Chains = new ChainTable([], new ListenerChain { Name = "chain", Handler = handler }),
            Inspectors = inspect > 0 ? [new Inspector(InspectorKind.Tls, [])] : [],
            InspectMicros = inspect,
        });
        return set;
    }

    private ListenerSet Serve(TcpOptions options) => Serve(new TcpChainHandler(_rig.Upstreams, options, [_witness], 1));

    private Probe Call(string first = "")
    {
        var probe = new Probe();
        probe.Transport = _rig.Client.Connect(new ConnectOptions(TcpRig.ProxyAt), probe);
        probe.Transport.Send(System.Text.Encoding.ASCII.GetBytes(first));
        return probe;
    }

    private bool Run(Func<bool> condition) => _rig.Network.RunUntil(condition, 20_000_000);

    private TcpFacts End => Assert.Single(_witness.Ended).Facts;

    private ClusterCounters Cluster(string name) => _rig.Directory.Handle(name).Counters[0];

    [Fact]
    public void Bytes_go_both_ways_and_ends_are_passed_on()
    {
        Serve(Options());
        Probe client = Call("question");
        Assert.True(Run(() => _rig.Backends.Accepted is [{ Text: "question" }]));
        client.Transport!.EndSend();
        Assert.True(Run(() => _rig.Backends.Accepted[0].Ended));
        Assert.False(client.Ended);
        _rig.Backends.Accepted[0].Transport!.Send("answer"u8);
        _rig.Backends.Accepted[0].Transport!.EndSend();
        Assert.True(Run(() => client.Closings == 1 && _rig.Backends.Accepted[0].Closings == 1));
        Assert.Equal(("answer", CloseReason.Remote), (client.Text, client.Reason!.Value));
        Assert.Equal((8, 6, 8, 6), (End.BytesReceived, End.BytesSent, End.UpstreamSent, End.UpstreamReceived));
        Assert.Equal((ResponseFlags.None, 1, "backend"), (End.Flags, End.Attempts, End.ClusterName));
        Assert.Equal(TcpRig.BackendAt, End.UpstreamHost);
        Assert.Equal((1, 0), (_counters.Sum(r => r.Total), _counters.Sum(r => r.Active)));
        Assert.Equal((1, 0), (Cluster("backend")[ClusterCounter.UpstreamCxTotal], Cluster("backend")[ClusterGauge.UpstreamCxActive]));
    }

    [Fact]
    public void A_server_may_speak_first()
    {
        Serve(Options());
        Probe client = Call();
        Assert.True(Run(() => _rig.Backends.Accepted.Count == 1));
        _rig.Backends.Accepted[0].Transport!.Send("220 ready"u8);
        Assert.True(Run(() => client.Text == "220 ready"));
    }

    [Fact]
    public void Resets_are_passed_on_as_resets()
    {
        Serve(Options());
        Probe client = Call("x");
        Assert.True(Run(() => _rig.Backends.Accepted is [{ Text: "x" }]));
        _rig.Backends.Accepted[0].Transport!.Close(abort: true);
        Assert.True(Run(() => client.Closings == 1));
        Assert.Equal(CloseReason.Reset, client.Reason);
        Assert.Equal(ResponseFlags.UpstreamRemoteReset, End.Flags);
        Probe other = Call("y");
        Assert.True(Run(() => _rig.Backends.Accepted.Count == 2 && _rig.Backends.Accepted[1].Text == "y"));
        other.Transport!.Close(abort: true);
        Assert.True(Run(() => _rig.Backends.Accepted[1].Closings == 1));
        Assert.Equal(CloseReason.Reset, _rig.Backends.Accepted[1].Reason);
        Assert.Equal(ResponseFlags.None, _witness.Ended[1].Facts.Flags);
    }

    [Fact]
    public void What_fails_is_flagged()
    {
        _rig.Directory.Publish(TcpRig.Cluster("dead"), TcpRig.At(Address.V4(3, 1)));
        _rig.Directory.Publish(TcpRig.Cluster("gone"), TcpRig.At(Address.V4(99, 1)));
        _rig.Directory.Publish(TcpRig.Cluster("empty"), TcpRig.At());
        _rig.Directory.Publish(TcpRig.Cluster("half"), TcpRig.At(Address.V4(3, 1), TcpRig.BackendAt));
        foreach ((string cluster, ResponseFlags flags, int attempts, string why) in new[]
        {
            ("dead", ResponseFlags.UpstreamConnectionFailure | ResponseFlags.UpstreamRetryLimitExceeded, 3,
                "delayed connect error: Connection refused"),
            ("gone", ResponseFlags.UpstreamConnectionFailure | ResponseFlags.UpstreamRetryLimitExceeded, 3, ""),
            ("empty", ResponseFlags.NoHealthyUpstream, 0, ""),
            ("unknown", ResponseFlags.NoClusterFound, 0, ""),
        })
        {
            _witness.Ended.Clear();
            ListenerSet set = Serve(Options(cluster) with { MaxConnectAttempts = 3 });
            Probe client = Call("x");
            Assert.True(Run(() => client.Closings == 1 && _witness.Ended.Count == 1));
            Assert.Equal((flags, attempts, why, 0), (End.Flags, End.Attempts, End.UpstreamTransportFailure, End.BytesReceived));
            set.Remove("tcp");
        }
        Serve(Options("half") with { MaxConnectAttempts = 2 });
        for (int i = 0; i < 4; i++)
        {
            Probe client = Call("x");
            int before = _rig.Backends.Accepted.Count;
            Assert.True(Run(() => _rig.Backends.Accepted.Count == before + 1));
            client.Transport!.Close();
        }
        Assert.Equal(0, Cluster("dead")[ClusterGauge.UpstreamCxActive]);
        Assert.Equal((3, 3, 1), (Cluster("gone")[ClusterCounter.UpstreamCxConnectFail],
            Cluster("gone")[ClusterCounter.UpstreamCxConnectTimeout], Cluster("gone")[ClusterCounter.UpstreamCxConnectAttemptsExceeded]));
    }

    [Fact]
    public void Connections_above_the_limit_are_refused_until_there_is_room()
    {
        _rig.Directory.Publish(TcpRig.Cluster("backend") with { DefaultLimits = new BreakerLimits { MaxConnections = 1 } });
        Serve(Options());
        Probe first = Call("1");
        Assert.True(Run(() => _rig.Backends.Accepted.Count == 1));
        Probe second = Call("2");
        Assert.True(Run(() => second.Closings == 1));
        Assert.Equal(ResponseFlags.UpstreamOverflow, End.Flags);
        first.Transport!.Close(abort: true);
        Assert.True(Run(() => _witness.Ended.Count == 2 && _rig.Backends.Accepted[0].Closings == 1));
        Call("3");
        Assert.True(Run(() => _rig.Backends.Accepted is [_, { Text: "3" }]));
    }

    [Fact]
    public void Silence_age_and_draining_end_connections()
    {
        Serve(Options() with { IdleMicros = 1_000_000 });
        Probe client = Call("x");
        for (int i = 0; i < 4; i++)
        {
            _rig.Network.Advance(900_000);
            client.Transport!.Send("more"u8);
        }
        Assert.Equal(0, client.Closings);
        Assert.True(_rig.Network.RunUntil(() => client.Closings == 1, 1_100_000));
        Assert.Equal(("tcp_session_idle_timeout", ResponseFlags.None, 1), (End.LocalCloseReason, End.Flags, _counters.Sum(r => r.Idle)));

        ListenerSet set = Serve2(Options() with { MaxDurationMicros = 2_000_000 });
        _witness.Ended.Clear();
        Probe old = Call("x");
        Assert.True(_rig.Network.RunUntil(() => old.Closings == 1, 2_100_000));
        Assert.Equal((ResponseFlags.DurationTimeout, "max_connection_duration_reached"), (End.Flags, End.LocalCloseReason));

        set.Remove("tcp");
        ListenerSet draining = Serve(Options());
        draining.Pace = new DrainPace(5_000_000, true);
        Probe lasting = Call("x");
        _rig.Network.Advance(1_000_000);
        draining.Remove("tcp");
        Assert.False(_rig.Network.RunUntil(() => lasting.Closings == 1, 4_900_000));
        Assert.True(_rig.Network.RunUntil(() => lasting.Closings == 1, 200_000));
    }

    private ListenerSet Serve2(TcpOptions options)
    {
        _rig.Proxy.Host.Network.Advance(1);
        var set = new ListenerSet(_rig.Worker);
        set.Put(new Listener
        {
            Name = "tcp",
            Address = TcpRig.ProxyAt,
            Chains = new ChainTable([],
                new ListenerChain { Name = "chain", Handler = new TcpChainHandler(_rig.Upstreams, options, [_witness], 1) }),
        });
        return set;
    }

    [Fact]
    public void A_slow_reader_holds_the_other_end()
    {
        Serve(Options());
        Probe client = Call();
        Assert.True(Run(() => _rig.Backends.Accepted.Count == 1));
        client.Transport!.Reading = false;
        var bytes = new byte[16 << 20];
        new Random(1).NextBytes(bytes);
        Transport sender = _rig.Backends.Accepted[0].Transport!;
        sender.Send(bytes);
        _rig.Network.Advance(10_000_000);
        // Two windows, two proxies' watermarks and what was under way: far below what was sent.
        Assert.InRange(bytes.Length - sender.PendingBytes, 1, 4 << 20);
        client.Transport.Reading = true;
        Assert.True(_rig.Network.RunUntil(() => client.Received.Length == bytes.Length, 100_000_000));
        Assert.Equal(bytes, client.Received.ToArray());
    }

    [Fact]
    public void Weights_are_kept()
    {
        _rig.Directory.Publish(TcpRig.Cluster("other"), TcpRig.At(TcpRig.BackendAt));
        Serve(Options() with { Targets = [new TcpTarget(_rig.Directory.Handle("backend"), 90), new TcpTarget(_rig.Directory.Handle("other"), 10),
            new TcpTarget(_rig.Directory.Handle("never"), 0)] });
        for (int i = 0; i < 300; i++)
            Call().Transport!.EndSend();
        Assert.True(Run(() => _rig.Backends.Accepted.Count == 300));
        Assert.InRange(Cluster("other")[ClusterCounter.UpstreamCxTotal], 10, 60);
        Assert.Equal(300, Cluster("other")[ClusterCounter.UpstreamCxTotal] + Cluster("backend")[ClusterCounter.UpstreamCxTotal]);
    }

    [Fact]
    public void Filters_may_refuse_or_wait()
    {
        Serve(Options());
        _witness.OnData = NetworkVerdict.Close;
        Probe refused = Call("hello");
        Assert.True(Run(() => refused.Closings == 1 && _rig.Backends.Accepted is [{ Ended: true }]));
        Assert.Equal(("", "not_allowed", "deny_close", 5, 0),
            (_rig.Backends.Accepted[0].Text, End.TerminationDetails, End.LocalCloseReason, End.BytesReceived, End.UpstreamSent));

        _witness.OnData = NetworkVerdict.Wait;
        Probe waiting = Call("hello");
        _rig.Network.Advance(1_000_000);
        waiting.Transport!.Send(" world"u8);
        waiting.Transport.EndSend();
        _rig.Network.Advance(1_000_000);
        Assert.Equal("", _rig.Backends.Accepted[1].Text);
        _witness.OnData = NetworkVerdict.Continue;
        _rig.Proxy.Post(new Note(_witness.Last!.Resume));
        Assert.True(Run(() => _rig.Backends.Accepted[1] is { Text: "hello world", Ended: true }));

        _witness.OnConnection = NetworkVerdict.Close;
        Probe early = Call("x");
        Assert.True(Run(() => early.Closings == 1));
        Assert.Equal(2, _rig.Backends.Accepted.Count);
    }

    [Fact]
    public void What_was_sniffed_is_not_lost_and_may_be_taken_over_by_something_else()
    {
        var taken = new Taken();
        Serve(new TcpChainHandler([_witness], taken, Options(), 1), inspect: 1_000_000);
        Probe client = Call("GET / HTTP/1.1");
        Assert.True(Run(() => taken.Early == "GET / HTTP/1.1"));
        Assert.Equal(14, _witness.Shown);
        client.Transport!.Close();
        Assert.True(Run(() => _witness.Ended.Count == 1));
        Assert.Equal(0, _counters.Sum(r => r.Active));
    }

    private sealed class Taken : ChainHandler
    {
        public string Early = "";

        public override void Serve(AcceptedConnection connection, ReadOnlySpan<byte> early)
        {
            Early = System.Text.Encoding.ASCII.GetString(early);
            connection.Transport.Handler = new Probe2(connection);
        }

        private sealed class Probe2(AcceptedConnection connection) : TransportHandler
        {
            public override void OnData(Transport transport, ReadOnlySpan<byte> bytes)
            {
            }

            public override void OnClosed(Transport transport, CloseReason reason) => connection.Ended();
        }
    }

    [Fact]
    public void A_connect_on_first_data_waits_for_it()
    {
        Serve(Options() with { Connect = TcpConnectMode.OnData });
        Probe client = Call();
        _rig.Network.Advance(1_000_000);
        Assert.Empty(_rig.Backends.Accepted);
        client.Transport!.Send("HELO"u8);
        Assert.True(Run(() => _rig.Backends.Accepted is [{ Text: "HELO" }]));
    }

    [Fact]
    public void The_upstream_may_be_told_who_the_client_is()
    {
        _rig.Directory.Publish(TcpRig.Cluster("backend") with { ProxyHeader = new ProxyHeaderOptions(1, null, []) });
        Serve(Options());
        Probe client = Call("x");
        Assert.True(Run(() => _rig.Backends.Accepted is [{ Received.Length: > 30 }]));
        Assert.Equal($"PROXY TCP4 0.0.0.1 0.0.0.2 {client.Transport!.Local.Port} 15001\r\nx", _rig.Backends.Accepted[0].Text);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Peers_tell_each_other_who_they_are_before_anything_else(int seed)
    {
        var random = new Random(seed);
        var handler = new TcpChainHandler(_rig.Upstreams, Options(), [_witness, new PeerExchangeFilter(new Names())], 1);
        _rig.Proxy.Listen(new ListenOptions(TcpRig.ProxyAt), new Serving(_rig.Worker, handler, "istio-peer-exchange"));
        byte[] told = [0x3d, 0x23, 0x04, 0x67, 0, 0, 0, 6, .. "client"u8, .. "payload"u8];
        Probe client = Call();
        for (int at = 0; at < told.Length;)
        {
            int n = Math.Min(random.Next(1, 6), told.Length - at);
            client.Transport!.Send(told.AsSpan(at, n));
            at += n;
            _rig.Network.Advance(1_000);
        }
        Assert.True(Run(() => _rig.Backends.Accepted is [{ Text: "payload" }]));
        Assert.Equal("client", _witness.Last!.Facts.FilterState(PeerExchangeFilter.DownstreamKey));
        _rig.Backends.Accepted[0].Transport!.Send("answer"u8);
        Assert.True(Run(() => client.Received.Length == 20));
        Assert.Equal([0x3d, 0x23, 0x04, 0x67, 0, 0, 0, 6, .. "server"u8, .. "answer"u8], client.Received.ToArray());
    }

    [Fact]
    public void A_peer_that_says_nothing_of_itself_loses_no_byte()
    {
        var handler = new TcpChainHandler(_rig.Upstreams, Options(), [new PeerExchangeFilter(new Names())], 1);
        _rig.Proxy.Listen(new ListenOptions(TcpRig.ProxyAt), new Serving(_rig.Worker, handler, "istio-peer-exchange"));
        Probe client = Call("GET");
        _rig.Network.Advance(1_000);
        client.Transport!.Send(" / HTTP/1.1"u8);
        Assert.True(Run(() => _rig.Backends.Accepted is [{ Text: "GET / HTTP/1.1" }]));
    }

    private sealed class Names() : PeerExchange("istio-peer-exchange", "server"u8.ToArray())
    {
        public override object Read(ReadOnlySpan<byte> payload) => System.Text.Encoding.ASCII.GetString(payload);
    }

    [Fact]
    public void A_warm_relay_allocates_nothing()
    {
        using var loop = new EpollLoop();
        var worker = new Worker(0, loop);
        var directory = new ClusterDirectory(loop, 1);
        var upstreams = new Upstreams(directory, [worker]);
        ListeningSocket backend = loop.Listen(new ListenOptions(Address.V4(0x7f000001, 0)), new Echoing());
        directory.Publish(TcpRig.Cluster("backend"), TcpRig.At(backend.Address));
        var options = new TcpOptions { StatPrefix = "t", Targets = [new TcpTarget(directory.Handle("backend"), 1)] };
        Address at = Address.V4(0x7f000001, 0);
        ListeningSocket front = loop.Listen(new ListenOptions(at), new Serving(worker, new TcpChainHandler(upstreams, options, [], 1)));
        var ping = new Bouncing();
        loop.Connect(new ConnectOptions(front.Address), ping).Send(new byte[700]);
        for (int i = 0; i < 20_000 && ping.Count < 500; i++)
            loop.Turn(1_000_000);
        int served = ping.Count;
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 2_000; i++)
            loop.Turn(1_000_000);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.True(ping.Count - served > 200);
    }

    private sealed class Serving(Worker worker, TcpChainHandler handler, string alpn = "") : Acceptor
    {
        public override void OnAccepted(Transport transport)
        {
            var listener = new Listener { Name = "l", Address = transport.Local, Chains = new ChainTable([], null) };
            var connection = new AcceptedConnection
            {
                Worker = worker,
                Transport = transport,
                Facts = new ConnectionFacts { Local = transport.Local, Remote = transport.Remote },
                Listener = listener,
                Door = listener,
                Chain = new ListenerChain { Name = "c", Handler = handler },
                Id = 1,
                Alpn = alpn,
                AcceptedAt = transport.Loop.Now,
            };
            handler.Serve(connection, default);
        }
    }

    private sealed class Echoing : Acceptor
    {
        public override void OnAccepted(Transport transport) => transport.Handler = new Bouncing();
    }
}
