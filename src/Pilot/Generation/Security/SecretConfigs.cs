// Security: what policies mean on the wire: TLS contexts and where their secrets come from, mutual TLS per port, JWT validation, role-based
// access control.
//
// Pure functions; the policies that apply to a proxy are chosen here too (`WorkloadPolicies`), because selection, merging and rendering of
// a policy kind are one rule of the API and read best together.
//
// Never: key material. Secrets are named; the proxy fetches them from its agent or from the control plane.
//
// Refused: one builder object per proxy that collects filters in several passes. The order of filters is a contract and stands in one
// place, where the connection manager is made.
using Envoy.Config.Core.V3;
using Envoy.Extensions.TransportSockets.Tls.V3;

using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Generation.Security.Names;

namespace Lateen.Pilot.Generation.Security;

/// <summary>Where a proxy gets a secret from.</summary>
internal static class SecretConfigs
{
    /// <summary>The workload's own certificate.</summary>
    public const string Workload = "default";

    /// <summary>The mesh's trust anchors.</summary>
    public const string Root = "ROOTCA";

    private const string Agent = "sds-grpc";
    private const string ExternalAgent = "sds-external";
    private const string CaSuffix = "-cacert";

    /// <summary>A secret of the agent: the workload's own ones are waited for without limit, files are not.</summary>
    public static SdsSecretConfig OfAgent(string name) => OverGrpc(name, Agent, "", name is Workload or Root);

    /// <summary>Certificate and key in files that the agent watches.</summary>
    public static SdsSecretConfig OfFiles(string certificate, string key) => OfAgent(new FileCredential(certificate, key, "").ResourceName);

    /// <summary>Trust anchors in a file that the agent watches.</summary>
    public static SdsSecretConfig OfRootFile(string file) => OfAgent(new FileCredential("", "", file).ResourceName);

    /// <summary>A credential by name: of the control plane, unless its scheme says otherwise. Null for the empty name.</summary>
    /// <param name="name">Name as in the Gateway, with or without scheme.</param>
    /// <param name="hasCredentialSocket">The agent has a socket of an external provider.</param>
    /// <param name="external">The mesh's provider of secrets for <c>sds://</c>, with the cluster that reaches it, or null.</param>
    public static SdsSecretConfig? OfCredential(string name, bool hasCredentialSocket, (string Cluster, string Authority)? external)
    {
        if (name.Length == 0) return null;
        if (name.StartsWith("builtin://", StringComparison.Ordinal))
            return OfAgent(name.EndsWith(CaSuffix, StringComparison.Ordinal) ? Root : Workload);
        if (name.StartsWith("sds://", StringComparison.Ordinal))
        {
            if (hasCredentialSocket) return OverGrpc(name, ExternalAgent, "", false);
            if (external is var (cluster, authority)) return OverGrpc(name["sds://".Length..], cluster, authority, false);
        }
        return new SdsSecretConfig
        {
            Name = ResourceName(name),
            SdsConfig = new ConfigSource { Ads = new AggregatedConfigSource(), ResourceApiVersion = ApiVersion.V3 },
        };
    }

    /// <summary>Cluster and authority of the mesh's provider of secrets; null when it has none that can be reached.</summary>
    public static (string Cluster, string Authority)? ExternalProvider(Istio.Mesh.V1Alpha1.MeshConfig mesh,
        Lateen.Registry.RegistryView registry)
    {
        var provider = mesh.ExtensionProviders.FirstOrDefault(static p => p.Sds is not null)?.Sds;
        if (provider is null || Telemetry.Providers.Cluster(registry, provider.Service, provider.Port) is not var (host, cluster))
            return null;
        return (cluster, host);
    }

    /// <summary>The credential that holds the trust anchors of another one.</summary>
    public static string CaOf(string credential) => credential + CaSuffix;

    /// <summary>The resource that a credential name stands for; names without a scheme are Kubernetes secrets.</summary>
    public static string ResourceName(string name)
    {
        if (name.StartsWith("sds://", StringComparison.Ordinal)) return "kubernetes://" + name["sds://".Length..];
        return name.Contains("://", StringComparison.Ordinal) ? name : "kubernetes://" + name;
    }

    private static SdsSecretConfig OverGrpc(string name, string cluster, string authority, bool waitForever)
    {
        var source = new ApiConfigSource
        {
            ApiType = ApiConfigSource.Types.ApiType.Grpc,
            SetNodeOnFirstMessageOnly = true,
            TransportApiVersion = ApiVersion.V3,
        };
        source.GrpcServices.Add(new GrpcService { EnvoyGrpc = new GrpcService.Types.EnvoyGrpc
        {
            ClusterName = cluster,
            Authority = authority,
        } });
        var config = new ConfigSource { ApiConfigSource = source, ResourceApiVersion = ApiVersion.V3 };
        if (waitForever) config.InitialFetchTimeout = Wire.Zero;
        return new SdsSecretConfig { Name = name, SdsConfig = config };
    }
}
