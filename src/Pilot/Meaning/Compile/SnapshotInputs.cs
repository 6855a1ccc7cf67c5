using Istio.Extensions.V1Alpha1;
using Istio.Networking.V1Alpha3;
using Istio.Security.V1Beta1;
using Istio.Telemetry.V1Alpha1;
using Lateen.Config.Resources;
using Lateen.Registry;

namespace Lateen.Pilot.Meaning.Compile;

/// <summary>Everything a snapshot is compiled from. Lists may be in any order.</summary>
public sealed record SnapshotInputs
{
    /// <summary>Name of the snapshot.</summary>
    public required string Revision { get; init; }

    /// <summary>What exists.</summary>
    public required RegistryView Registry { get; init; }

    /// <summary>Settings of the mesh; the same object as long as nothing in them changed.</summary>
    public required MeshSettings Settings { get; init; }

    /// <summary>VirtualServices, converted ones included.</summary>
    public IReadOnlyList<Resource<VirtualService>> VirtualServices { get; init; } = [];

    /// <summary>DestinationRules, converted ones included.</summary>
    public IReadOnlyList<Resource<DestinationRule>> DestinationRules { get; init; } = [];

    /// <summary>Gateways, converted ones included.</summary>
    public IReadOnlyList<Resource<Gateway>> Gateways { get; init; } = [];

    /// <summary>Sidecars.</summary>
    public IReadOnlyList<Resource<Sidecar>> Sidecars { get; init; } = [];

    /// <summary>PeerAuthentications.</summary>
    public IReadOnlyList<Resource<PeerAuthentication>> PeerAuthentications { get; init; } = [];

    /// <summary>RequestAuthentications.</summary>
    public IReadOnlyList<Resource<RequestAuthentication>> RequestAuthentications { get; init; } = [];

    /// <summary>Keys of the issuers of tokens; the same object as long as nothing in them changed.</summary>
    public System.Collections.Frozen.FrozenDictionary<KeySetName, string> KeySets { get; init; } =
        System.Collections.Frozen.FrozenDictionary<KeySetName, string>.Empty;

    /// <summary>AuthorizationPolicies.</summary>
    public IReadOnlyList<Resource<AuthorizationPolicy>> AuthorizationPolicies { get; init; } = [];

    /// <summary>Telemetries.</summary>
    public IReadOnlyList<Resource<Telemetry>> Telemetries { get; init; } = [];

    /// <summary>EnvoyFilters.</summary>
    public IReadOnlyList<Resource<EnvoyFilter>> EnvoyFilters { get; init; } = [];

    /// <summary>WasmPlugins.</summary>
    public IReadOnlyList<Resource<WasmPlugin>> WasmPlugins { get; init; } = [];

    /// <summary>TrafficExtensions.</summary>
    public IReadOnlyList<Resource<TrafficExtension>> TrafficExtensions { get; init; } = [];

    /// <summary>Kubernetes' Gateway API, which is converted.</summary>
    public GatewayApi.GatewayApiInputs GatewayApi { get; init; } = new();

    /// <summary>Ingresses, which are converted.</summary>
    public IReadOnlyList<Resource<Kubernetes.Networking.V1.Ingress>> Ingresses { get; init; } = [];

    /// <summary>IngressClasses.</summary>
    public IReadOnlyList<Resource<Kubernetes.Networking.V1.IngressClass>> IngressClasses { get; init; } = [];

    /// <summary>ProxyConfigs.</summary>
    public IReadOnlyList<Resource<Istio.Networking.V1Beta1.ProxyConfig>> ProxyConfigs { get; init; } = [];
}
