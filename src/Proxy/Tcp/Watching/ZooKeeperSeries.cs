using System.Text;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Tcp.Watching;

/// <summary>What is counted of ZooKeeper's messages, under <c>PREFIX.zookeeper.</c>: for each operation requests, answers (fast and slow
/// ones, where that is asked for), and the time between.</summary>
public sealed class ZooKeeperSeries
{
    private const int DecoderErrors = 0, RequestedBytes = 1, AnsweredBytes = 2, Watched = 3, ReadOnlyConnects = 4, FirstOp = 5, OfOp = 4;

    private static readonly ZooKeeperOp[] Ops = Enum.GetValues<ZooKeeperOp>();

    private static readonly StatSchema Schema = StatSchema.Counters(
    [
        "decoder_error", "request_bytes", "response_bytes", "watch_event", "connect_readonly_rq",
        .. Ops.SelectMany(static op => new[] { Requested(op), $"{NameOf(op)}_resp", $"{NameOf(op)}_resp_fast", $"{NameOf(op)}_resp_slow" }),
    ]);

    private static readonly StatSchema Latencies = new([.. Ops.Select(static op => ($"{AnswerNameOf(op)}_latency", StatKind.Histogram))]);

    private static readonly HashSet<string> Schemes = ["auth", "digest", "host", "ip", "ping_response", "world", "x509"];

    private readonly StatStore _store;
    private readonly StatGroup _group, _latencies;

    /// <summary>Counters under a prefix.</summary>
    public ZooKeeperSeries(StatStore store, string prefix)
    {
        _store = store;
        _group = store.Group($"{prefix}.zookeeper.", Schema);
        _latencies = store.Group($"{prefix}.zookeeper.", Latencies);
    }

    /// <summary>An operation as statistics and metadata call it.</summary>
    public static string NameOf(ZooKeeperOp op) => op == ZooKeeperOp.SetAuth ? "auth" : op.ToString().ToLowerInvariant();

    /// <summary>Its answer as metadata calls it, and the series of its time.</summary>
    public static string AnswerNameOf(ZooKeeperOp op) =>
        op is ZooKeeperOp.Connect or ZooKeeperOp.Ping or ZooKeeperOp.SetAuth ? $"{NameOf(op)}_response" : $"{NameOf(op)}_resp";

    // Requests of authentication are counted by their scheme.
    private static string Requested(ZooKeeperOp op) => op == ZooKeeperOp.SetAuth ? "setauth_rq" : $"{NameOf(op)}_rq";

    private static int PlaceOf(ZooKeeperOp op) => FirstOp + (Array.IndexOf(Ops, op) * OfOp);

    internal void Request(Worker worker, ZooKeeperOp op, bool readOnly) =>
        _group.Of(worker.Index).Count(readOnly ? ReadOnlyConnects : PlaceOf(op));

    internal void Auth(Worker worker, ReadOnlySpan<byte> scheme)
    {
        string name = Encoding.Latin1.GetString(scheme[..Math.Min(scheme.Length, 16)]);
        _store.Counter($"{_group.Prefix}auth.{(Schemes.Contains(name) ? name : "unknown_scheme")}_rq").Count(worker);
    }

    internal void Response(Worker worker, ZooKeeperOp op, long millis, bool? fast)
    {
        StatCells cells = _group.Of(worker.Index);
        cells.Count(PlaceOf(op) + 1);
        if (fast is { } judged)
            cells.Count(PlaceOf(op) + (judged ? 2 : 3));
        _latencies.Of(worker.Index).Record(Array.IndexOf(Ops, op), millis);
    }

    internal void WatchEvent(Worker worker) => _group.Of(worker.Index).Count(Watched);

    internal void RequestBytes(Worker worker, ZooKeeperOp? op, long bytes)
    {
        _group.Of(worker.Index).Add(RequestedBytes, bytes);
        if (op is { } of)
            _store.Counter($"{_group.Prefix}{NameOf(of)}_rq_bytes").Add(worker, bytes);
    }

    internal void ResponseBytes(Worker worker, ZooKeeperOp? op, long bytes)
    {
        _group.Of(worker.Index).Add(AnsweredBytes, bytes);
        if (op is { } of)
            _store.Counter($"{_group.Prefix}{NameOf(of)}_resp_bytes").Add(worker, bytes);
    }

    internal void DecoderError(Worker worker, ZooKeeperOp? op)
    {
        _group.Of(worker.Index).Count(DecoderErrors);
        if (op is { } of && Enum.IsDefined(of))
            _store.Counter($"{_group.Prefix}{NameOf(of)}_decoder_error").Count(worker);
    }
}
