// Inputs: what the generators of listeners and routes read about one proxy: its scope, and the few facts that follow from it and that many
// of them need (its own configuration, address families, what unknown traffic gets).
//
// State: none beyond what is computed once for a proxy and a snapshot. Nothing here makes wire messages.
//
// Refused: a context object that can be asked anything about the mesh. Lookups that depend on the client go through its scope, so that what
// a proxy was not given it can't be told by accident.
using System.Runtime.CompilerServices;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Istio.Mesh.V1Alpha1;
using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Generation.Routes;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Scope;
using Lateen.Registry;

namespace Lateen.Pilot.Generation.Inputs;

/// <summary>A proxy and its scope, with what follows from them.</summary>
public sealed class ProxyInputs
{
    // Read once for each proxy: as long as its node is the same object, so is its configuration.
    private static readonly ConditionalWeakTable<Struct, OwnConfiguration> OwnConfigs = [];
    private static readonly JsonParser Json = new(JsonParser.Settings.Default.WithIgnoreUnknownFields(true));

    /// <summary>Inputs for the proxy of a scope.</summary>
    public ProxyInputs(ProxyScope scope)
    {
        ArgumentNullException.ThrowIfNull(scope);
        Scope = scope;
        Config = OwnConfigs.GetValue(scope.Node.Metadata.Raw, static raw => new OwnConfiguration(OwnConfig(raw))).Config
            ?? scope.Snapshot.Settings.Mesh.DefaultConfig ?? new ProxyConfig();
        Fallback = OutboundFallback.Of(scope.Imports.OutboundTrafficPolicy ?? MeshPolicy(scope.Snapshot.Settings.Mesh));
    }

    /// <summary>The scope.</summary>
    public ProxyScope Scope { get; }

    /// <summary>The proxy.</summary>
    public ProxyNode Node => Scope.Node;

    /// <summary>Mesh-wide settings.</summary>
    public MeshConfig Mesh => Scope.Snapshot.Settings.Mesh;

    /// <summary>Switches of the control plane.</summary>
    public Features Features => Scope.Snapshot.Settings.Features;

    /// <summary>The proxy's own configuration: as it was started with, else the mesh's default.</summary>
    public ProxyConfig Config { get; }

    /// <summary>What traffic for unknown destinations gets.</summary>
    public OutboundFallback Fallback { get; }

    /// <summary>DestinationRule for traffic of this proxy to a host.</summary>
    public DestinationRule? DestinationRule(string host) => Scope.Imports.DestinationRule(host, Scope.Labels)?.Rule.Spec;

    /// <summary>Imported service of a host.</summary>
    public Service? Service(string host) => Scope.Imports.Service(host);

    /// <summary>Idle timeout that the workload asks for.</summary>
    public Duration? IdleTimeout => Wire.ParseDuration(Node.Metadata.IdleTimeout);

    /// <summary>Text of the keys of an issuer and a JWKS address, as they were fetched. Without a successful fetch: keys that validate
    /// nothing.</summary>
    public string Keys(string issuer, string address) =>
        Scope.Snapshot.Policies.KeySets.GetValueOrDefault(new KeySetName(issuer, address)) ?? Security.UnfetchedKeys.Of(issuer, address);

    /// <summary>No capture: the proxy binds every port itself.</summary>
    public bool BindsEverything => Node.Metadata.Interception == InterceptionMode.None;

    /// <summary>A gRPC library without a proxy.</summary>
    public bool IsProxylessGrpc => Node.IsProxylessGrpc();

    private static OutboundTrafficPolicy MeshPolicy(MeshConfig mesh) => new()
    {
        Mode = mesh.OutboundTrafficPolicy is { } policy
            ? (OutboundTrafficPolicy.Types.Mode)(int)policy.Mode : OutboundTrafficPolicy.Types.Mode.AllowAny,
    };

    // The agent sends its configuration already merged over the mesh's default.
    private static ProxyConfig? OwnConfig(Struct metadata)
    {
        if (!metadata.Fields.TryGetValue("PROXY_CONFIG", out var value) || value.KindCase != Value.KindOneofCase.StructValue) return null;
        try
        {
            return Json.Parse<ProxyConfig>(value.StructValue.ToString());
        }
        catch (InvalidProtocolBufferException)
        {
            // An agent of another release; what it can't say in our words it does without.
            return null;
        }
    }
}

/// <summary>What a proxy says of its own configuration, or null.</summary>
internal sealed record OwnConfiguration(ProxyConfig? Config);

/// <summary>Facts about a node that follow from what it sent.</summary>
public static class NodeTraits
{
    /// <summary>The addresses that stand for "any", the family of the first address first.</summary>
    public static IReadOnlyList<string> Wildcards(this ProxyNode node) => Families(node, "0.0.0.0", "::");

    /// <summary>The loopback addresses, the family of the first address first.</summary>
    public static IReadOnlyList<string> Loopbacks(this ProxyNode node) => Families(node, "127.0.0.1", "::1");

    /// <summary>A gRPC library without a proxy.</summary>
    public static bool IsProxylessGrpc(this ProxyNode node) => node.Metadata.Generator == "grpc";

    private static IReadOnlyList<string> Families(ProxyNode node, string four, string six) => (node.SupportsIPv4, node.SupportsIPv6) switch
    {
        (true, true) => node.Addresses[0].Contains(':') ? [six, four] : [four, six],
        (false, true) => [six],
        _ => [four],
    };
}
