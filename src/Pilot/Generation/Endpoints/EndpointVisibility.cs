using Lateen.Pilot.Meaning;
using Lateen.Registry;

namespace Lateen.Pilot.Generation.Endpoints;

/// <summary>Which endpoints of a service a client gets.</summary>
internal sealed class EndpointVisibility
{
    private readonly EndpointInputs _inputs;
    private readonly bool _isClusterLocal;
    private readonly bool _sendsUnhealthy;
    private readonly string[] _networks;

    private EndpointVisibility(EndpointInputs inputs)
    {
        _inputs = inputs;
        _isClusterLocal = ClusterLocality.IsLocal(inputs.Settings, inputs.Service.Hostname);
        _sendsUnhealthy = SendsUnhealthy(inputs.Service, inputs.Settings, inputs.Rule, inputs.Port, inputs.Subset);
        _networks = inputs.Client.NetworkView.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    public static EndpointVisibility For(EndpointInputs inputs) => new(inputs);

    /// <summary>Whether clients get endpoints that are not ready: then Envoy knows how much of the service is healthy.</summary>
    public static bool SendsUnhealthy(Service service, MeshSettings settings, MergedDestinationRule? rule, int port, string subset)
    {
        if (settings.Features.SendUnhealthy || service.PersistentSession is not null) return true;
        if (!settings.Features.AutoSendUnhealthy) return false;
        var spec = rule?.Rule.Spec;
        var policy = TrafficPolicies.ForSubset(spec?.TrafficPolicy, TrafficPolicies.SubsetOf(spec, subset)?.TrafficPolicy, port);
        return !(policy?.OutlierDetection?.MinHealthPercent > 0);
    }

    public bool Includes(Endpoint endpoint)
    {
        var client = _inputs.Client;
        if (_inputs.Service.NodeLocal && endpoint.NodeName != client.NodeName) return false;
        if ((_isClusterLocal || client.StaysInCluster || _inputs.Service.NodeLocal) && endpoint.ClusterId != client.ClusterId) return false;
        if (_networks.Length > 0 && endpoint.Network.Length > 0 && !_networks.Contains(endpoint.Network)) return false;
        if (endpoint.Address.Length == 0 && (client.Gateways.IsEmpty || NetworkGateways.IsSame(client.Network, endpoint.Network)))
            return false;
        return endpoint.Health switch
        {
            EndpointHealth.Unhealthy => _sendsUnhealthy,
            EndpointHealth.Terminating => false,
            EndpointHealth.Draining => _inputs.Service.PersistentSession is not null,
            _ => true,
        };
    }
}

/// <summary>Which services stay inside their cluster.</summary>
internal static class ClusterLocality
{
    /// <summary>By the mesh's service settings, the most specific host first; Kubernetes' own services are local unless said
    /// otherwise.</summary>
    public static bool IsLocal(MeshSettings settings, string hostname)
    {
        var found = false;
        var length = -1;
        foreach (var (pattern, isLocal) in Patterns(settings))
        {
            if (!Matches(pattern, hostname)) continue;
            var specificity = pattern.StartsWith('*') ? pattern.Length : int.MaxValue;
            if (specificity < length) continue;
            length = specificity;
            found = isLocal;
        }
        return found;
    }

    private static IEnumerable<(string Pattern, bool IsLocal)> Patterns(MeshSettings settings)
    {
        yield return ($"*.kube-system.svc.{settings.DomainSuffix}", true);
        yield return ($"kubernetes.default.svc.{settings.DomainSuffix}", true);
        yield return ($"istiod.{settings.RootNamespace}.svc.{settings.DomainSuffix}", true);
        foreach (var entry in settings.Mesh.ServiceSettings)
        {
            foreach (var host in entry.Hosts) yield return (host, entry.Settings?.ClusterLocal == true);
        }
    }

    private static bool Matches(string pattern, string hostname) => pattern.StartsWith('*')
        ? hostname.EndsWith(pattern[1..], StringComparison.Ordinal)
        : pattern == hostname;
}
