using Lateen.Proxy.Filters.Router;
using Lateen.Proxy.Remote;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Upstream.Calls;
using Core = Envoy.Config.Core.V3;

namespace Lateen.Proxy.Xds;

/// <summary>Where the calls of filters go: http_uri and grpc_service.</summary>
internal static class SideTranslator
{
    /// <summary>The target of a URI's cluster; null with a rejection.</summary>
    public static SideTarget? Target(Core.HttpUri uri, Translation translation, Rejections rejections)
    {
        if (uri.Cluster.Length > 0)
            return Target(uri.Cluster, ValueTranslator.Micros(uri.Timeout), translation);
        rejections.Add("http_uri.cluster is required");
        return null;
    }

    /// <summary>The target of a cluster.</summary>
    public static SideTarget Target(string cluster, long timeoutMicros, Translation translation) =>
        new(translation.Upstreams, translation.Clusters.Handle(cluster))
        {
            TimeoutMicros = timeoutMicros,
            OwnAddress = translation.OwnAddress,
        };

    /// <summary>A method of a gRPC service; null with a rejection.</summary>
    public static GrpcMethod? Grpc(Core.GrpcService service, string path, long timeoutMicros, Translation translation,
        Rejections rejections)
    {
        using Rejections.Scope scope = rejections.In("grpc_service");
        if (service.EnvoyGrpc is not { } grpc)
        {
            rejections.Add("google_grpc is not served: use envoy_grpc with a cluster");
            return null;
        }
        SideTarget target = Target(grpc.ClusterName, ValueTranslator.Micros(service.Timeout, timeoutMicros), translation);
        Core.RetryPolicy? retry = service.RetryPolicy ?? grpc.RetryPolicy;
        return new GrpcMethod(retry is null ? target : target with { Retry = Retry(retry) },
            grpc.Authority.Length > 0 ? grpc.Authority : grpc.ClusterName, path,
            [.. service.InitialMetadata.Select(static h => KeyValuePair.Create(h.Key.ToLowerInvariant(), h.Value))]);
    }

    /// <summary>Authority and path of a URI.</summary>
    public static (string Authority, string Path) Split(string uri)
    {
        int scheme = uri.IndexOf("://", StringComparison.Ordinal), from = scheme < 0 ? 0 : scheme + 3;
        int slash = uri.IndexOf('/', from);
        return slash < 0 ? (uri[from..], "/") : (uri[from..slash], uri[slash..]);
    }

    /// <summary>Retries of a call.</summary>
    public static RetryPolicy Retry(Core.RetryPolicy retry)
    {
        RetryOn on = retry.RetryOn.Length == 0
            ? RetryOn.FiveXx | RetryOn.GatewayError | RetryOn.ConnectFailure | RetryOn.Reset
            : RetryWords.Parse(System.Text.Encoding.ASCII.GetBytes(retry.RetryOn), false)
                | RetryWords.Parse(System.Text.Encoding.ASCII.GetBytes(retry.RetryOn), true);
        long first = ValueTranslator.Micros(retry.RetryBackOff?.BaseInterval, 1_000_000);
        return new RetryPolicy
        {
            On = on,
            NumRetries = retry.NumRetries ?? 1,
            BaseMicros = Math.Max(1000, first),
            MaxMicros = ValueTranslator.Micros(retry.RetryBackOff?.MaxInterval, first * 10),
        };
    }
}
