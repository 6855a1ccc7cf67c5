// Compile: from a view of written resources to the snapshot that is pushed. It only gathers inputs for Registry and Pilot, the mesh's own
// settings (MeshConfig) among them, which stand in the ConfigMap `istio` of the root namespace as in every Istio installation.
using System.Collections.Frozen;
using Istio.Mesh.V1Alpha1;
using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;
using Lateen.Config.Store;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Meaning.Compile;
using Lateen.Pilot.Meaning.GatewayApi;
using Lateen.Pilot.Meaning.GatewayApi.Status;
using Lateen.Pilot.Meaning.Settings;
using Lateen.Registry;
using Resource = Lateen.Config.Resources.Resource;

namespace Lateen.ControlPlane.Compile;

/// <summary>Makes snapshots out of views, one after another; what did not change is taken over from the last.</summary>
/// <param name="options">Names.</param>
/// <param name="features">Settings from the environment.</param>
public sealed class ViewCompiler(ControlPlaneOptions options, Features features)
{
    private readonly SnapshotCompiler _snapshots = new();
    private readonly EntryAddresses _addresses = new();
    private static readonly Dictionary<string, ResourceView> NoRemotes = [];
    private RegistryCompiler _registries = new(new RegistryOptions());
    private MeshSettings? _settings;
    private Resource? _settingsFrom;

    /// <summary>What is wrong in the mesh's settings as they were last read.</summary>
    public IReadOnlyList<Diagnostic> Diagnostics { get; private set; } = [];

    /// <summary>The snapshot of a view.</summary>
    /// <param name="view">What is written.</param>
    /// <param name="keySets">Keys of the issuers of tokens.</param>
    /// <param name="revision">How the snapshot is called.</param>
    /// <param name="remotes">Services and workloads of other clusters, by the clusters' names.</param>
    public MeshSnapshot Compile(ResourceView view, FrozenDictionary<KeySetName, string> keySets, string revision,
        IReadOnlyDictionary<string, ResourceView>? remotes = null)
    {
        MeshSettings current = SettingsOf(view);
        view = Discovered(view, current.Mesh);
        return _snapshots.Compile(new SnapshotInputs
        {
            Revision = revision,
            KeySets = keySets,
            Settings = current,
            Registry = _registries.Compile(
                [Own(view), .. (remotes ?? NoRemotes).Select(remote => Cluster(remote.Key, Discovered(remote.Value, current.Mesh)))]),
            VirtualServices = view.All(Kinds.VirtualService),
            DestinationRules = view.All(Kinds.DestinationRule),
            Gateways = view.All(Kinds.Gateway),
            Sidecars = view.All(Kinds.Sidecar),
            PeerAuthentications = view.All(Kinds.PeerAuthentication),
            RequestAuthentications = view.All(Kinds.RequestAuthentication),
            AuthorizationPolicies = view.All(Kinds.AuthorizationPolicy),
            Telemetries = view.All(Kinds.Telemetry),
            EnvoyFilters = view.All(Kinds.EnvoyFilter),
            WasmPlugins = view.All(Kinds.WasmPlugin),
            TrafficExtensions = view.All(Kinds.TrafficExtension),
            ProxyConfigs = view.All(Kinds.ProxyConfig),
            Ingresses = view.All(Kinds.Ingress),
            IngressClasses = view.All(Kinds.IngressClass),
            GatewayApi = GatewayApi(view),
        });
    }

    /// <summary>What became of the objects of the Gateway API in the last snapshot.</summary>
    public IReadOnlyList<GatewayApiStatus> GatewayApiStatuses() => _snapshots.GatewayApiStatuses();

    // The objects of namespaces that the mesh looks into.
    private static ResourceView Discovered(ResourceView view, MeshConfig mesh) =>
        mesh.DiscoverySelectors.Count == 0 ? view : ResourceView.Of(DiscoverySelectors.Select([.. view.Everything()], mesh));

    private GatewayApiInputs GatewayApi(ResourceView view) => new()
    {
        Classes = view.All(Kinds.GatewayClass),
        Gateways = Own(view.All(Kinds.KubernetesGateway), view),
        ListenerSets = view.All(Kinds.ListenerSet),
        HttpRoutes = view.All(Kinds.HTTPRoute),
        GrpcRoutes = view.All(Kinds.GRPCRoute),
        TcpRoutes = view.All(Kinds.TCPRoute),
        TlsRoutes = view.All(Kinds.TLSRoute),
        Grants = view.All(Kinds.ReferenceGrant),
        TlsPolicies = view.All(Kinds.BackendTLSPolicy),
        TrafficPolicies = view.All(Kinds.XBackendTrafficPolicy),
        Backends = view.All(Kinds.XBackend),
        Pools = view.All(Kinds.InferencePool),
        Entries = view.All(Kinds.ServiceEntry),
        Secrets = view.All(Kinds.Secret),
        ConfigMaps = view.All(Kinds.ConfigMap),
    };

    // The list as it is where all are: who compares inputs knows it again.
    private IReadOnlyList<Resource<Kubernetes.Gateway.V1.Gateway>> Own(IReadOnlyList<Resource<Kubernetes.Gateway.V1.Gateway>> gateways,
        ResourceView view) => gateways.All(gateway => Revisions.IsOf(options.Revision, view, gateway))
            ? gateways : [.. gateways.Where(gateway => Revisions.IsOf(options.Revision, view, gateway))];

    private ClusterResources Own(ResourceView view)
    {
        ClusterResources own = Cluster(options.ClusterId, view);
        return features.Flag("PILOT_ENABLE_IP_AUTOALLOCATE", true) ? own with { ServiceEntries = _addresses.Of(own.ServiceEntries) } : own;
    }

    private static ClusterResources Cluster(string id, ResourceView view) => new()
    {
        ClusterId = id,
        Services = view.All(Kinds.Service),
        EndpointSlices = view.All(Kinds.EndpointSlice),
        Pods = view.All(Kinds.Pod),
        Nodes = view.All(Kinds.Node),
        Namespaces = view.All(Kinds.Namespace),
        ServiceEntries = view.All(Kinds.ServiceEntry),
        WorkloadEntries = view.All(Kinds.WorkloadEntry),
    };

    /// <summary>The mesh's settings as a view has them.</summary>
    /// <remarks>A mesh configuration with a mistake in it is not used at all: the last good one stays, as with every other
    /// resource.</remarks>
    public MeshSettings SettingsOf(ResourceView view)
    {
        Resource? from = view.Find(new ResourceKey(Kinds.ConfigMap, options.RootNamespace, Revisions.Named("istio", options.Revision)));
        if (_settings is not null && ReferenceEquals(from, _settingsFrom)) return _settings;
        _settingsFrom = from;
        var found = new DiagnosticBag();
        string text = (from as Resource<Kubernetes.Core.V1.ConfigMap>)?.Spec.Data.GetValueOrDefault("mesh") ?? "";
        MeshConfig mesh = MeshConfigs.Overlay(Presets(), text, from?.Key.ToString() ?? "", found);
        Diagnostics = [.. found];
        if (found.HasErrors && _settings is not null) return _settings;
        _settings = new MeshSettings
        {
            Mesh = found.HasErrors ? Presets() : mesh,
            Networks = new MeshNetworks(),
            Features = features,
            DomainSuffix = options.Domain,
            ClusterId = options.ClusterId,
        };
        _registries = new RegistryCompiler(
            new RegistryOptions
            {
                DomainSuffix = options.Domain,
                TrustDomain = _settings.TrustDomain,
                SystemNamespace = options.RootNamespace,
                HeedsEntryHealth = features.Flag("PILOT_ENABLE_WORKLOAD_ENTRY_HEALTHCHECKS", true),
            });
        return _settings;
    }

    // Istio's chart turns the standard metrics on, its code does not. Who runs without a chart wants them, too; and proxies of a revision
    // speak to that.
    private MeshConfig Presets()
    {
        MeshConfig mesh = MeshConfigs.Defaults();
        mesh.DefaultProviders.Metrics.Add("prometheus");
        if (Revisions.Named("istiod", options.Revision) is var host and not "istiod")
            mesh.DefaultConfig.DiscoveryAddress = $"{host}.{options.RootNamespace}.svc:15012";
        return mesh;
    }
}
