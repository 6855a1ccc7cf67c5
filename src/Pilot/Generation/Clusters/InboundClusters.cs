using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Envoy.Config.Cluster.V3;
using Envoy.Config.Endpoint.V3;
using Google.Protobuf.WellKnownTypes;
using Istio.Mesh.V1Alpha1;
using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Generation.Endpoints;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Scope;
using Lateen.Registry;
using ServicePort = Lateen.Registry.ServicePort;

namespace Lateen.Pilot.Generation.Clusters;

/// <summary>Clusters of the workload's own ports, each with the services that end there.</summary>
internal static class InboundClusters
{
    private static readonly Duration Never = new() { Seconds = 9_223_372_035 };

    public static IEnumerable<(Cluster Cluster, IReadOnlyList<Service> Services)> Build(ProxyScope scope, ClusterClient client)
    {
        var ingress = scope.Imports.Sidecar?.Spec.Ingress;
        if (ingress is null || ingress.Count == 0)
        {
            // Without capture the proxy would listen where the application does.
            if (scope.Node.Metadata.Interception == InterceptionMode.None) yield break;
            foreach (var made in OfServices(scope, client, [])) yield return made;
            yield break;
        }
        if (scope.Snapshot.Settings.Features.MergeServiceInbound)
        {
            foreach (var made in OfServices(scope, client, [.. ingress.Select(listener => (int)listener.Port.Number)])) yield return made;
        }
        foreach (var listener in ingress)
        {
            if (OfIngress(scope, client, listener) is { } made) yield return made;
        }
    }

    private static IEnumerable<(Cluster, IReadOnlyList<Service>)> OfServices(ProxyScope scope, ClusterClient client, HashSet<int> declared)
    {
        var isPassthrough = scope.Snapshot.Settings.Mesh.InboundTrafficPolicy?.Mode is null
            or MeshConfig.Types.InboundTrafficPolicy.Types.Mode.Passthrough;
        var bind = isPassthrough ? "" : client.SupportsIPv4 ? "127.0.0.1" : "::1";
        foreach (var group in scope.AllTargets.GroupBy(target => target.TargetPort).OrderBy(group => group.Key))
        {
            if (declared.Contains(group.Key)) continue;
            var targets = group.ToList();
            yield return (Build(scope, client, group.Key, bind, group.Key, targets), [.. targets.Select(target => target.Service)]);
        }
    }

    private static (Cluster, IReadOnlyList<Service>)? OfIngress(ProxyScope scope, ClusterClient client, IstioIngressListener listener)
    {
        if (listener.Port is null || Endpoint(scope.Node, client, listener.DefaultEndpoint) is not var (address, port)) return null;
        var number = (int)listener.Port.Number;
        var real = scope.Targets.FirstOrDefault(target => target.TargetPort == number)?.Service;
        var sidecar = scope.Imports.Sidecar!.Origin;
        // Nobody's port still needs a service to be named after.
        var service = real ?? new Service
        {
            Hostname = $"{sidecar.Name}.{sidecar.Namespace}",
            Name = sidecar.Name,
            Namespace = sidecar.Namespace,
            Source = ServiceSource.ServiceEntry,
            Resolution = ServiceResolution.ClientSide,
            MeshExternal = true,
        };
        var servicePort = new ServicePort(listener.Port.Name, number, Protocols.Parse(listener.Port.Protocol));
        var target = new ServiceTarget(service, servicePort, port);
        return (Build(scope, client, number, address, port, [target]), [service]);
    }

    private static Cluster Build(ProxyScope scope, ClusterClient client, int clusterPort, string bind, int port,
        List<ServiceTarget> targets)
    {
        var first = targets[0];
        var settings = scope.Snapshot.Settings;
        var name = ClusterNames.Inbound(clusterPort);
        var cluster = new Cluster
        {
            Name = name,
            Type = bind.Length > 0 ? Cluster.Types.DiscoveryType.Static : Cluster.Types.DiscoveryType.OriginalDst,
            CommonLbConfig = new(),
            AltStatName = StatNames.Delimited(name),
        };
        if (bind.Length > 0) cluster.LoadAssignment = Local(name, bind, port);
        else cluster.CleanupInterval = Never;
        var draft = new ClusterDraft { Cluster = cluster };
        OutboundClusters.UpstreamProtocol(draft, first.Port.Protocol, client.IsSidecar, client.PreservesHeaderCase);
        if (!first.Service.MeshExternal && settings.Features.TelemetryLabels)
        {
            var named = targets.Where(target => target.Port.Number == first.Port.Number).Select(target => target.Service);
            ClusterMetadata.Services(cluster, named);
        }
        var pattern = settings.Mesh.InboundClusterStatName;
        if (pattern.Length > 0)
            cluster.AltStatName = StatNames.Delimited(StatNames.Expand(pattern, first.Service, "", first.Port, clusterPort));
        ApplyPolicy(scope, draft, first, clusterPort);
        if (bind is not "127.0.0.1" and not "::1")
        {
            cluster.UpstreamBindConfig = FixedClusters.SourceAddress(client.SupportsIPv4,
                client.SupportsIPv6 && (settings.Features.DualStack || !client.SupportsIPv4));
        }
        return draft.Finish();
    }

    // Circuit breakers hold on the server's side, too; the Sidecar's over the rule's.
    private static void ApplyPolicy(ProxyScope scope, ClusterDraft draft, ServiceTarget target, int clusterPort)
    {
        var mesh = scope.Snapshot.Settings.Mesh;
        var rule = scope.Imports.DestinationRule(target.Service.Hostname, null);
        TrafficPolicy? policy = null;
        if (rule?.Rule.Spec.TrafficPolicy is { } ofRule)
        {
            policy = TrafficPolicies.ForPort(ofRule, target.Port.Number);
            if (draft.Cluster.Metadata is not null) ClusterMetadata.Config(draft.Cluster, rule.Rule.Origin);
        }
        policy = TrafficPolicies.WithDefaults(policy, mesh.DefaultTrafficPolicy);
        var pool = SidecarPool(scope.Imports.Sidecar?.Spec, clusterPort) ?? policy?.ConnectionPool;
        ConnectionPools.Apply(draft, mesh, pool, policy?.RetryBudget);
        if (draft.IsOriginalDestination) draft.Cluster.LbPolicy = Cluster.Types.LbPolicy.ClusterProvided;
    }

    private static ConnectionPoolSettings? SidecarPool(Sidecar? sidecar, int port)
    {
        if (sidecar is null) return null;
        foreach (var listener in sidecar.Ingress)
        {
            if (listener.Port?.Number == port && listener.ConnectionPool is not null) return listener.ConnectionPool;
        }
        return sidecar.InboundConnectionPool;
    }

    private static ClusterLoadAssignment Local(string name, string bind, int port) => new()
    {
        ClusterName = name,
        Endpoints =
        {
            new LocalityLbEndpoints { LbEndpoints =
                { new LbEndpoint { Endpoint = new() { Address = WireEndpoints.AddressOf(bind, port) } } } },
        },
    };

    /// <summary>Where a Sidecar's defaultEndpoint leads: nothing means the original destination; null means that it can't be
    /// read.</summary>
    private static (string Address, int Port)? Endpoint(ProxyNode node, ClusterClient client, string endpoint)
    {
        if (endpoint.Length == 0) return ("", 0);
        if (endpoint.StartsWith("unix://", StringComparison.Ordinal)) return (endpoint, 0);
        var colon = endpoint.LastIndexOf(':');
        if (colon < 0 || !int.TryParse(endpoint.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port))
            return null;
        var address = endpoint[..colon].Trim('[', ']') switch
        {
            "0.0.0.0" => OwnAddress(node, AddressFamily.InterNetwork) ?? "127.0.0.1",
            "::" => OwnAddress(node, AddressFamily.InterNetworkV6) ?? "::1",
            "127.0.0.1" => client.SupportsIPv4 ? "127.0.0.1" : "::1",
            "::1" => client.SupportsIPv6 ? "::1" : "127.0.0.1",
            _ => "",
        };
        return (address, port);
    }

    private static string? OwnAddress(ProxyNode node, AddressFamily family) =>
        node.Addresses.FirstOrDefault(address => IPAddress.TryParse(address, out var parsed) && parsed.AddressFamily == family);
}
