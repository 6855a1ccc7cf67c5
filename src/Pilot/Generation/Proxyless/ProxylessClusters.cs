using Envoy.Config.Cluster.V3;
using Envoy.Config.Core.V3;
using Envoy.Extensions.TransportSockets.Tls.V3;
using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Generation.Clusters;
using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Scope;
using Lateen.Registry;
using TlsMode = Istio.Networking.V1Alpha3.ClientTLSSettings.Types.TLSmode;

namespace Lateen.Pilot.Generation.Proxyless;

/// <summary>Clusters of gRPC libraries: endpoints over ADS, the policies of DestinationRules that they know.</summary>
internal static class ProxylessClusters
{
    /// <summary>The clusters of the names.</summary>
    public static IEnumerable<Cluster> Build(ProxyScope scope, IReadOnlySet<string>? names)
    {
        foreach (var name in (names ?? new HashSet<string>()).Order(StringComparer.Ordinal))
        {
            if (ClusterNames.Parse(name) is not { Hostname.Length: > 0, Port: > 0 } parsed) continue;
            var cluster = ByEndpoints(name);
            var service = scope.Imports.Service(parsed.Hostname);
            var isKnown = service?.Ports.Any(port => port.Number == parsed.Port) == true;
            var rule = isKnown ? scope.Imports.DestinationRule(parsed.Hostname, scope.Labels)?.Rule.Spec : null;
            var subset = TrafficPolicies.SubsetOf(rule, parsed.Subset);
            // A subset that nobody declares is no cluster; a service that nobody knows is one without endpoints.
            if (parsed.Subset.Length > 0 && subset is null) continue;
            if (isKnown)
                Apply(cluster, TrafficPolicies.ForSubset(TrafficPolicies.ForPort(rule?.TrafficPolicy, parsed.Port), subset?.TrafficPolicy,
                    parsed.Port), scope, service!);
            yield return cluster;
        }
    }

    private static Cluster ByEndpoints(string name) => new()
    {
        Name = name,
        AltStatName = StatNames.Delimited(name),
        Type = Cluster.Types.DiscoveryType.Eds,
        EdsClusterConfig = new Cluster.Types.EdsClusterConfig
        {
            ServiceName = name,
            EdsConfig = new ConfigSource { Ads = new AggregatedConfigSource() },
        },
    };

    private static void Apply(Cluster cluster, TrafficPolicy? policy, ProxyScope scope, Service service)
    {
        // mTLS only where it is asked for: nothing tells whether the library at hand was told to use its credentials.
        if (policy?.Tls?.Mode == TlsMode.IstioMutual)
        {
            var names = OutboundInputs.Identities(scope.Snapshot.Settings, service, scope.Snapshot.Registry.EndpointsOf(service.Key));
            cluster.TransportSocket = new TransportSocket
            {
                Name = ProxylessTls.SocketName,
                TypedConfig = Wire.Pack(new UpstreamTlsContext { CommonTlsContext =
                    ProxylessTls.Context(names.Split('\n', StringSplitOptions.RemoveEmptyEntries)) }),
            };
        }
        if (policy?.LoadBalancer?.ConsistentHash is { } hash) LoadBalancing.ConsistentHash(cluster, hash);
    }
}
