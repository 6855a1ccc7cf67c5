using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;

namespace Lateen.Proxy.Filters.Istio;

/// <summary>Counts each exchange under Istio's standard metrics (istio.stats).</summary>
public sealed class IstioStatsFilter(string name, IstioMetrics metrics, IstioSettings settings, bool isInbound, bool hostFallback) : HttpFilter(name)
{
    private const string Unknown = "unknown";

    /// <inheritdoc/>
    public override FilterPhases Phases => FilterPhases.End;

    /// <inheritdoc/>
    public override void OnEnd(FilterSlot slot)
    {
        Exchange x = slot.Exchange;
        WorkloadPeer peer = x.FilterState(isInbound ? PeerMetadataFilter.DownstreamKey : PeerMetadataFilter.UpstreamKey) as WorkloadPeer ?? WorkloadPeer.Unknown;
        (string service, string serviceName, string serviceNamespace) = Service(x);
        (string security, string source, string destination) = Security(x);
        int grpc = x.IsGrpc && GrpcStatus.Find(x.Facts, out int code) ? code : -1;
        var key = new SeriesKey(!isInbound, peer, service, serviceName, serviceNamespace, x.IsGrpc, x.Status, grpc, x.Flags, security, source, destination, settings, metrics.Told(x, settings));
        IstioSeries series = metrics.Of(x.Worker.Index, key);
        StreamBytes bytes = x.Facts.DownstreamBytes;
        for (int i = 0; i < settings.Metrics.Count; i++)
        {
            IstioMetric metric = settings.Metrics[i];
            switch (metric.Value)
            {
                case IstioValue.One:
                    series.Add(i, 1);
                    break;
                case IstioValue.Duration:
                    series.Record(i, (x.Worker.Loop.Now - x.Times.RequestBegin) / 1000);
                    break;
                case IstioValue.RequestBytes:
                    series.Record(i, bytes.HeadReceived + bytes.BodyReceived);
                    break;
                case IstioValue.ResponseBytes:
                    series.Record(i, bytes.HeadSent + bytes.BodySent);
                    break;
                default:
                    if (metrics.Number(x, metric.Expression!) is { } number)
                        series.Take(i, metric.Kind, number);
                    break;
            }
        }
    }

    private (string Service, string Name, string Namespace) Service(Exchange x)
    {
        if (x.Upstream.Cluster?.Cluster is { } cluster && ServiceOf(cluster) is { } known)
            return known;
        string route = x.Route?.Name ?? "";
        if (route == "block_all")
            return (Unknown, "BlackHoleCluster", Unknown);
        if (route == "allow_any")
            return (Unknown, "PassthroughCluster", Unknown);
        return hostFallback && x.RequestHead.TryGet(KnownHeader.Authority, out ReadOnlySpan<byte> host)
            ? (string.Intern(System.Text.Encoding.Latin1.GetString(host[..Math.Min(host.Length, 255)])), Unknown, Unknown)
            : (Unknown, Unknown, Unknown);
    }

    // istio.services[0] of the cluster's metadata; kept by cluster object, which lives as long as its configuration.
    private readonly System.Runtime.CompilerServices.ConditionalWeakTable<Clusters.Cluster, object> _services = [];

    private (string, string, string)? ServiceOf(Clusters.Cluster cluster)
    {
        if (!_services.TryGetValue(cluster, out object? known))
        {
            known = Read(cluster) is { } read ? read : new object();
            _services.TryAdd(cluster, known);
        }
        return known is ValueTuple<string, string, string> service ? service : null;
    }

    private static (string, string, string)? Read(Clusters.Cluster cluster)
    {
        if (!cluster.Metadata.TryGet("istio", ["services"], out System.Text.Json.JsonElement services) || services.ValueKind != System.Text.Json.JsonValueKind.Array || services.GetArrayLength() == 0)
            return null;
        System.Text.Json.JsonElement first = services[0];
        return (Text(first, "host"), Text(first, "name"), Text(first, "namespace"));
    }

    private static string Text(System.Text.Json.JsonElement e, string name) =>
        e.TryGetProperty(name, out System.Text.Json.JsonElement value) && value.ValueKind == System.Text.Json.JsonValueKind.String ? value.GetString()! : Unknown;

    private (string Security, string Source, string Destination) Security(Exchange x)
    {
        TlsFacts? tls = isInbound ? x.Connection.Context.Tls : x.Upstream.Tls;
        if (tls is null)
            return (isInbound ? "none" : Unknown, Unknown, Unknown);
        string peer = tls.PeerUris.Count > 0 ? tls.PeerUris[0] : Unknown, own = tls.LocalUris.Count > 0 ? tls.LocalUris[0] : Unknown;
        bool mutual = isInbound ? tls.PeerPresented : own != Unknown;
        return (isInbound ? mutual ? "mutual_tls" : "none" : Unknown, isInbound ? peer : own, isInbound ? own : peer);
    }
}
