using Envoy.Config.Route.V3;
using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Istio.Mesh.V1Alpha1;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Registry;
using ForwardDetails = Envoy.Extensions.Filters.Network.HttpConnectionManager.V3.HttpConnectionManager.Types.ForwardClientCertDetails;

namespace Lateen.Pilot.Generation.Listeners;

/// <summary>A connection manager before it is rendered.</summary>
internal sealed record HttpPlan
{
    /// <summary>Way of the traffic.</summary>
    public required ListenerClass Class { get; init; }

    /// <summary>Protocol of the port.</summary>
    public Protocol Protocol { get; init; }

    /// <summary>Route configuration to fetch; empty with <see cref="Routes"/>.</summary>
    public string RouteName { get; init; } = "";

    /// <summary>Inline routes.</summary>
    public RouteConfiguration? Routes { get; init; }

    /// <summary>Name in statistics.</summary>
    public string StatPrefix { get; init; } = "";

    /// <summary>Port that policies are attached to.</summary>
    public int Port { get; init; }

    /// <summary>What is already decided about the connection manager.</summary>
    public HttpConnectionManager Base { get; init; } = new();

    /// <summary>The client's address is that of the connection, not of a header.</summary>
    public bool UsesRemoteAddress { get; init; }

    /// <summary>HTTP/3.</summary>
    public bool IsQuic { get; init; }

    /// <summary>Came through an HBONE tunnel, where the tunnel says who the peer is.</summary>
    public bool IsTunneled { get; init; }

    /// <summary>The chain of a waypoint, which looks up the server's identity itself.</summary>
    public bool IsWaypoint { get; init; }

    /// <summary>Names are resolved per request with this cache; null without.</summary>
    public Envoy.Extensions.Common.DynamicForwardProxy.V3.DnsCacheConfig? DnsCache { get; init; }

    /// <summary>Service that a waypoint's chain is for.</summary>
    public Service? PolicyService { get; init; }

    /// <summary>The base of a connection manager with what the proxy's configuration says about headers.</summary>
    public static HttpConnectionManager WithHeaders(ProxyConfig config, ListenerClass listenerClass)
    {
        var headers = config.ProxyHeaders;
        var manager = new HttpConnectionManager { ServerName = listenerClass == ListenerClass.SidecarOutbound ? "" : "istio-envoy" };
        if (headers?.Server?.Disabled == true)
        {
            manager.ServerName = "";
            manager.ServerHeaderTransformation = HttpConnectionManager.Types.ServerHeaderTransformation.PassThrough;
        }
        else if (headers?.Server is { Value.Length: > 0 } server) manager.ServerName = server.Value;
        if (headers?.RequestId?.Disabled == true) manager.GenerateRequestId = false;
        return manager;
    }

    /// <summary>How a client's certificate is handed on, in Envoy's words; null when nothing is said.</summary>
    public static ForwardDetails? Forwarding(ForwardClientCertDetails details) => details switch
    {
        ForwardClientCertDetails.Sanitize => ForwardDetails.Sanitize,
        ForwardClientCertDetails.ForwardOnly => ForwardDetails.ForwardOnly,
        ForwardClientCertDetails.AppendForward => ForwardDetails.AppendForward,
        ForwardClientCertDetails.SanitizeSet => ForwardDetails.SanitizeSet,
        ForwardClientCertDetails.AlwaysForwardOnly => ForwardDetails.AlwaysForwardOnly,
        _ => null,
    };
}
