// Tunnel: a client's bytes go to the upstream inside an HTTP stream (CONNECT, or POST where that is all an upstream takes): Istio's HBONE
// in the direction outwards. A HttpTunnel is a Transport over one stream of the cluster's HTTP pools, so that a TcpSession does not know
// the difference; limits, protocols and TLS are the pools'. State belongs to the session.
// Refused: a second relay for tunnels (every rule of half-close, idleness and records would stand twice).
using Lateen.Proxy.Formats;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Tcp.Tunnel;

/// <summary>How a TCP proxy's connections are carried over HTTP (tunneling_config).</summary>
/// <param name="Host">The authority that is asked for.</param>
/// <param name="PostPath">The path of a POST; null asks by CONNECT.</param>
/// <param name="Headers">Added to the request.</param>
/// <param name="KeepResponseHead">The answer's headers are kept as filter state.</param>
/// <param name="KeepResponseTrailers">Its trailers are.</param>
public sealed record TunnelOptions(TextFormat Host, string? PostPath, HeaderMutations Headers, bool KeepResponseHead,
    bool KeepResponseTrailers)
{
    /// <summary>Filter state that holds the answer's headers.</summary>
    public const string ResponseHeadKey = "envoy.tcp_proxy.propagate_response_headers";

    /// <summary>Filter state that holds its trailers.</summary>
    public const string ResponseTrailersKey = "envoy.tcp_proxy.propagate_response_trailers";

    /// <summary>Filter state that switches a connection's tunnel off.</summary>
    public const string DisableKey = "envoy.tcp_proxy.disable_tunneling";
}
