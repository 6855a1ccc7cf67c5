using Envoy.Config.Cluster.V3;
using Google.Protobuf;
using Lateen.Pilot.Generation.Endpoints;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Scope;
using Lateen.Registry;

namespace Lateen.Pilot.Generation.Clusters;

/// <summary>CDS: all clusters of a proxy.</summary>
public sealed class ClusterGenerator : IResourceGenerator
{
    private readonly GenerationCache<OutboundClusterInputs, IReadOnlyList<WireResource>> _outbound = new();
    private readonly GenerationCache<(ClientGroup Group, MergedGateway? Gateway), IReadOnlyList<WireResource>> _groups = new();

    /// <inheritdoc/>
    public string TypeUrl => TypeUrls.Cluster;

    /// <inheritdoc/>
    public void BeginSnapshot()
    {
        _outbound.Turn();
        _groups.Turn();
    }

    /// <inheritdoc/>
    public IReadOnlyList<WireResource> Generate(ProxyScope scope, IReadOnlySet<string>? names)
    {
        var client = ClientOf(scope);
        // What a gateway is sent depends on its servers, too; these are its own.
        var outbound = _groups.GetOrMake((ClientGroup.Of(scope), scope.Gateway), _ => Outbound(scope, client));
        var made = new List<WireResource>(outbound.Count + 8);
        made.AddRange(outbound);
        foreach (var cluster in Others(scope, client)) made.Add(WireResource.Of(cluster.Name, cluster));
        return FirstOfEachName(made, names);
    }

    private List<WireResource> Outbound(ProxyScope scope, ClusterClient client)
    {
        var made = new List<WireResource>();
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

    private static IEnumerable<Service> OutboundServices(ProxyScope scope) =>
        scope.Node.Type == ProxyType.Router && scope.Snapshot.Settings.Features.FilterGatewayClusters
            ? GatewayServices.Of(scope)
            : scope.Imports.Services;

    private static List<WireResource> Make(OutboundClusterInputs inputs) =>
        [.. OutboundClusters.Build(inputs).Select(cluster => WireResource.Of(cluster.Name, cluster))];

    private static IEnumerable<Cluster> Others(ProxyScope scope, ClusterClient client)
    {
        var settings = scope.Snapshot.Settings;
        if (scope.Node.Type != ProxyType.Waypoint) yield return FixedClusters.BlackHole(settings);
        if (scope.Node.Type == ProxyType.Sidecar)
        {
            yield return FixedClusters.Passthrough(settings);
            if (scope.Imports.OutboundTrafficPolicy?.Mode == Istio.Networking.V1Alpha3.OutboundTrafficPolicy.Types.Mode.AllowAnyDynamicDns)
            {
                yield return DynamicDnsClusters.AllowAny(settings, client);
            }
            foreach (var (cluster, _) in InboundClusters.Build(scope, client)) yield return cluster;
            yield return FixedClusters.InboundPassthrough(settings, client.SupportsIPv4, client.SupportsIPv6);
            if (scope.Node.Metadata.EnableHbone) yield return FixedClusters.Internal("main_internal", "main_internal", settings);
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
    private static List<WireResource> FirstOfEachName(List<WireResource> made, IReadOnlySet<string>? names)
    {
        var seen = new HashSet<string>(made.Count);
        return made.FindAll(resource => (names is null || names.Contains(resource.Name)) && seen.Add(resource.Name));
    }
}
