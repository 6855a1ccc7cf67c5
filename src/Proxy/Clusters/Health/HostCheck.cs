using Lateen.Proxy.Net;

namespace Lateen.Proxy.Clusters.Health;

/// <summary>What one probe came to.</summary>
internal enum ProbeOutcome : byte
{
    Success,

    /// <summary>It counts towards the threshold: no connection, no answer, a retriable one.</summary>
    Weak,

    /// <summary>A clear no: unhealthy at once.</summary>
    Clear,
}

/// <summary>One check of one host: probes in intervals, and what follows from their results.</summary>
internal sealed class HostCheck : Deadline
{
    private readonly HealthChecker _checker;
    private readonly ClusterHandle _handle;
    private readonly Host _host;
    private readonly Patience _patience;
    private Probe? _probe;
    private uint _successes, _failures;
    private bool _first = true, _stopped;

    public HostCheck(HealthChecker checker, ClusterHandle handle, Host host, HealthCheckOptions options)
    {
        _checker = checker;
        _handle = handle;
        _host = host;
        Options = options;
        _patience = new Patience(this);
    }

    /// <summary>The check.</summary>
    public HealthCheckOptions Options { get; }

    /// <summary>What it thinks of the host; nothing good before the first success.</summary>
    public bool IsHealthy { get; private set; }

    public ClusterHandle Handle => _handle;

    public Host Host => _host;

    public EventLoop Loop => _checker.Loop;

    /// <summary>Where the probe goes.</summary>
    public Address Target
    {
        get
        {
            Address address = _host.Endpoint.HealthAddress.Kind != AddressKind.None ? _host.Endpoint.HealthAddress : _host.Address;
            return Options.AltPort > 0 ? address.WithPort(Options.AltPort) : address;
        }
    }

    public void Begin()
    {
        long jitter = Options.InitialJitterMicros > 0 ? (long)(Loop.Chance.NextULong() % (ulong)Options.InitialJitterMicros) : 0;
        Loop.Arm(this, Math.Max(1, jitter));
    }

    public void Stop()
    {
        _stopped = true;
        Loop.Disarm(this);
        Loop.Disarm(_patience);
        _probe?.Close();
        _probe = null;
    }

    protected internal override void OnDue(long now)
    {
        Count(ClusterCounter.HealthCheckAttempt);
        if (_probe is null or { IsUsable: false })
        {
            _probe?.Close();
            _probe = Options.Kind == HealthCheckKind.Tcp ? new TcpProbe(this) : new HttpProbe(this);
        }
        Loop.Arm(_patience, Math.Max(1, Options.TimeoutMicros));
        _probe.Send();
    }

    /// <summary>A probe is over.</summary>
    public void OnOutcome(ProbeOutcome outcome, bool degraded = false)
    {
        if (_stopped || !_patience.IsArmed)
            return;
        Loop.Disarm(_patience);
        if (!Options.ReuseConnection)
        {
            _probe?.Close();
            _probe = null;
        }
        if (outcome == ProbeOutcome.Success)
            OnSuccess(degraded);
        else
            OnFailure(outcome, timedOut: false);
    }

    /// <summary>The host has said itself that it is unfit, between two probes: it needs as many good ones as after any failure.</summary>
    public void Fail()
    {
        Count(ClusterCounter.HealthCheckFailure);
        Count(ClusterCounter.HealthCheckPassiveFailure);
        _successes = 0;
        IsHealthy = _first = false;
        _checker.OnResult(_handle, _host, false, false);
    }

    private void OnSuccess(bool degraded)
    {
        Count(ClusterCounter.HealthCheckSuccess);
        _failures = 0;
        bool pending = false;
        if (!IsHealthy)
        {
            IsHealthy = _first || ++_successes >= Options.HealthyThreshold;
            pending = !IsHealthy;
        }
        if (IsHealthy)
            _successes = 0;
        _first = false;
        Schedule(pending && Options.HealthyEdgeIntervalMicros > 0 ? Options.HealthyEdgeIntervalMicros : Options.IntervalMicros, !pending);
        _checker.OnResult(_handle, _host, true, degraded);
    }

    private void OnFailure(ProbeOutcome outcome, bool timedOut)
    {
        Count(ClusterCounter.HealthCheckFailure);
        if (outcome == ProbeOutcome.Weak)
            Count(ClusterCounter.HealthCheckNetworkFailure);
        _successes = 0;
        _failures++;
        IsHealthy &= outcome != ProbeOutcome.Clear && _failures < Options.UnhealthyThreshold;
        _first = false;
        _host.SetFlag(HostFlags.ActiveCheckTimeout, timedOut && !IsHealthy);
        long unhealthy = Options.UnhealthyIntervalMicros > 0 ? Options.UnhealthyIntervalMicros : Options.IntervalMicros;
        Schedule(IsHealthy && Options.UnhealthyEdgeIntervalMicros > 0 ? Options.UnhealthyEdgeIntervalMicros : unhealthy, false);
        _checker.OnResult(_handle, _host, false, false);
    }

    // A cluster that nobody uses is asked less often. The edge intervals are those of a change that is coming, not of one that has come.
    private void Schedule(long interval, bool settled)
    {
        if (_stopped)
            return;
        bool used = false;
        foreach (ClusterCounters counters in _handle.Counters)
            used |= counters[ClusterCounter.UpstreamCxTotal] > 0;
        long wait = used ? interval : settled && Options.NoTrafficHealthyIntervalMicros > 0
            ? Options.NoTrafficHealthyIntervalMicros : Options.NoTrafficIntervalMicros;
        if (Options.IntervalJitterPercent > 0)
            wait += (long)(Loop.Chance.NextULong() % (ulong)Math.Max(1, wait * Options.IntervalJitterPercent / 100));
        if (Options.IntervalJitterMicros > 0)
            wait += (long)(Loop.Chance.NextULong() % (ulong)Options.IntervalJitterMicros);
        Loop.Arm(this, Math.Max(1000, wait));
    }

    private void OnTimeout()
    {
        if (_stopped)
            return;
        _probe?.Close();
        _probe = null;
        OnFailure(ProbeOutcome.Weak, timedOut: true);
    }

    private void Count(ClusterCounter counter) => _handle.MainCounters.Count(counter);

    private sealed class Patience(HostCheck check) : Deadline
    {
        protected internal override void OnDue(long now) => check.OnTimeout();
    }
}

/// <summary>A way to ask a host.</summary>
internal abstract class Probe
{
    /// <summary>It can ask once more.</summary>
    public abstract bool IsUsable { get; }

    /// <summary>Asks; the check hears the outcome, within its patience or not at all.</summary>
    public abstract void Send();

    /// <summary>Ends it; nothing is heard any more.</summary>
    public abstract void Close();
}
