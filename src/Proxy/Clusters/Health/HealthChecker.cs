using Lateen.Proxy.Net;

namespace Lateen.Proxy.Clusters.Health;

/// <summary>Runs the active checks of all clusters on the main loop: one <see cref="HostCheck"/> for each host and check. A host is fit
/// while all of its checks say so.</summary>
internal sealed class HealthChecker(ClusterDirectory directory, EventLoop main)
{
    private readonly Dictionary<ClusterHandle, Dictionary<Host, HostCheck[]>> _checks = [];

    /// <summary>The loop.</summary>
    public EventLoop Loop => main;

    /// <summary>A cluster has another picture: new hosts are checked, those that left are not any more.</summary>
    public void Follow(ClusterHandle handle, ClusterView? view)
    {
        IReadOnlyList<HealthCheckOptions> wanted = view?.Cluster.HealthChecks ?? [];
        if (!_checks.TryGetValue(handle, out Dictionary<Host, HostCheck[]>? known))
        {
            if (wanted.Count == 0)
                return;
            _checks[handle] = known = [];
        }
        HashSet<Host> hosts = wanted.Count == 0 ? [] : [.. view!.Hosts.All.Where(h => !h.Endpoint.NoHealthCheck)];
        foreach (Host gone in known.Keys.Where(h => !hosts.Contains(h) || !ReferenceEquals(known[h][0].Options, wanted[0])).ToArray())
        {
            foreach (HostCheck check in known[gone])
                check.Stop();
            known.Remove(gone);
        }
        foreach (Host host in hosts.Where(h => !known.ContainsKey(h)))
        {
            known[host] = [.. wanted.Select(o => new HostCheck(this, handle, host, o))];
            foreach (HostCheck check in known[host])
                check.Begin();
        }
        if (known.Count == 0)
            _checks.Remove(handle);
    }

    /// <summary>A host says in an answer that it is not to be used any more. One that is not checked could never come back: it
    /// stays.</summary>
    public void OnSaidUnfit(ClusterHandle handle, Host host)
    {
        if (!_checks.TryGetValue(handle, out Dictionary<Host, HostCheck[]>? known) || !known.TryGetValue(host, out HostCheck[]? checks))
            return;
        host.SetFlag(HostFlags.ExcludedByImmediateFailure, true);
        foreach (HostCheck check in checks)
            check.Fail();
    }

    /// <summary>A check came to a result; the host's flags follow from all of its checks.</summary>
    public void OnResult(ClusterHandle handle, Host host, bool succeeded, bool degraded)
    {
        if (!_checks.TryGetValue(handle, out Dictionary<Host, HostCheck[]>? known) || !known.TryGetValue(host, out HostCheck[]? checks))
            return;
        bool fit = checks.All(c => c.IsHealthy);
        bool changed = host.SetFlag(HostFlags.FailedActiveCheck, !fit);
        if (succeeded)
            changed |= host.SetFlag(HostFlags.DegradedActiveCheck, degraded);
        if (changed && fit)
            host.AddedAt = main.Now;
        changed |= host.SetFlag(HostFlags.PendingActiveCheck, false);
        if (fit)
            changed |= host.SetFlag(HostFlags.ActiveCheckTimeout | HostFlags.ExcludedByImmediateFailure, false);
        if (succeeded && fit)
            directory.Outliers.OnCheckSucceeded(handle, host);

        // Discovery let it go while its checks were good; now they are not.
        if (!fit && (host.Flags & HostFlags.PendingDynamicRemoval) != 0)
            directory.Forget(handle, host);
        else if (changed)
            directory.Redraw(handle);
    }
}
