// Health: which hosts are fit, decided once a process on the main loop: outlier detection by what requests came to, active checks by
// asking. Workers only count (atomically) and post a letter where a threshold is passed; an ejection redraws the cluster's picture, which
// workers then see. Time comes from the main loop, chance too.
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Clusters.Health;

/// <summary>Ejects hosts of all clusters that ask for it. One a process, on the main loop.</summary>
public sealed class OutlierDetector
{
    private readonly ClusterDirectory _directory;
    private readonly EventLoop _main;
    private readonly Dictionary<ClusterHandle, Watch> _watches = [];

    internal OutlierDetector(ClusterDirectory directory, EventLoop main)
    {
        _directory = directory;
        _main = main;
    }

    /// <summary>Told of ejections and returns: cluster, host, true for ejected, and by what kind.</summary>
    public Action<ClusterHandle, Host, bool, string>? Ejected { get; set; }

    /// <summary>A worker saw an answer.</summary>
    public void OnStatus(ClusterHandle handle, OutlierOptions options, Host host, int status)
    {
        if (host.Outlier is not { } record)
            return;
        Interlocked.Increment(ref record.RequestTotal);
        if (status < 500)
        {
            Interlocked.Increment(ref record.RequestSuccess);
            Volatile.Write(ref record.Consecutive5xxCount, 0);
            Volatile.Write(ref record.ConsecutiveGatewayCount, 0);
            return;
        }
        if (status is >= 502 and <= 504)
        {
            if (Interlocked.Increment(ref record.ConsecutiveGatewayCount) == options.ConsecutiveGatewayFailure)
                Post(handle, host, EjectionKind.Gateway);
        }
        else
        {
            Volatile.Write(ref record.ConsecutiveGatewayCount, 0);
        }
        if (Interlocked.Increment(ref record.Consecutive5xxCount) == options.Consecutive5xx)
            Post(handle, host, EjectionKind.Consecutive5xx);
    }

    /// <summary>A worker's own attempt succeeded or failed before any answer (connect, reset, time). Without the split such a success
    /// counts as an answer: only who gets no other may tell of it.</summary>
    public void OnLocal(ClusterHandle handle, OutlierOptions options, Host host, bool success, int asStatus)
    {
        if (host.Outlier is not { } record)
            return;
        if (!options.SplitLocalOrigin)
        {
            OnStatus(handle, options, host, success ? 200 : asStatus);
            return;
        }
        Interlocked.Increment(ref record.LocalTotal);
        if (success)
        {
            Interlocked.Increment(ref record.LocalSuccess);
            Volatile.Write(ref record.ConsecutiveLocalCount, 0);
        }
        else if (Interlocked.Increment(ref record.ConsecutiveLocalCount) == options.ConsecutiveLocalOriginFailure)
        {
            Post(handle, host, EjectionKind.Local);
        }
    }

    internal void Follow(ClusterHandle handle, ClusterView? view)
    {
        if (view?.Cluster.Outlier is { } options)
        {
            if (!_watches.TryGetValue(handle, out Watch? watch))
            {
                _watches[handle] = watch = new Watch(this, handle);
                _main.Arm(watch, options.IntervalMicros);
            }
        }
        else if (_watches.Remove(handle, out Watch? old))
        {
            _main.Disarm(old);
        }
    }

    private void Post(ClusterHandle handle, Host host, EjectionKind kind) => _main.Post(new Detection(this, handle, host, kind));

    // ---- on the main loop

    private void OnDetected(ClusterHandle handle, Host host, EjectionKind kind)
    {
        if (handle.Current is not { Cluster.Outlier: { } options } view || host.Outlier is not { } record
            || (host.Flags & HostFlags.FailedOutlierCheck) != 0)
            return;
        ClusterCounters counters = handle.MainCounters;
        switch (kind)
        {
            case EjectionKind.Consecutive5xx:
                counters.Count(ClusterCounter.OutlierEjectionsDetectedConsecutive5xx);
                counters.Count(ClusterCounter.OutlierEjectionsConsecutive5xx);
                Volatile.Write(ref record.Consecutive5xxCount, 0);
                break;
            case EjectionKind.Gateway:
                counters.Count(ClusterCounter.OutlierEjectionsDetectedConsecutiveGatewayFailure);
                Volatile.Write(ref record.ConsecutiveGatewayCount, 0);
                break;
            case EjectionKind.Local:
                counters.Count(ClusterCounter.OutlierEjectionsDetectedConsecutiveLocalOriginFailure);
                Volatile.Write(ref record.ConsecutiveLocalCount, 0);
                break;
        }
        TryEject(handle, view, options, host, record, kind);
    }

    private void TryEject(ClusterHandle handle, ClusterView view, OutlierOptions options, Host host, OutlierRecord record,
        EjectionKind kind)
    {
        if ((host.Flags & HostFlags.FailedOutlierCheck) != 0)
            return;
        ClusterCounters counters = handle.MainCounters;
        int ejected = view.Hosts.All.Count(h => (h.Flags & HostFlags.FailedOutlierCheck) != 0);

        // The share counts with this host in it: 10 % of two hosts is none, unless one may always go (observed).
        bool fits = 100.0 * (ejected + 1) / view.Hosts.All.Length <= options.MaxEjectionPercent;
        if (!fits && !(options.AlwaysEjectOneHost && ejected == 0))
        {
            counters.Count(ClusterCounter.OutlierEjectionsOverflow);
            return;
        }
        // Older than the other kinds, and kept as it was.
        if (kind is EjectionKind.Consecutive5xx or EjectionKind.SuccessRate)
            counters.Count(ClusterCounter.OutlierEjectionsTotal);
        if (!_main.Chance.Hits(Enforcing(options, kind), 100))
            return;
        counters.Count(ClusterCounter.OutlierEjectionsEnforcedTotal);
        counters.Count(Enforced(kind));
        record.EjectedAt = _main.Now;
        record.JitterMicros = options.MaxEjectionJitterMicros > 0
            ? (long)(_main.Chance.NextULong() % (ulong)options.MaxEjectionJitterMicros) : 0;
        if (record.EjectTimes * options.BaseEjectionMicros < options.MaxEjectionMicros + options.BaseEjectionMicros)
            record.EjectTimes++;
        record.Ejections++;
        host.SetFlag(HostFlags.FailedOutlierCheck, true);
        Ejected?.Invoke(handle, host, true, kind.ToString());
        _directory.Redraw(handle);
    }

    /// <summary>An active check succeeded: its word counts more than what requests came to.</summary>
    internal void OnCheckSucceeded(ClusterHandle handle, Host host)
    {
        if (handle.Current?.Cluster.Outlier is { SuccessfulCheckUnejects: true } && host.Outlier is { } record
            && (host.Flags & HostFlags.FailedOutlierCheck) != 0)
        {
            Return(handle, host, record);
            _directory.Redraw(handle);
        }
    }

    private void Return(ClusterHandle handle, Host host, OutlierRecord record)
    {
        host.SetFlag(HostFlags.FailedOutlierCheck, false);
        record.UnejectedAt = _main.Now;
        host.AddedAt = _main.Now;
        Volatile.Write(ref record.Consecutive5xxCount, 0);
        Volatile.Write(ref record.ConsecutiveGatewayCount, 0);
        Volatile.Write(ref record.ConsecutiveLocalCount, 0);
        Ejected?.Invoke(handle, host, false, "");
    }

    private void OnInterval(ClusterHandle handle, Watch watch)
    {
        if (handle.Current is not { Cluster.Outlier: { } options } view)
            return;
        bool changed = false;
        foreach (Host host in view.Hosts.All)
        {
            if (host.Outlier is not { } record)
                continue;
            if ((host.Flags & HostFlags.FailedOutlierCheck) == 0)
            {
                if (record.EjectTimes > 0 && record.EjectedAt != 0 && _main.Now - record.UnejectedAt >= options.IntervalMicros)
                    record.EjectTimes--;
                continue;
            }
            long time = Math.Min(record.EjectTimes * options.BaseEjectionMicros,
                Math.Max(options.MaxEjectionMicros, options.BaseEjectionMicros)) + record.JitterMicros;
            if (_main.Now - record.EjectedAt >= time)
            {
                Return(handle, host, record);
                changed = true;
            }
        }
        SuccessRates.Look(this, handle, view, options);
        if (changed)
            _directory.Redraw(handle);
        _main.Arm(watch, options.IntervalMicros);
    }

    internal void EjectByRate(ClusterHandle handle, OutlierOptions options, Host host, EjectionKind kind)
    {
        if (kind is EjectionKind.SuccessRate or EjectionKind.LocalSuccessRate)
            handle.MainCounters.Count(ClusterCounter.OutlierEjectionsSuccessRate);
        handle.MainCounters.Count(kind switch
        {
            EjectionKind.SuccessRate => ClusterCounter.OutlierEjectionsDetectedSuccessRate,
            EjectionKind.LocalSuccessRate => ClusterCounter.OutlierEjectionsDetectedLocalOriginSuccessRate,
            EjectionKind.LocalFailurePercentage => ClusterCounter.OutlierEjectionsDetectedLocalOriginFailurePercentage,
            _ => ClusterCounter.OutlierEjectionsDetectedFailurePercentage,
        });
        if (handle.Current is { } view && host.Outlier is { } record)
            TryEject(handle, view, options, host, record, kind);
    }

    private static uint Enforcing(OutlierOptions o, EjectionKind kind) => kind switch
    {
        EjectionKind.Consecutive5xx => o.EnforcingConsecutive5xx,
        EjectionKind.Gateway => o.EnforcingConsecutiveGatewayFailure,
        EjectionKind.Local => o.EnforcingConsecutiveLocalOriginFailure,
        EjectionKind.SuccessRate => o.EnforcingSuccessRate,
        EjectionKind.LocalSuccessRate => o.EnforcingLocalOriginSuccessRate,
        EjectionKind.FailurePercentage => o.EnforcingFailurePercentage,
        _ => o.EnforcingFailurePercentageLocalOrigin,
    };

    private static ClusterCounter Enforced(EjectionKind kind) => kind switch
    {
        EjectionKind.Consecutive5xx => ClusterCounter.OutlierEjectionsEnforcedConsecutive5xx,
        EjectionKind.Gateway => ClusterCounter.OutlierEjectionsEnforcedConsecutiveGatewayFailure,
        EjectionKind.Local => ClusterCounter.OutlierEjectionsEnforcedConsecutiveLocalOriginFailure,
        EjectionKind.SuccessRate => ClusterCounter.OutlierEjectionsEnforcedSuccessRate,
        EjectionKind.LocalSuccessRate => ClusterCounter.OutlierEjectionsEnforcedLocalOriginSuccessRate,
        EjectionKind.LocalFailurePercentage => ClusterCounter.OutlierEjectionsEnforcedLocalOriginFailurePercentage,
        _ => ClusterCounter.OutlierEjectionsEnforcedFailurePercentage,
    };

    private sealed class Watch(OutlierDetector detector, ClusterHandle handle) : Deadline
    {
        protected internal override void OnDue(long now) => detector.OnInterval(handle, this);
    }

    private sealed class Detection(OutlierDetector detector, ClusterHandle handle, Host host, EjectionKind kind) : Letter
    {
        protected internal override void Deliver() => detector.OnDetected(handle, host, kind);
    }
}

/// <summary>By what a host was ejected.</summary>
internal enum EjectionKind : byte
{
    Consecutive5xx,
    Gateway,
    Local,
    SuccessRate,
    LocalSuccessRate,
    FailurePercentage,
    LocalFailurePercentage,
}

/// <summary>Looks at the success rates of one interval: hosts far below the mean, or failing too often, are ejected.</summary>
internal static class SuccessRates
{
    public static void Look(OutlierDetector detector, ClusterHandle handle, ClusterView view, OutlierOptions options)
    {
        Look(detector, handle, view, options, false);
        if (options.SplitLocalOrigin)
            Look(detector, handle, view, options, true);
    }

    private static void Look(OutlierDetector detector, ClusterHandle handle, ClusterView view, OutlierOptions options, bool local)
    {
        var rated = new List<(Host Host, double Rate)>();
        var failing = new List<(Host Host, double Rate)>();
        bool manyHosts = view.Hosts.All.Length >= Math.Min(options.SuccessRateMinimumHosts, options.FailurePercentageMinimumHosts);
        foreach (Host host in view.Hosts.All)
        {
            if (host.Outlier is not { } record)
                continue;
            long total = Interlocked.Exchange(ref local ? ref record.LocalTotal : ref record.RequestTotal, 0);
            long success = Interlocked.Exchange(ref local ? ref record.LocalSuccess : ref record.RequestSuccess, 0);
            bool counts = total > 0 && manyHosts && (host.Flags & HostFlags.FailedOutlierCheck) == 0;
            double rate = counts ? 100.0 * success / total : -1;
            double told = total >= Math.Min(options.SuccessRateRequestVolume, options.FailurePercentageRequestVolume) ? rate : -1;
            if (local)
                record.LocalSuccessRate = told;
            else
                record.SuccessRate = told;
            if (counts && total >= options.SuccessRateRequestVolume)
                rated.Add((host, rate));
            if (counts && total >= options.FailurePercentageRequestVolume)
                failing.Add((host, rate));
        }
        EjectBelowMean(detector, handle, options, rated, local);
        if (failing.Count > 0 && failing.Count >= options.FailurePercentageMinimumHosts)
        {
            foreach ((Host host, double rate) in failing)
            {
                if (100.0 - rate >= options.FailurePercentageThreshold)
                    detector.EjectByRate(handle, options, host,
                        local ? EjectionKind.LocalFailurePercentage : EjectionKind.FailurePercentage);
            }
        }
    }

    private static void EjectBelowMean(OutlierDetector detector, ClusterHandle handle, OutlierOptions options,
        List<(Host Host, double Rate)> rated, bool local)
    {
        if (rated.Count < options.SuccessRateMinimumHosts || rated.Count == 0)
            return;
        double mean = rated.Average(r => r.Rate);
        double deviation = Math.Sqrt(rated.Sum(r => (r.Rate - mean) * (r.Rate - mean)) / rated.Count);
        double threshold = mean - options.SuccessRateStdevFactor / 1000.0 * deviation;
        foreach ((Host host, double rate) in rated)
        {
            if (rate < threshold)
                detector.EjectByRate(handle, options, host, local ? EjectionKind.LocalSuccessRate : EjectionKind.SuccessRate);
        }
    }
}
