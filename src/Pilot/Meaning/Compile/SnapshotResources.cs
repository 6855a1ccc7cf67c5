using Google.Protobuf;
using Lateen.Config.Resources;
using Lateen.Registry;

namespace Lateen.Pilot.Meaning.Compile;

/// <summary>Sorts resources by kind for the compiler.</summary>
public static class SnapshotResources
{
    /// <summary>Inputs out of any resources; kinds that mean nothing here are left aside.</summary>
    public static SnapshotInputs Of(string revision, RegistryView registry, MeshSettings settings, IReadOnlyList<Resource> resources)
    {
        var byKind = resources.ToLookup(resource => resource.Kind);
        List<Resource<T>> Of<T>(ResourceKind<T> kind) where T : class, IMessage<T>, new() => [.. byKind[kind].Cast<Resource<T>>()];
        return new SnapshotInputs
        {
            Revision = revision,
            Registry = registry,
            Settings = settings,
            VirtualServices = Of(Kinds.VirtualService),
            DestinationRules = Of(Kinds.DestinationRule),
            Gateways = Of(Kinds.Gateway),
            Sidecars = Of(Kinds.Sidecar),
            PeerAuthentications = Of(Kinds.PeerAuthentication),
            RequestAuthentications = Of(Kinds.RequestAuthentication),
            AuthorizationPolicies = Of(Kinds.AuthorizationPolicy),
            Telemetries = Of(Kinds.Telemetry),
            EnvoyFilters = Of(Kinds.EnvoyFilter),
            WasmPlugins = Of(Kinds.WasmPlugin),
            TrafficExtensions = Of(Kinds.TrafficExtension),
            ProxyConfigs = Of(Kinds.ProxyConfig),
            Ingresses = Of(Kinds.Ingress),
            IngressClasses = Of(Kinds.IngressClass),
            GatewayApi = new GatewayApi.GatewayApiInputs
            {
                Classes = Of(Kinds.GatewayClass),
                Gateways = Of(Kinds.KubernetesGateway),
                ListenerSets = Of(Kinds.ListenerSet),
                HttpRoutes = Of(Kinds.HTTPRoute),
                GrpcRoutes = Of(Kinds.GRPCRoute),
                TcpRoutes = Of(Kinds.TCPRoute),
                TlsRoutes = Of(Kinds.TLSRoute),
                Grants = Of(Kinds.ReferenceGrant),
                TlsPolicies = Of(Kinds.BackendTLSPolicy),
                TrafficPolicies = Of(Kinds.XBackendTrafficPolicy),
                Backends = Of(Kinds.XBackend),
                Pools = Of(Kinds.InferencePool),
                Entries = Of(Kinds.ServiceEntry),
                Secrets = Of(Kinds.Secret),
                ConfigMaps = Of(Kinds.ConfigMap),
            },
        };
    }
}
