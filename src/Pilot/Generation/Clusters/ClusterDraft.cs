using Envoy.Config.Cluster.V3;
using Envoy.Config.Core.V3;
using Google.Protobuf.WellKnownTypes;
using HttpProtocolOptions = Envoy.Extensions.Upstreams.Http.V3.HttpProtocolOptions;

namespace Lateen.Pilot.Generation.Clusters;

/// <summary>A cluster in the making, together with its HTTP options, which can be packed only when all is said.</summary>
internal sealed class ClusterDraft
{
    private const string HttpOptionsKey = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

    public required Cluster Cluster { get; init; }

    public HttpProtocolOptions? Http { get; private set; }

    public bool IsHttp2 => Http?.ExplicitHttpConfig?.Http2ProtocolOptions is not null;

    public bool IsOriginalDestination => Cluster.Type == Cluster.Types.DiscoveryType.OriginalDst
        && Cluster.ClusterDiscoveryTypeCase == Cluster.ClusterDiscoveryTypeOneofCase.Type;

    public HttpProtocolOptions HttpOptions => Http ??= new HttpProtocolOptions();

    /// <summary>Speaks HTTP/2 with prior knowledge.</summary>
    public void UseHttp2() => HttpOptions.ExplicitHttpConfig = new() { Http2ProtocolOptions = new() };

    /// <summary>Speaks what the client spoke; keeps HTTP/1 options that were set before.</summary>
    public void UseDownstreamProtocol() => HttpOptions.UseDownstreamProtocolConfig = new()
    {
        HttpProtocolOptions = Http?.ExplicitHttpConfig?.HttpProtocolOptions ?? new Http1ProtocolOptions(),
        Http2ProtocolOptions = new(),
    };

    /// <summary>Keeps the case of HTTP/1 header names.</summary>
    public void PreserveHeaderCase() => HttpOptions.ExplicitHttpConfig = new()
    {
        HttpProtocolOptions = new()
        {
            HeaderKeyFormat = new()
            {
                StatefulFormatter = new()
                {
                    Name = "preserve_case",
                    TypedConfig = WireAny.Pack(new Envoy.Extensions.Http.HeaderFormatters.PreserveCase.V3.PreserveCaseFormatterConfig()),
                },
            },
        },
    };

    public Cluster Finish()
    {
        if (Http is null) return Cluster;
        // Envoy demands that some protocol is chosen as soon as any option is set.
        if (Http.UpstreamProtocolOptionsCase == HttpProtocolOptions.UpstreamProtocolOptionsOneofCase.None)
        {
            Http.ExplicitHttpConfig = new() { HttpProtocolOptions = new() };
        }
        Cluster.TypedExtensionProtocolOptions[HttpOptionsKey] = WireAny.Pack(Http);
        return Cluster;
    }

    public static Any Pack(HttpProtocolOptions options) => WireAny.Pack(options);

    public static void SetHttp(Cluster cluster, HttpProtocolOptions options) =>
        cluster.TypedExtensionProtocolOptions[HttpOptionsKey] = WireAny.Pack(options);
}
