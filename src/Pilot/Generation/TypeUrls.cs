namespace Lateen.Pilot.Generation;

/// <summary>xDS type URLs and the order in which they are pushed.</summary>
public static class TypeUrls
{
    /// <summary>What stands before the message name.</summary>
    public const string Prefix = "type.googleapis.com/";

    /// <summary>CDS.</summary>
    public const string Cluster = Prefix + "envoy.config.cluster.v3.Cluster";

    /// <summary>EDS.</summary>
    public const string Endpoint = Prefix + "envoy.config.endpoint.v3.ClusterLoadAssignment";

    /// <summary>LDS.</summary>
    public const string Listener = Prefix + "envoy.config.listener.v3.Listener";

    /// <summary>RDS.</summary>
    public const string Route = Prefix + "envoy.config.route.v3.RouteConfiguration";

    /// <summary>VHDS.</summary>
    public const string VirtualHost = Prefix + "envoy.config.route.v3.VirtualHost";

    /// <summary>SDS.</summary>
    public const string Secret = Prefix + "envoy.extensions.transport_sockets.tls.v3.Secret";

    /// <summary>ECDS.</summary>
    public const string ExtensionConfig = Prefix + "envoy.config.core.v3.TypedExtensionConfig";

    /// <summary>What istioctl asks over xDS; the page's name may follow.</summary>
    public const string Debug = "istio.io/debug";

    /// <summary>DNS name table.</summary>
    public const string NameTable = Prefix + "istio.networking.nds.v1.NameTable";

    /// <summary>ProxyConfig push.</summary>
    public const string ProxyConfig = Prefix + "istio.mesh.v1alpha1.ProxyConfig";

    /// <summary>Workload API: services and workloads.</summary>
    public const string Address = Prefix + "istio.workload.Address";

    /// <summary>Workload API: workloads alone.</summary>
    public const string Workload = Prefix + "istio.workload.Workload";

    /// <summary>Workload API: policies.</summary>
    public const string Authorization = Prefix + "istio.security.Authorization";

    /// <summary>A cluster before its endpoints, both before the listeners that use them, listeners before their routes, routes before their
    /// hosts.</summary>
    public static int PushOrder(string typeUrl) => typeUrl switch
    {
        Cluster => 0,
        Endpoint => 1,
        Listener => 2,
        Route => 3,
        VirtualHost => 4,
        Secret => 5,
        Address => 6,
        Workload => 7,
        Authorization => 8,
        _ => 9,
    };

    /// <summary>Types whose state-of-the-world answer must always be complete: what is missing is deleted.</summary>
    public static bool IsWholeState(string typeUrl) => typeUrl is Cluster or Listener;
}
