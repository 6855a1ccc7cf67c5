using Lateen.Proxy.Clusters;
using Lateen.Proxy.Exchanges.Heads;
using Lateen.Proxy.Net;
using Lateen.Proxy.Server.Pressure;
using Lateen.Proxy.Statistics;
using Lateen.Proxy.Telemetry;
using Lateen.Proxy.Upstream;
using Lateen.Proxy.Xds;

namespace Lateen.Proxy.Server;

/// <summary>What a proxy is started with.</summary>
public sealed record ProxyInputs
{
    /// <summary>The bootstrap as JSON or YAML.</summary>
    public required string Bootstrap { get; init; }

    /// <summary>Where the text came from, for messages.</summary>
    public string BootstrapFile { get; init; } = "bootstrap";

    /// <summary>A second text laid over the first (--config-yaml); empty for none.</summary>
    public string Overlay { get; init; } = "";

    /// <summary>In place of the bootstrap's node id and cluster; empty keeps them.</summary>
    public string NodeId { get; init; } = "";

    /// <summary>In place of the bootstrap's cluster of the node; empty keeps it.</summary>
    public string NodeCluster { get; init; } = "";

    /// <summary>How often log buffers leave, in microseconds.</summary>
    public long LogFlushMicros { get; init; } = 10_000_000;

    /// <summary>How connections end whose listener or chain is gone (--drain-time-s, --drain-strategy).</summary>
    public Listeners.DrainPace DrainPace { get; init; } = Lateen.Proxy.Listeners.DrainPace.Default;

    /// <summary>What was applied holds for open connections, too, from their next request on; false for Envoy's manner, which answers them
    /// by the old configuration until they have drained.</summary>
    public bool HandsOver { get; init; }

    /// <summary>What becomes of a bootstrap with fields that the schema does not know.</summary>
    public UnknownFieldChoice UnknownStatic { get; init; } = UnknownFieldChoice.Said;

    /// <summary>What becomes of discovered resources with such fields.</summary>
    public UnknownFieldChoice UnknownDynamic { get; init; } = UnknownFieldChoice.Said;

    /// <summary>Gives the sink of a log's path; null writes files.</summary>
    public Func<string, LogSink>? Sinks { get; init; }

    /// <summary>The memory that the process may have; null for any amount.</summary>
    public MemoryRoom? Memory { get; init; }

    /// <summary>Without its admin page it does not serve.</summary>
    public bool NeedsAdmin { get; init; }

    /// <summary>Hears what an operator should read: one line each.</summary>
    public Action<string> Say { get; init; } = static _ => { };
}

/// <summary>How far a proxy is.</summary>
public enum ProxyState : byte
{
    /// <summary>Listeners and clusters serve.</summary>
    Live,

    /// <summary>On its way out.</summary>
    Draining,

    /// <summary>The first configuration has not come.</summary>
    PreInitializing,

    /// <summary>The first configuration is taken up.</summary>
    Initializing,
}

/// <summary>A bootstrap that can't be served; the message has one reason a line.</summary>
public sealed class BootstrapException(string message) : Exception(message);

/// <summary>A running proxy.</summary>
public sealed class ProxyServer : IDisposable
{
    private readonly Ground _ground;
    private readonly ProxyInputs _inputs;
    private readonly FileWriter? _logWriter;
    private readonly Dictionary<string, LogSink> _sinks = new(StringComparer.Ordinal);
    private readonly ProxyAssembly _assembly;
    private readonly Flushing _flushing;
    private AdminServer? _admin;

    /// <summary>What the overload manager wants of connections.</summary>
    public Exchanges.Heads.OverloadSwitches Overload { get; } = new();

    /// <summary>Puts a proxy together. Nothing runs before <see cref="Start"/>.</summary>
    /// <exception cref="BootstrapException">The bootstrap can't be served.</exception>
    public ProxyServer(ProxyInputs inputs, Ground ground)
    {
        _ground = ground;
        _inputs = inputs;
        Workers = [.. ground.Workers.Select((loop, i) => new Worker(i, loop))];
        Statistics = new StatStore(Workers.Count);
        Clusters = new ClusterDirectory(ground.Main, Workers.Count, Statistics);
        Upstreams = new Upstreams(Clusters, Workers);
        Listeners = new WorkerListeners(ground.Main, Workers, Overload) { Pace = inputs.DrainPace, HandsOver = inputs.HandsOver };
        _logWriter = inputs.Sinks is null ? new FileWriter() : null;
        Decisions = new DecisionRing(Workers.Count);
        _assembly = new ProxyAssembly(this, inputs);
        _flushing = new Flushing(this);
        ServerStats.Add(this);
        Listeners.Settled = Advance;
        _assembly.Progress = Advance;
    }

    /// <summary>The workers.</summary>
    public IReadOnlyList<Worker> Workers { get; }

    /// <summary>All that is counted.</summary>
    public StatStore Statistics { get; }

    /// <summary>All clusters.</summary>
    public ClusterDirectory Clusters { get; }

    /// <summary>The workers' upstream sides.</summary>
    public Upstreams Upstreams { get; }

    /// <summary>The listeners on all workers.</summary>
    public WorkerListeners Listeners { get; }

    /// <summary>The last decisions.</summary>
    public DecisionRing Decisions { get; }

    /// <summary>The loop for everything but traffic.</summary>
    public EventLoop Main => _ground.Main;

    /// <summary>The host's own address; kind None where it is unknown.</summary>
    public Address OwnAddress => _ground.OwnAddress;

    /// <summary>What configuration holds.</summary>
    internal ProxyAssembly Assembly => _assembly;

    /// <summary>How far it is. Main loop.</summary>
    public ProxyState State { get; private set; } = ProxyState.PreInitializing;

    /// <summary>When it was made, microseconds since 1970.</summary>
    public long StartedAt { get; private set; }

    /// <summary>False after /healthcheck/fail. Main loop.</summary>
    public bool IsHealthy { get; set; } = true;

    /// <summary>Nothing but errors is said to the operator. Main loop.</summary>
    public bool IsQuiet { get; set; }

    /// <summary>Called once, on the main loop, when it is live.</summary>
    public Action? Live { get; set; }

    /// <summary>Called once, on the main loop, when /quitquitquit was asked.</summary>
    public Action? Quit { get; set; }

    /// <summary>Called once, on the main loop, when a static resource can't be served; the argument has one reason a line.</summary>
    public Action<string>? Failed { get; set; }

    /// <summary>The admin server's address; kind None where there is none.</summary>
    public Address AdminAddress => _admin?.Address ?? default;

    /// <summary>Log lines that were lost.</summary>
    public long LostLogLines => _sinks.Values.Sum(s => s.Lost);

    /// <summary>Takes up what the bootstrap holds, without binding or connecting anything; it can't be started afterwards.</summary>
    /// <exception cref="BootstrapException">Something in it can't be served.</exception>
    public void Validate()
    {
        Listeners.OnlyChecks = true;
        _assembly.Begin();
    }

    /// <summary>Begins to serve.</summary>
    public void Start()
    {
        StartedAt = Main.WallClock;
        _ground.Start();
        Main.Post(new Beginning(this));
    }

    private void Begin()
    {
        State = ProxyState.Initializing;
        _flushing.Begin();
        if (_assembly.Overload is { } plan)
            new OverloadMonitor(this, plan).Start();
        try
        {
            if (_assembly.AdminAddress.Kind != AddressKind.None)
                _admin = new AdminServer(this, _assembly.AdminAddress);
        }
        catch (ListenException e)
        {
            if (_inputs.NeedsAdmin)
            {
                Failed?.Invoke($"admin: {e.Message}");
                return;
            }
            _inputs.Say($"the admin page can't listen: {e.Message}");
        }
        try
        {
            _assembly.Begin();
        }
        catch (BootstrapException e)
        {
            Failed?.Invoke(e.Message);
            return;
        }
        Advance();
    }

    // Live when all that was asked for has come and every listener is bound.
    private void Advance()
    {
        foreach ((string name, string why) in Listeners.Failures)
            _inputs.Say($"listener {name}: {why}");
        if (State != ProxyState.Initializing || !Listeners.IsSettled || !_assembly.IsComplete)
            return;
        _assembly.Resources.Serve();
        if (!Listeners.IsSettled)
            return;
        State = ProxyState.Live;
        Live?.Invoke();
    }

    /// <summary>The sink of a path: one for all logs of that path.</summary>
    internal LogSink SinkOf(string path)
    {
        if (!_sinks.TryGetValue(path, out LogSink? sink))
            _sinks[path] = sink = _inputs.Sinks?.Invoke(path) ?? new FileSink(path, _inputs.LogFlushMicros, Workers.Count, _logWriter!);
        return sink;
    }

    /// <summary>Opens log files anew. Main loop.</summary>
    public void ReopenLogs()
    {
        foreach (LogSink sink in _sinks.Values)
            sink.Reopen();
    }

    /// <summary>Takes listeners out of service. Main loop.</summary>
    /// <param name="inboundOnly">Only those of traffic towards the workload.</param>
    /// <param name="close">At once: nothing new is accepted, connections go on. Else connections are told to go first, while the listeners
    /// accept.</param>
    /// <param name="stay">The listeners go on accepting when the time of a drain is over.</param>
    public void Drain(bool inboundOnly, bool close, bool stay = false)
    {
        if (close)
        {
            Listeners.Stop(l => !inboundOnly || l.IsInbound);
            return;
        }
        Listeners.Drain(l => !inboundOnly || l.IsInbound);
        if (!stay)
            Main.Arm(new Later(() => Listeners.Stop(l => !inboundOnly || l.IsInbound)), Math.Max(1, Listeners.Pace.Micros));
    }

    /// <summary>Another process has taken the sockets over: nothing more is accepted here, and connections end in order. Any
    /// thread.</summary>
    public void GiveWay() => Main.Post(new Leaving(this));

    private sealed class Leaving(ProxyServer server) : Letter
    {
        protected internal override void Deliver()
        {
            server.State = ProxyState.Draining;
            server.Listeners.Stop(static _ => true);
            server.Listeners.Drain(static _ => true);
            server._admin?.Close();
        }
    }

    private sealed class Later(Action action) : Deadline
    {
        protected internal override void OnDue(long now) => action();
    }

    /// <summary>Ends: loops stop, logs leave.</summary>
    public void Dispose()
    {
        State = ProxyState.Draining;
        _ground.Stop();
        foreach (LogSink sink in _sinks.Values)
            sink.End();
        _logWriter?.Dispose();
        (_ground as IDisposable)?.Dispose();
    }

    private sealed class Flushing(ProxyServer server) : Deadline
    {
        private DatagramSocket? _v4, _v6;

        public void Begin()
        {
            if (!server.Statistics.Rules.FlushOnRead)
                server.Main.Arm(this, server.Statistics.Rules.FlushMicros);
        }

        protected internal override void OnDue(long now)
        {
            server.Statistics.Flush();
            foreach (StatsdSink sink in server.Assembly.StatsSinks)
                sink.Flush(sink.ToV6 ? _v6 ??= server.Main.OpenDatagram(Address.V6(0, 0))
                    : _v4 ??= server.Main.OpenDatagram(Address.V4(0, 0)));
            Begin();
        }
    }

    private sealed class Beginning(ProxyServer server) : Letter
    {
        protected internal override void Deliver() => server.Begin();
    }
}
