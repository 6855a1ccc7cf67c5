using Istio.Mesh.V1Alpha1;
using Istio.Networking.V1Alpha3;

namespace Lateen.Pilot.Meaning;

/// <summary>Which traffic policy holds: mesh, destination, port, subset. Inputs are never changed.</summary>
public static class TrafficPolicies
{
    /// <summary>The policy of a port: its entry alone when there is one (nothing is inherited), else the policy itself.</summary>
    public static TrafficPolicy? ForPort(TrafficPolicy? policy, int port) => ForPort(policy, port, out _);

    /// <summary>The policy of a subset's port: each group of settings that the subset has replaces that of the destination.</summary>
    public static TrafficPolicy? ForSubset(TrafficPolicy? destination, TrafficPolicy? subset, int port)
    {
        var original = ForPort(destination, port);
        if (subset is null) return original;
        var own = ForPort(subset, port, out var isPortLevel);
        if (original is null || own is null) return own ?? original;
        var merged = Copy(original);
        if (own.ConnectionPool is not null || isPortLevel) merged.ConnectionPool = own.ConnectionPool;
        if (own.OutlierDetection is not null || isPortLevel) merged.OutlierDetection = own.OutlierDetection;
        if (own.LoadBalancer is not null || isPortLevel) merged.LoadBalancer = own.LoadBalancer;
        if (own.Tls is not null || isPortLevel) merged.Tls = own.Tls;
        if (own.Tunnel is not null) merged.Tunnel = own.Tunnel;
        if (own.ProxyProtocol is not null) merged.ProxyProtocol = own.ProxyProtocol;
        if (own.RetryBudget is not null) merged.RetryBudget = own.RetryBudget;
        return merged;
    }

    /// <summary>The policy with the mesh's defaults where it says nothing.</summary>
    public static TrafficPolicy? WithDefaults(TrafficPolicy? policy, MeshConfig.Types.DefaultTrafficPolicy? defaults)
    {
        if (defaults?.ConnectionPool is null && defaults?.OutlierDetection is null) return policy;
        var merged = policy is null ? new TrafficPolicy() : Copy(policy);
        merged.ConnectionPool ??= defaults.ConnectionPool;
        merged.OutlierDetection ??= defaults.OutlierDetection;
        return merged;
    }

    /// <summary>The subset of this name, or null.</summary>
    public static Subset? SubsetOf(DestinationRule? rule, string name)
    {
        if (rule is null || name.Length == 0) return null;
        foreach (var subset in rule.Subsets)
        {
            if (subset.Name == name) return subset;
        }
        return null;
    }

    private static TrafficPolicy? ForPort(TrafficPolicy? policy, int port, out bool isPortLevel)
    {
        isPortLevel = false;
        if (policy is null) return null;
        foreach (var entry in policy.PortLevelSettings)
        {
            if (entry.Port?.Number != port) continue;
            isPortLevel = true;
            return new TrafficPolicy
            {
                ConnectionPool = entry.ConnectionPool,
                LoadBalancer = entry.LoadBalancer,
                OutlierDetection = entry.OutlierDetection,
                Tls = entry.Tls,
            };
        }
        return policy;
    }

    private static TrafficPolicy Copy(TrafficPolicy policy) => new()
    {
        ConnectionPool = policy.ConnectionPool,
        LoadBalancer = policy.LoadBalancer,
        OutlierDetection = policy.OutlierDetection,
        Tls = policy.Tls,
        Tunnel = policy.Tunnel,
        ProxyProtocol = policy.ProxyProtocol,
        RetryBudget = policy.RetryBudget,
    };
}
