using Lateen.Pilot.Meaning.Credentials;
using Lateen.Registry;

namespace Lateen.Pilot.Meaning;

/// <summary>The whole mesh as it is meant at one moment. Only data; questions are asked of its parts.</summary>
public sealed record MeshSnapshot
{
    /// <summary>Name of this moment: generation of the store, as sent in version_info.</summary>
    public required string Revision { get; init; }

    /// <summary>Mesh configuration, networks, settings of the control plane.</summary>
    public required MeshSettings Settings { get; init; }

    /// <summary>What exists.</summary>
    public required RegistryView Registry { get; init; }

    /// <summary>Services by visibility.</summary>
    public required ServiceIndex Services { get; init; }

    /// <summary>VirtualServices, resolved and with delegates expanded.</summary>
    public required VirtualServiceIndex VirtualServices { get; init; }

    /// <summary>DestinationRules, merged.</summary>
    public required DestinationRuleIndex DestinationRules { get; init; }

    /// <summary>Gateways.</summary>
    public required GatewayIndex Gateways { get; init; }

    /// <summary>Key material that Gateways name.</summary>
    public CredentialIndex Credentials { get; init; } = CredentialIndex.Empty;

    /// <summary>Sidecars.</summary>
    public required SidecarIndex Sidecars { get; init; }

    /// <summary>PeerAuthentication, RequestAuthentication, AuthorizationPolicy.</summary>
    public required PolicyIndex Policies { get; init; }

    /// <summary>Telemetry.</summary>
    public required TelemetryIndex Telemetry { get; init; }

    /// <summary>EnvoyFilter, TrafficExtension (and WasmPlugin), ProxyConfig.</summary>
    public required ExtensionIndex Extensions { get; init; }
}
