using System.Runtime.CompilerServices;
using Envoy.Config.Cluster.V3;
using Lateen.Pilot.Generation.Endpoints;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Generation.Patches;
using Lateen.Pilot.Generation.Proxyless;
using Lateen.Pilot.Generation.Waypoints;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Scope;
using Lateen.Pilot.Scope.Gateways;
using Lateen.Registry;
using PatchContext = Istio.Networking.V1Alpha3.EnvoyFilter.Types.PatchContext;

namespace Lateen.Pilot.Generation.Clusters;

/// <summary>CDS: all clusters of a proxy.</summary>
public sealed class ClusterGenerator : IResourceGenerator
{
    private static readonly IReadOnlyList<Service> NoServices = [];

    private sealed record OwnClusters(OwnInputs Inputs, object Line, ResourceSet All);

    private readonly GenerationCache<OutboundClusterInputs, IReadOnlyList<WireResource>> _outbound = new();
    private readonly GenerationCache<(ClientGroup Group, MergedGateway? Gateway), IReadOnlyList<WireResource>> _groups = new();
    private readonly GenerationCache<ClientGroup, OutboundSet> _shared = new();
    private readonly GenerationCache<(ClientKind Kind, ClusterClient Client), OutboundSet> _kinds = new();
    private readonly ConditionalWeakTable<ProxyNode, OwnClusters> _own = [];
    private readonly GenerationCache<(WireResource Resource, ClusterPatches Patches), WireResource?> _patched = new();

    /// <inheritdoc/>
    public string TypeUrl => TypeUrls.Cluster;

    /// <inheritdoc/>
    public void BeginSnapshot()
    {
        _outbound.Turn();
        _groups.Turn();
        _shared.Turn();
        _kinds.Turn();
        _patched.Turn();
    }

    /// <inheritdoc/>
    public IReadOnlyList<WireResource> Generate(ProxyScope scope, IReadOnlySet<string>? names)
    {
        if (scope.Node.IsProxylessGrpc())
            return ProxylessClusters.Build(scope, names).Select(static cluster => WireResource.Unchecked(cluster.Name, cluster)).ToList();
        var client = ClientOf(scope);
        var patches = ProxyPatches.Of(scope);
        if (scope.Node.Type == ProxyType.Sidecar && patches.IsEmpty)
        {
            var set = OfSidecar(scope, client);
            return names is null ? set : set.Where(resource => names.Contains(resource.Name)).ToList();
        }
        return FirstOfEachName(patches.Sound(some => Make(scope, client, some)), names);
    }

    private List<WireResource> Make(ProxyScope scope, ClusterClient client, ProxyPatches patches)
    {
        var context = scope.Node.Type switch
        {
            ProxyType.Router => PatchContext.Gateway,
            ProxyType.Waypoint => PatchContext.Waypoint,
            _ => PatchContext.SidecarOutbound,
        };
        var outward = patches.Clusters(context);
        // What a gateway is sent depends on its servers, too; these are its own.
        var outbound = scope.Node.Type == ProxyType.Waypoint
            ? Outbound(scope, client) : _groups.GetOrMake((ClientGroup.Of(scope), scope.Gateway), _ => Outbound(scope, client));
        var made = new List<WireResource>(outbound.Count + 8);
        if (outward.IsEmpty) made.AddRange(outbound);
        else made.AddRange(outbound.Select(resource => _patched.GetOrMake((resource, outward), Patched)).OfType<WireResource>());
        Add(made, Fixed(scope, client).Select(static cluster => (cluster, NoServices)), outward);
        Add(made, outward.Added().Select(static cluster => (cluster, NoServices)), null);
        if (scope.Node.Type == ProxyType.Sidecar)
        {
            var inward = patches.Clusters(PatchContext.SidecarInbound);
            Add(made, inward.Added().Select(static cluster => (cluster, NoServices)), null);
            Add(made, Inbound(scope, client), inward);
        }
        Add(made, Tunnels(scope, client).Select(static cluster => (cluster, NoServices)), null);
        return made;
    }

    // Outbound clusters are made for all of a kind, the rest for each, and anew only when something changed in what it is made of.
    private ResourceSet OfSidecar(ProxyScope scope, ClusterClient client)
    {
        var outbound = _shared.GetOrMake(ClientGroup.Of(scope),
            group => _kinds.GetOrMake((ClientKind.Of(group), client), _ => new OutboundSet(inputs => _outbound.GetOrMake(inputs, Make))))
            .For(scope, client);
        var isKnown = _own.TryGetValue(scope.Node, out var before);
        var isStill = isKnown && ReferenceEquals(before!.Line, scope.Line);
        if (isStill && ReferenceEquals(before!.All.Shared, outbound)) return before.All;
        var inputs = isStill ? before!.Inputs : OwnInputs.Of(scope);
        var known = isKnown && before!.Inputs.Equals(inputs) ? before.All.Own : null;
        var set = known is not null && ReferenceEquals(before!.All.Shared, outbound)
            ? before.All : ResourceSet.OfDistinct(outbound, known ?? OwnOf(scope, client));
        _own.AddOrUpdate(scope.Node, new OwnClusters(inputs, scope.Line, set));
        return set;
    }

    private static List<WireResource> OwnOf(ProxyScope scope, ClusterClient client)
    {
        var made = new List<WireResource>();
        Add(made, Fixed(scope, client).Select(static cluster => (cluster, NoServices)), null);
        Add(made, Inbound(scope, client), null);
        Add(made, Tunnels(scope, client).Select(static cluster => (cluster, NoServices)), null);
        return FirstOfEachName(made, null);
    }

    private static void Add(List<WireResource> made, IEnumerable<(Cluster Cluster, IReadOnlyList<Service> Services)> clusters,
        ClusterPatches? patches)
    {
        foreach (var (cluster, services) in clusters)
        {
            if (patches?.IsEmpty != false || patches.Apply(cluster, [.. services.Select(service => service.Hostname)]))
                made.Add(WireResource.Of(cluster.Name, cluster));
        }
    }

    // Null when the patches remove it.
    private static WireResource? Patched((WireResource Resource, ClusterPatches Patches) input)
    {
        var cluster = ((Cluster)input.Resource.Message).Clone();
        return input.Patches.Apply(cluster, []) ? WireResource.Of(cluster.Name, cluster) : null;
    }

    private List<WireResource> Outbound(ProxyScope scope, ClusterClient client)
    {
        var made = new List<WireResource>();
        if (scope.Node.Type == ProxyType.Waypoint) AddVips(made, scope, client);
        foreach (var service in OutboundServices(scope))
        {
            if (service.Resolution == ServiceResolution.Alias) continue;
            foreach (var port in service.Ports)
            {
                if (port.Protocol == Protocol.Udp) continue;
                made.AddRange(_outbound.GetOrMake(OutboundInputs.Of(scope, client, service, port, isSni: false), Make));
            }
        }
        if (scope.Gateway?.HasAutoPassthrough != true) return made;
        foreach (var service in scope.Imports.Services)
        {
            if (service.MeshExternal || service.Resolution == ServiceResolution.Alias) continue;
            foreach (var port in service.Ports)
            {
                if (port.Protocol == Protocol.Udp) continue;
                made.AddRange(_outbound.GetOrMake(OutboundInputs.Of(scope, client, service, port, isSni: true), Make));
            }
        }
        return made;
    }

    private void AddVips(List<WireResource> made, ProxyScope scope, ClusterClient client)
    {
        foreach (var service in WaypointScope.Of(scope).Services.Where(static service => service.Resolution != ServiceResolution.Alias))
        {
            foreach (var port in service.Ports)
            {
                foreach (var reading in WaypointScope.ReadingsOf(port.Protocol))
                    made.AddRange(_outbound.GetOrMake(OutboundInputs.Of(scope, client, service, port, isSni: false).ForWaypoint(reading),
                        Make));
            }
        }
    }

    private static IEnumerable<Service> OutboundServices(ProxyScope scope) =>
        scope.Node.Type == ProxyType.Waypoint ? WaypointScope.Of(scope).Outbound() :
        scope.Node.Type == ProxyType.Router && scope.Snapshot.Settings.Features.FilterGatewayClusters
            ? GatewayServices.Of(scope)
            : scope.Imports.Services;

    private static List<WireResource> Make(OutboundClusterInputs inputs) =>
        [.. OutboundClusters.Build(inputs).Select(cluster => WireResource.Of(cluster.Name, cluster))];

    private static IEnumerable<Cluster> Fixed(ProxyScope scope, ClusterClient client)
    {
        var settings = scope.Snapshot.Settings;
        if (scope.Node.Type != ProxyType.Waypoint) yield return FixedClusters.BlackHole(settings);
        if (scope.Node.Type != ProxyType.Sidecar) yield break;
        yield return FixedClusters.Passthrough(settings);
        if (scope.Imports.OutboundTrafficPolicy?.Mode == Istio.Networking.V1Alpha3.OutboundTrafficPolicy.Types.Mode.AllowAnyDynamicDns)
        {
            yield return DynamicDnsClusters.AllowAny(settings, client);
        }
    }

    private static IEnumerable<(Cluster, IReadOnlyList<Service>)> Inbound(ProxyScope scope, ClusterClient client) =>
        InboundClusters.Build(scope, client)
            .Append((FixedClusters.InboundPassthrough(scope.Snapshot.Settings, client.SupportsIPv4, client.SupportsIPv6), NoServices));

    private static IEnumerable<Cluster> Tunnels(ProxyScope scope, ClusterClient client)
    {
        var settings = scope.Snapshot.Settings;
        if (scope.Node.Type == ProxyType.Waypoint)
        {
            yield return FixedClusters.Internal("main_internal", "main_internal", settings);
            yield return FixedClusters.Internal("encap", "connect_originate", settings);
            yield return TunnelClusters.ConnectOriginateOfWaypoint(settings, scope.Node.Namespace);
            yield return TunnelClusters.InnerConnectOriginate(settings);
            yield return TunnelClusters.OuterConnectOriginate(settings);
        }
        if (scope.Node.Type == ProxyType.Sidecar && scope.Node.Metadata.EnableHbone)
        {
            yield return FixedClusters.Internal("main_internal", "main_internal", settings);
        }
        if (client.SendsHbone && scope.Node.Type != ProxyType.Waypoint && !scope.Node.Metadata.DisableHboneSend)
        {
            yield return TunnelClusters.ConnectOriginate(settings);
        }
    }

    private static ClusterClient ClientOf(ProxyScope scope)
    {
        var node = scope.Node;
        var files = node.Metadata.TlsClient;
        return new ClusterClient
        {
            IsSidecar = node.Type is ProxyType.Sidecar or ProxyType.Waypoint,
            IsRouter = node.Type == ProxyType.Router,
            SendsHbone = scope.Snapshot.Settings.Features.Ambient || node.Type == ProxyType.Waypoint,
            SupportsIPv4 = node.SupportsIPv4,
            SupportsIPv6 = node.SupportsIPv6,
            ClientCertificates = files.CertChain.Length > 0 ? new ClientCertificateFiles(files.CertChain, files.Key, files.RootCert) : null,
            PreservesHeaderCase = scope.Snapshot.Settings.Mesh.DefaultConfig?.ProxyHeaders?.PreserveHttp1HeaderCase?.Enabled == true,
            KnowsItself = node.Metadata.EnableSelfDiscovery,
        };
    }

    // Services may conflict, and EnvoyFilters may add what is there already: the first of a name counts.
    private static List<WireResource> FirstOfEachName(IReadOnlyList<WireResource> made, IReadOnlySet<string>? names)
    {
        var seen = new HashSet<string>(made.Count);
        return [.. made.Where(resource => (names is null || names.Contains(resource.Name)) && seen.Add(resource.Name))];
    }
}
