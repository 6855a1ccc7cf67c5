using System.Text;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Http;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Filters.GrpcStats;

/// <summary>What is counted of one cluster, or of one method of it.</summary>
/// <param name="counter">Makes a counter by the last part of its name.</param>
/// <param name="times">Makes the group of the upstream's times, when the first is known.</param>
public sealed class GrpcCounters(Func<string, Counter> counter, Func<StatGroup> times)
{
    /// <summary>Times of the upstream.</summary>
    internal static readonly StatSchema Times = new([("upstream_rq_time", StatKind.Histogram)]);

    private StatGroup? _times;
    private readonly Counter?[] _codes = new Counter?[17];
    private Counter? _success, _failure, _total, _requests, _responses;

    /// <summary>A response's status.</summary>
    public void CountStatus(Worker worker, int code)
    {
        if ((uint)code < (uint)_codes.Length)
            (_codes[code] ??= counter(code.ToString(System.Globalization.CultureInfo.InvariantCulture))).Count(worker);
        if (code == 0)
            (_success ??= counter("success")).Count(worker);
        else
            (_failure ??= counter("failure")).Count(worker);
        (_total ??= counter("total")).Count(worker);
    }

    /// <summary>Milliseconds from the request's last byte to the response's.</summary>
    public void RecordTime(Worker worker, long millis) => (_times ??= times()).Of(worker.Index).Record(0, millis);

    /// <summary>Messages of requests.</summary>
    public void CountRequests(Worker worker, long messages)
    {
        if (messages > 0)
            (_requests ??= counter("request_message_count")).Add(worker, messages);
    }

    /// <summary>Messages of responses.</summary>
    public void CountResponses(Worker worker, long messages)
    {
        if (messages > 0)
            (_responses ??= counter("response_message_count")).Add(worker, messages);
    }
}

/// <summary>The counters of gRPC by cluster, and by method where asked for; a table for each worker, so that a warm request takes no lock
/// and makes no name.</summary>
/// <param name="store">Where counters live.</param>
/// <param name="protocol">grpc, or grpc-web.</param>
/// <param name="replaceDots">Dots of service names become underscores.</param>
public sealed class GrpcCounterTable(StatStore store, string protocol, bool replaceDots)
{
    // Methods come from requests: beyond this they are counted for the cluster alone.
    private const int MethodsMax = 1000;

    private sealed class OfCluster(GrpcCounters all)
    {
        public GrpcCounters All => all;

        public Dictionary<string, GrpcCounters> Methods { get; } = new(StringComparer.Ordinal);
    }

    private readonly Dictionary<string, OfCluster>[] _workers = [.. Enumerable.Range(0, store.Workers)
        .Select(_ => new Dictionary<string, OfCluster>(StringComparer.Ordinal))];

    /// <summary>The counters of an exchange's cluster, or of the method that its path names; null where it has no cluster.</summary>
    public GrpcCounters? Of(Exchange exchange, bool byMethod)
    {
        string cluster = exchange.Facts.ClusterStatName is { Length: > 0 } alternative ? alternative : exchange.Facts.ClusterName;
        if (cluster.Length == 0)
            return null;
        Dictionary<string, OfCluster> table = _workers[exchange.Worker.Index];
        if (!table.TryGetValue(cluster, out OfCluster? found))
        {
            string prefix = $"cluster.{cluster.Replace(':', '_')}.{protocol}.";
            table[cluster] = found = new OfCluster(
                new GrpcCounters(n => store.Counter(prefix + n), () => store.Group(prefix, GrpcCounters.Times)));
        }
        return byMethod && TrySplit(exchange.RequestHead[KnownHeader.Path], out int service, out int end)
            ? OfMethod(found, cluster, exchange.RequestHead[KnownHeader.Path], service, end) : found.All;
    }

    private GrpcCounters OfMethod(OfCluster cluster, string name, ReadOnlySpan<byte> path, int service, int end)
    {
        Span<char> text = stackalloc char[end];
        Encoding.Latin1.GetChars(path[..end], text);
        if (cluster.Methods.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(text, out GrpcCounters? counters))
            return counters;
        if (cluster.Methods.Count >= MethodsMax)
            return cluster.All;
        string serviceName = new(text[1..service]), method = new(text[(service + 1)..]);
        string prefix =
            $"cluster.{name.Replace(':', '_')}.{protocol}.{(replaceDots ? serviceName.Replace('.', '_') : serviceName)}.{method}.";
        return cluster.Methods[new string(text)] =
            new GrpcCounters(n => store.DynamicCounter(prefix + n), () => store.Group(prefix, GrpcCounters.Times));
    }

    /// <summary>The places of the second slash and of the end in /service/method; false where a path is none.</summary>
    public static bool TrySplit(ReadOnlySpan<byte> path, out int service, out int end)
    {
        int query = path.IndexOf((byte)'?');
        end = query < 0 ? path.Length : query;
        service = end < 2 || path[0] != '/' ? -1 : path[1..end].IndexOf((byte)'/') + 1;
        return service > 1 && end > service + 1 && end <= 512 && path[(service + 1)..end].IndexOf((byte)'/') < 0;
    }
}
