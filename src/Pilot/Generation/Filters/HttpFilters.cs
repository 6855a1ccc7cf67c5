using Envoy.Extensions.Filters.Http.Cors.V3;
using Envoy.Extensions.Filters.Http.Fault.V3;
using Envoy.Extensions.Filters.Http.GrpcWeb.V3;
using Envoy.Extensions.Filters.Http.Router.V3;
using Envoy.Extensions.Filters.Http.StatefulSession.V3;
using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Istio.Envoy.Config.Filter.Http.Alpn.V2Alpha1;
using Udpa.Type.V1;
using AlpnConfig = Istio.Envoy.Config.Filter.Http.Alpn.V2Alpha1.FilterConfig;
using GrpcStatsConfig = Envoy.Extensions.Filters.Http.GrpcStats.V3.FilterConfig;

namespace Lateen.Pilot.Generation.Filters;

/// <summary>HTTP filters that are the same for every proxy.</summary>
internal static class HttpFilters
{
    /// <summary>Name of the last filter of every chain.</summary>
    public const string RouterName = "envoy.filters.http.router";

    /// <summary>Counts gRPC messages and leaves them in filter state.</summary>
    public static HttpFilter GrpcStats() =>
        Named("envoy.filters.http.grpc_stats", new GrpcStatsConfig { EmitFilterState = true, StatsForAllMethods = false });

    /// <summary>Translates gRPC-Web.</summary>
    public static HttpFilter GrpcWeb() => Named("envoy.filters.http.grpc_web", new GrpcWeb());

    /// <summary>Room for faults, which come with the routes.</summary>
    public static HttpFilter Fault() => Named("envoy.filters.http.fault", new HTTPFault());

    /// <summary>Room for CORS, which comes with the routes.</summary>
    public static HttpFilter Cors() => Named("envoy.filters.http.cors", new Cors());

    /// <summary>Room for sticky sessions, which come with the hosts.</summary>
    public static HttpFilter StatefulSession() => Named("envoy.filters.http.stateful_session", new StatefulSession());

    /// <summary>Forwards.</summary>
    public static HttpFilter Router(bool suppressDebugHeaders) =>
        Named(RouterName, new Router { SuppressEnvoyHeaders = suppressDebugHeaders });

    /// <summary>Tells the next sidecar by ALPN which HTTP it gets, so that it can choose its chain.</summary>
    public static HttpFilter Alpn()
    {
        var config = new AlpnConfig();
        config.AlpnOverride.Add(Override(AlpnConfig.Types.Protocol.Http10, "istio-http/1.0", "istio", "http/1.0"));
        config.AlpnOverride.Add(Override(AlpnConfig.Types.Protocol.Http11, "istio-http/1.1", "istio", "http/1.1"));
        config.AlpnOverride.Add(Override(AlpnConfig.Types.Protocol.Http2, "istio-h2", "istio", "h2"));
        return Named("istio.alpn", config);
    }

    /// <summary>Exchanges who the peers are by headers, on the server's side.</summary>
    public static HttpFilter InboundPeerMetadata() => PeerMetadata(
        "{\"downstream_discovery\":[{\"istio_headers\":{}},{\"workload_discovery\":{}}],\"downstream_propagation\":[{\"istio_headers\":{}}]}");

    /// <summary>Exchanges who the peers are by headers, on the client's side.</summary>
    /// <param name="inMeshOnly">Not towards services outside the mesh.</param>
    public static HttpFilter OutboundPeerMetadata(bool inMeshOnly) => PeerMetadata(inMeshOnly
        ? "{\"upstream_discovery\":[{\"istio_headers\":{}},{\"workload_discovery\":{}}],\"upstream_propagation\":[{\"istio_headers\":{\"skip_external_clusters\":true}}]}"
        : "{\"upstream_discovery\":[{\"istio_headers\":{}},{\"workload_discovery\":{}}],\"upstream_propagation\":[{\"istio_headers\":{}}]}");

    /// <summary>A filter with packed settings.</summary>
    public static HttpFilter Named(string name, IMessage config) => new() { Name = name, TypedConfig = Wire.Pack(config) };

    private static HttpFilter PeerMetadata(string json) => Named("istio.metadata_exchange", new TypedStruct
    {
        TypeUrl = "type.googleapis.com/io.istio.http.peer_metadata.Config",
        Value = Struct.Parser.ParseJson(json),
    });

    private static AlpnConfig.Types.AlpnOverride Override(AlpnConfig.Types.Protocol protocol, params string[] names)
    {
        var result = new AlpnConfig.Types.AlpnOverride { UpstreamProtocol = protocol };
        result.AlpnOverride_.Add(names);
        return result;
    }
}
