using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Telemetry;

namespace Lateen.Proxy.Filters.Istio;

/// <summary>Everything that tells one series of the standard metrics from another.</summary>
internal readonly record struct SeriesKey(
    bool IsSource, WorkloadPeer Peer, string Service, string ServiceName, string ServiceNamespace, bool IsGrpc, int Status, int GrpcStatus, ResponseFlags Flags, string Security, string SourcePrincipal, string DestinationPrincipal);

/// <summary>The counters of one series, one worker's.</summary>
internal sealed class Series
{
    public long Requests;

    public Histogram Duration { get; } = new();

    public Histogram RequestBytes { get; } = new();

    public Histogram ResponseBytes { get; } = new();

    public void Add(Series other)
    {
        Requests += other.Requests;
        Duration.Add(other.Duration);
        RequestBytes.Add(other.RequestBytes);
        ResponseBytes.Add(other.ResponseBytes);
    }
}

/// <summary>All series of a proxy, by worker. A worker writes its own; the admin page reads them by a letter to each worker.</summary>
public sealed class IstioMetrics(int workers)
{
    // Past this many series of one worker, further ones are counted together under labels that say so.
    private const int SeriesMax = 20_000;

    private readonly Dictionary<SeriesKey, Series>[] _workers = [.. Enumerable.Range(0, workers).Select(_ => new Dictionary<SeriesKey, Series>())];
    private static readonly SeriesKey Overflow = new(false, WorkloadPeer.Unknown, "overflow", "overflow", "overflow", false, 0, -1, ResponseFlags.None, "unknown", "unknown", "unknown");

    internal Series Of(int worker, in SeriesKey key)
    {
        Dictionary<SeriesKey, Series> mine = _workers[worker];
        if (mine.TryGetValue(key, out Series? series))
            return series;
        SeriesKey kept = mine.Count < SeriesMax ? key : Overflow;
        if (!mine.TryGetValue(kept, out series))
        {
            // Readers copy the dictionary under the same lock; only a new series takes it.
            lock (mine)
                mine[kept] = series = new Series();
        }
        return series;
    }

    /// <summary>Writes all series as Prometheus text. From any thread: counts may lag by what is in flight.</summary>
    public void Write(WorkloadPeer own, ByteBuffer to)
    {
        var all = new Dictionary<SeriesKey, Series>();
        foreach (Dictionary<SeriesKey, Series> worker in _workers)
        {
            lock (worker)
            {
                foreach ((SeriesKey key, Series series) in worker)
                {
                    if (!all.TryGetValue(key, out Series? sum))
                        all[key] = sum = new Series();
                    sum.Add(series);
                }
            }
        }
        var labels = all.Select(p => (Labels: Labels(p.Key, own), p.Value)).ToArray();
        WriteCounter("istio_requests_total", labels, to);
        WriteHistogram("istio_request_duration_milliseconds", labels, s => s.Duration, to);
        WriteHistogram("istio_request_bytes", labels, s => s.RequestBytes, to);
        WriteHistogram("istio_response_bytes", labels, s => s.ResponseBytes, to);
    }

    private static void WriteCounter(string name, (byte[] Labels, Series Value)[] series, ByteBuffer to)
    {
        if (series.Length == 0)
            return;
        to.Append($"# TYPE {name} counter\n");
        foreach ((byte[] labels, Series value) in series)
        {
            to.Append(name);
            to.Append((byte)'{');
            to.Append(labels);
            to.Append("} "u8);
            to.Append(value.Requests);
            to.Append((byte)'\n');
        }
    }

    private static void WriteHistogram(string name, (byte[] Labels, Series Value)[] series, Func<Series, Histogram> of, ByteBuffer to)
    {
        if (series.Length == 0)
            return;
        to.Append($"# TYPE {name} histogram\n");
        foreach ((byte[] labels, Series value) in series)
            of(value).Write(name, labels, to);
    }

    private static byte[] Labels(SeriesKey k, WorkloadPeer own)
    {
        (WorkloadPeer source, WorkloadPeer destination) = k.IsSource ? (own, k.Peer) : (k.Peer, own);
        var text = new ByteBuffer(512);
        Put(text, "reporter", k.IsSource ? "source" : "destination");
        Put(text, "source_workload", source.Workload);
        Put(text, "source_canonical_service", source.CanonicalService);
        Put(text, "source_canonical_revision", source.CanonicalRevision);
        Put(text, "source_workload_namespace", source.Namespace);
        Put(text, "source_principal", k.SourcePrincipal);
        Put(text, "source_app", source.App);
        Put(text, "source_version", source.Version);
        Put(text, "source_cluster", source.Cluster);
        Put(text, "destination_workload", destination.Workload);
        Put(text, "destination_workload_namespace", destination.Namespace);
        Put(text, "destination_principal", k.DestinationPrincipal);
        Put(text, "destination_app", destination.App);
        Put(text, "destination_version", destination.Version);
        Put(text, "destination_service", k.Service);
        Put(text, "destination_canonical_service", destination.CanonicalService);
        Put(text, "destination_canonical_revision", destination.CanonicalRevision);
        Put(text, "destination_service_name", k.ServiceName);
        Put(text, "destination_service_namespace", k.ServiceNamespace);
        Put(text, "destination_cluster", destination.Cluster);
        Put(text, "request_protocol", k.IsGrpc ? "grpc" : "http");
        Put(text, "response_code", k.Status.ToString(System.Globalization.CultureInfo.InvariantCulture));
        Put(text, "grpc_response_status", k.GrpcStatus < 0 ? "" : k.GrpcStatus.ToString(System.Globalization.CultureInfo.InvariantCulture));
        var flags = new ByteBuffer();
        Put(text, "response_flags", ResponseFlagNames.Write(k.Flags, flags) ? System.Text.Encoding.ASCII.GetString(flags.Written) : "-");
        Put(text, "connection_security_policy", k.Security);
        return text.Written.ToArray();
    }

    private static void Put(ByteBuffer to, string name, string value)
    {
        if (to.Length > 0)
            to.Append((byte)',');
        to.Append(name);
        to.Append("=\""u8);
        // A value that a peer chose must not break the text: quotes, backslashes and line ends are escaped.
        to.Append(value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal));
        to.Append((byte)'"');
    }
}

/// <summary>Counts each exchange under Istio's standard metrics (istio.stats).</summary>
public sealed class IstioStatsFilter(string name, IstioMetrics metrics, bool isInbound, bool hostFallback) : HttpFilter(name)
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
        Series series = metrics.Of(x.Worker.Index, new SeriesKey(!isInbound, peer, service, serviceName, serviceNamespace, x.IsGrpc, x.Status, grpc, x.Flags, security, source, destination));
        series.Requests++;
        series.Duration.Record((x.Worker.Loop.Now - x.Times.RequestBegin) / 1000.0);
        StreamBytes bytes = x.Facts.DownstreamBytes;
        series.RequestBytes.Record(bytes.HeadReceived + bytes.BodyReceived);
        series.ResponseBytes.Record(bytes.HeadSent + bytes.BodySent);
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
