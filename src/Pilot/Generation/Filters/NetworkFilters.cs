using Envoy.Config.Listener.V3;
using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Envoy.Extensions.Filters.Network.TcpProxy.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Udpa.Type.V1;

namespace Lateen.Pilot.Generation.Filters;

/// <summary>Network filters that are the same for every proxy, and their names.</summary>
internal static class NetworkFilters
{
    /// <summary>Name of the HTTP connection manager.</summary>
    public const string HttpName = "envoy.filters.network.http_connection_manager";

    /// <summary>Name of the TCP proxy.</summary>
    public const string TcpName = "envoy.filters.network.tcp_proxy";

    /// <summary>Exchanges who the peers are in front of the bytes of a connection.</summary>
    public static Filter PeerExchange() => Named("istio.metadata_exchange", new TypedStruct
    {
        TypeUrl = "type.googleapis.com/envoy.tcp.metadataexchange.config.MetadataExchange",
        Value = Struct.Parser.ParseJson("{\"protocol\":\"istio-peer-exchange\",\"enable_discovery\":true}"),
    });

    /// <summary>HTTP.</summary>
    public static Filter Http(HttpConnectionManager manager) => Named(HttpName, manager);

    /// <summary>Bytes.</summary>
    public static Filter Tcp(TcpProxy proxy) => Named(TcpName, proxy);

    /// <summary>A filter with packed settings.</summary>
    public static Filter Named(string name, IMessage config) => new() { Name = name, TypedConfig = Wire.Pack(config) };
}
