using Google.Protobuf;
using Lateen.Proxy.Clusters;
using Core = Envoy.Config.Core.V3;

namespace Lateen.Proxy.Xds;

/// <summary>Active health checks.</summary>
internal static class HealthCheckTranslator
{
    // Envoy knows no limit where none is wanted.
    private const int BodyBytesMost = 1024 * 1024;

    /// <summary>One check; null with a rejection where its kind is not served.</summary>
    public static HealthCheckOptions? Check(Core.HealthCheck check, Rejections rejections)
    {
        var options = new HealthCheckOptions
        {
            TimeoutMicros = ValueTranslator.Micros(check.Timeout),
            IntervalMicros = ValueTranslator.Micros(check.Interval),
            InitialJitterMicros = ValueTranslator.Micros(check.InitialJitter),
            IntervalJitterMicros = ValueTranslator.Micros(check.IntervalJitter),
            IntervalJitterPercent = check.IntervalJitterPercent,
            UnhealthyThreshold = check.UnhealthyThreshold ?? 1,
            HealthyThreshold = check.HealthyThreshold ?? 1,
            NoTrafficIntervalMicros = ValueTranslator.Micros(check.NoTrafficInterval, 60_000_000),
            NoTrafficHealthyIntervalMicros = ValueTranslator.Micros(check.NoTrafficHealthyInterval),
            UnhealthyIntervalMicros = ValueTranslator.Micros(check.UnhealthyInterval),
            UnhealthyEdgeIntervalMicros = ValueTranslator.Micros(check.UnhealthyEdgeInterval),
            HealthyEdgeIntervalMicros = ValueTranslator.Micros(check.HealthyEdgeInterval),
            ReuseConnection = check.ReuseConnection ?? true,
            AltPort = (int)(check.AltPort ?? 0),
            AlwaysLogFailures = check.AlwaysLogHealthCheckFailures,
            Alpn = [.. check.TlsOptions?.AlpnProtocols ?? []],
        };
        if (options.TimeoutMicros == 0 || options.IntervalMicros == 0)
            rejections.Add("a health check needs timeout and interval");
        switch (check.HealthCheckerCase)
        {
            case Core.HealthCheck.HealthCheckerOneofCase.HttpHealthCheck:
                return Http(options, check.HttpHealthCheck, rejections);
            case Core.HealthCheck.HealthCheckerOneofCase.GrpcHealthCheck:
                return options with
                {
                    Kind = HealthCheckKind.Grpc,
                    Http2 = true,
                    GrpcService = check.GrpcHealthCheck.ServiceName,
                    GrpcAuthority = check.GrpcHealthCheck.Authority,
                    HeadersToAdd = [.. check.GrpcHealthCheck.InitialMetadata.Select(
                        h => (h.Header.Key.ToLowerInvariant(), h.Header.Value))],
                };
            case Core.HealthCheck.HealthCheckerOneofCase.TcpHealthCheck:
                return options with
                {
                    Kind = HealthCheckKind.Tcp,
                    Send = Bytes(check.TcpHealthCheck.Send, rejections),
                    Receive = [.. check.TcpHealthCheck.Receive.Select(r => Bytes(r, rejections))],
                };
            default:
                rejections.Add($"health check {check.HealthCheckerCase} is not served");
                return null;
        }
    }

    private static HealthCheckOptions Http(HealthCheckOptions options, Core.HealthCheck.Types.HttpHealthCheck http,
        Rejections rejections) => options with
        {
            Kind = HealthCheckKind.Http,
            Host = http.Host,
            Path = http.Path,
            Method = http.Method == Core.RequestMethod.MethodUnspecified ? "GET" : http.Method.ToString().ToUpperInvariant(),
            Http2 = http.CodecClientType == Envoy.Type.V3.CodecClientType.Http2,
            HeadersToAdd = [.. http.RequestHeadersToAdd.Select(h => (h.Header.Key.ToLowerInvariant(), h.Header.Value))],
            HeadersToRemove = [.. http.RequestHeadersToRemove.Select(h => h.ToLowerInvariant())],
            ExpectedStatuses = [.. http.ExpectedStatuses.Select(r => ((int)r.Start, (int)r.End))],
            RetriableStatuses = [.. http.RetriableStatuses.Select(r => ((int)r.Start, (int)r.End))],
            ServiceName = http.ServiceNameMatcher is null ? null : MatcherTranslator.String(http.ServiceNameMatcher, rejections),
            Send = BodyOf(http, rejections),
            BodyBytesMax = http.ResponseBufferSize == 0 ? BodyBytesMost : (int)Math.Min(http.ResponseBufferSize ?? 1024, BodyBytesMost),
            Receive = [.. http.Receive.Select(r => Bytes(r, rejections))],
        };

    private static byte[] BodyOf(Core.HealthCheck.Types.HttpHealthCheck http, Rejections rejections)
    {
        if (http.Send is not null && http.Method is not (Core.RequestMethod.Post or Core.RequestMethod.Put or Core.RequestMethod.Patch
            or Core.RequestMethod.Options))
            rejections.Add($"http_health_check.send asks for a method whose requests have a body, not {http.Method}");
        return Bytes(http.Send, rejections);
    }

    private static byte[] Bytes(Core.HealthCheck.Types.Payload? payload, Rejections rejections)
    {
        if (payload is null)
            return [];
        if (payload.PayloadCase == Core.HealthCheck.Types.Payload.PayloadOneofCase.Binary)
            return payload.Binary.ToByteArray();
        try
        {
            return Convert.FromHexString(payload.Text);
        }
        catch (FormatException)
        {
            rejections.Add($"invalid hex string '{payload.Text}'");
            return [];
        }
    }
}
