using System.Globalization;
using Lateen.Proxy.Cel;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Filters.Istio;

/// <summary>What a metric counts.</summary>
public enum IstioValue : byte
{
    One,
    Duration,
    RequestBytes,
    ResponseBytes,
    RequestMessages,
    ResponseMessages,
    Opened,
    Closed,
    Sent,
    Received,
    Expression,
}

/// <summary>At which moments a metric is counted; each has labels of its own.</summary>
[Flags]
public enum IstioScope : byte
{
    /// <summary>A request's end.</summary>
    Request = 1,

    /// <summary>Messages of a gRPC stream, each interval and at its end: protocol, answer and flags are no labels, since they are not known
    /// yet.</summary>
    Message = 2,

    /// <summary>A connection's opening, each interval of it, and its end.</summary>
    Connection = 4,
}

/// <summary>A metric of a mesh.</summary>
/// <param name="Name">Its whole name: istio_requests_total.</param>
/// <param name="Scope">When it is counted.</param>
/// <param name="Kind">Counter, gauge or histogram.</param>
/// <param name="Value">Where its number comes from.</param>
public sealed record IstioMetric(string Name, IstioScope Scope, StatKind Kind, IstioValue Value)
{
    /// <summary>The number of <see cref="IstioValue.Expression"/>.</summary>
    public CelProgram? Expression { get; init; }

    /// <summary>Tags that are told otherwise, or besides, by the number of their expression.</summary>
    public IReadOnlyDictionary<string, int> Tags { get; init; } = new Dictionary<string, int>();

    /// <summary>Tags that it has not.</summary>
    public IReadOnlySet<string> Removed { get; init; } = new HashSet<string>();
}

/// <summary>The metrics of one filter, and the expressions that their tags ask for.</summary>
public sealed record IstioSettings(WorkloadPeer Own, IReadOnlyList<IstioMetric> Metrics, IReadOnlyList<CelProgram> Expressions)
{
    /// <summary>From where it tells.</summary>
    public IstioReporter Reporter { get; init; }

    /// <summary>The host header names the service where nothing else does.</summary>
    public bool HostFallback { get; init; }

    /// <summary>How often what is still open is told, in microseconds; 0 for never.</summary>
    public long IntervalMicros { get; init; } = 5_000_000;
}

/// <summary>Everything that tells one series of the standard metrics from another.</summary>
internal readonly record struct SeriesKey(IstioScope Scope, in IstioParties Parties, bool IsGrpc, int Status, int GrpcStatus,
    ResponseFlags Flags, IstioSettings Settings, string Told);

/// <summary>One worker's numbers of one key, a cell a metric of its scope.</summary>
internal sealed class IstioSeries(IstioSettings settings, IstioScope scope)
{
    private readonly long[] _numbers = new long[settings.Metrics.Count];
    private readonly LogLinearCells?[] _histograms =
        [.. settings.Metrics.Select(m => m.Kind == StatKind.Histogram && (m.Scope & scope) != 0 ? new LogLinearCells() : null)];

    public void Add(int metric, long by) => _numbers[metric] += by;

    public void Record(int metric, long value) => _histograms[metric]!.Record(value);

    public void Take(int metric, StatKind kind, long value)
    {
        if (kind == StatKind.Histogram)
            Record(metric, value);
        else if (kind == StatKind.Gauge)
            _numbers[metric] = value;
        else
            Add(metric, value);
    }

    public long Read(int metric) => Volatile.Read(ref _numbers[metric]);

    public LogLinearCells Histogram(int metric) => _histograms[metric]!;
}

/// <summary>All series of the standard metrics of a proxy: a worker finds its own by key, readers see them summed under names with
/// tags.</summary>
public sealed class IstioMetrics : StatSource
{
    // Past this many series of one worker, further ones are counted together under labels that say so.
    private const int SeriesMax = 20_000;

    private static readonly IstioParties Overflow =
        new(WorkloadPeer.Unknown, WorkloadPeer.Unknown, "overflow", "overflow", "overflow", "overflow", "overflow", "overflow", "overflow",
            "unknown");

    private const char Between = '\u001f';

    private readonly Dictionary<SeriesKey, IstioSeries>[] _workers;
    private readonly HashSet<string>[] _texts;
    private readonly ByteBuffer[] _scratch;
    private readonly Dictionary<string, (StatSeries Series, List<(IstioSeries, int)> Parts)> _made = new(StringComparer.Ordinal);
    private int _version;

    /// <summary>None yet.</summary>
    public IstioMetrics(int workers)
    {
        _workers = [.. Enumerable.Range(0, workers).Select(static _ => new Dictionary<SeriesKey, IstioSeries>())];
        _texts = [.. Enumerable.Range(0, workers).Select(static _ => new HashSet<string>(StringComparer.Ordinal))];
        _scratch = [.. Enumerable.Range(0, workers).Select(static _ => new ByteBuffer(256))];
    }

    internal override int Version => Volatile.Read(ref _version);

    internal IstioSeries Of(int worker, in SeriesKey key)
    {
        Dictionary<SeriesKey, IstioSeries> mine = _workers[worker];
        if (mine.TryGetValue(key, out IstioSeries? series))
            return series;
        SeriesKey kept = mine.Count < SeriesMax
            ? key : new SeriesKey(key.Scope, Overflow, false, 0, -1, ResponseFlags.None, key.Settings, "");
        if (!mine.TryGetValue(kept, out series))
        {
            // Readers copy the dictionary under the same lock; only a new series takes it.
            lock (mine)
                mine[kept] = series = new IstioSeries(kept.Settings, kept.Scope);
            Interlocked.Increment(ref _version);
        }
        return series;
    }

    /// <summary>What the expressions of the tags give for a stream; the same text is the same object.</summary>
    internal string Told(int worker, IStreamFacts facts, IstioSettings settings)
    {
        if (settings.Expressions.Count == 0)
            return "";
        ByteBuffer text = _scratch[worker];
        text.Clear();
        for (int i = 0; i < settings.Expressions.Count; i++)
        {
            int from = text.Length;
            CelKind kind = settings.Expressions[i].Print(facts, text);
            if (kind is CelKind.Error or CelKind.Null || text.Length == from)
            {
                text.Truncate(from);
                text.Append("unknown"u8);
            }
            else if (text.Length - from > 255)
            {
                text.Truncate(from + 255);
            }
            text.Append((byte)Between);
        }
        Span<char> chars = text.Length <= 2048 ? stackalloc char[text.Length] : new char[text.Length];
        int n = System.Text.Encoding.UTF8.GetChars(text.Written, chars);
        HashSet<string> known = _texts[worker];
        HashSet<string>.AlternateLookup<ReadOnlySpan<char>> lookup = known.GetAlternateLookup<ReadOnlySpan<char>>();
        if (lookup.TryGetValue(chars[..n], out string? kept))
            return kept;
        kept = chars[..n].ToString();
        if (known.Count < SeriesMax)
            known.Add(kept);
        return kept;
    }

    /// <summary>A number of an expression; null where it gives none.</summary>
    internal long? Number(int worker, IStreamFacts facts, CelProgram program)
    {
        ByteBuffer text = _scratch[worker];
        text.Clear();
        return program.Print(facts, text) is not (CelKind.Error or CelKind.Null)
            && double.TryParse(text.Written, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && number >= 0
            ? (long)number : null;
    }

    internal override void Collect(List<StatSeries> to)
    {
        // Keys that differ in a tag that a metric has not are one series of it. A series stays the same object: it remembers what its last
        // interval brought.
        foreach ((_, List<(IstioSeries, int)> parts) in _made.Values)
            parts.Clear();
        foreach (Dictionary<SeriesKey, IstioSeries> worker in _workers)
        {
            KeyValuePair<SeriesKey, IstioSeries>[] all;
            lock (worker)
                all = [.. worker];
            foreach ((SeriesKey key, IstioSeries series) in all)
                Collect(key, series, _made);
        }
        foreach ((StatSeries series, _) in _made.Values)
            to.Add(series);
    }

    private static void Collect(in SeriesKey key, IstioSeries series,
        Dictionary<string, (StatSeries Series, List<(IstioSeries, int)> Parts)> made)
    {
        List<(string Tag, string Value)> all = Tags(key);
        string[] told = key.Told.Split(Between);
        for (int i = 0; i < key.Settings.Metrics.Count; i++)
        {
            IstioMetric metric = key.Settings.Metrics[i];
            if ((metric.Scope & key.Scope) == 0)
                continue;
            // Metrics by expression have the tags that are asked for, and no others.
            List<(string, string)> tags = metric.Value == IstioValue.Expression
                ? Own(metric, [], told) : metric.Tags.Count == 0 && metric.Removed.Count == 0 ? all : Own(metric, all, told);
            string name = $"istiocustom.{metric.Name}.{string.Join('.', tags.Select(static t => $"{t.Item1}.{t.Item2}"))}";
            if (!made.TryGetValue(name, out (StatSeries Series, List<(IstioSeries, int)> Parts) kept))
            {
                var parts = new List<(IstioSeries, int)>();
                made[name] = kept = (metric.Kind == StatKind.Histogram
                    ? new TaggedHistogram(name, metric.Name, tags, parts) : new TaggedNumber(name, metric, tags, parts), parts);
            }
            kept.Parts.Add((series, i));
        }
    }

    private static List<(string, string)> Own(IstioMetric metric, List<(string Tag, string Value)> all, string[] told)
    {
        var tags = new List<(string, string)>(all.Count + metric.Tags.Count);
        string Value(int expression) => expression < told.Length && told[expression].Length > 0 ? told[expression] : "unknown";
        foreach ((string tag, string value) in all)
        {
            if (!metric.Removed.Contains(tag))
                tags.Add((tag, metric.Tags.TryGetValue(tag, out int expression) ? Value(expression) : value));
        }
        foreach ((string tag, int expression) in metric.Tags.OrderBy(static t => t.Key, StringComparer.Ordinal))
        {
            if (!metric.Removed.Contains(tag) && !all.Exists(t => t.Tag == tag))
                tags.Add((tag, Value(expression)));
        }
        return tags;
    }

    private static List<(string Tag, string Value)> Tags(in SeriesKey k)
    {
        IstioReporter reporter = k.Settings.Reporter;
        WorkloadPeer source = k.Parties.Source, destination = k.Parties.Destination;
        List<(string Tag, string Value)> tags =
        [
            ("reporter", reporter switch { IstioReporter.Source => "source", IstioReporter.Destination => "destination", _ => "waypoint" }),
            ("source_workload", source.Workload),
            ("source_canonical_service", source.CanonicalService),
            ("source_canonical_revision", source.CanonicalRevision),
            ("source_workload_namespace", k.Parties.SourceNamespace),
            ("source_principal", k.Parties.SourcePrincipal),
            ("source_app", source.App),
            ("source_version", source.Version),
            ("source_cluster", source.Cluster),
            ("destination_workload", destination.Workload),
            ("destination_workload_namespace", k.Parties.DestinationNamespace),
            ("destination_principal", k.Parties.DestinationPrincipal),
            ("destination_app", destination.App),
            ("destination_version", destination.Version),
            ("destination_service", k.Parties.Service),
            ("destination_canonical_service", destination.CanonicalService),
            ("destination_canonical_revision", destination.CanonicalRevision),
            ("destination_service_name", k.Parties.ServiceName),
            ("destination_service_namespace", k.Parties.ServiceNamespace),
            ("destination_cluster", reporter == IstioReporter.Waypoint ? k.Settings.Own.Cluster : destination.Cluster),
        ];
        if (k.Scope == IstioScope.Message)
            return tags;
        tags.Add(("request_protocol", k.Scope == IstioScope.Connection ? "tcp" : k.IsGrpc ? "grpc" : "http"));
        if (k.Scope == IstioScope.Request)
        {
            tags.Add(("response_code", k.Status.ToString(CultureInfo.InvariantCulture)));
            tags.Add(("grpc_response_status", k.GrpcStatus < 0 ? "" : k.GrpcStatus.ToString(CultureInfo.InvariantCulture)));
        }
        var flags = new ByteBuffer();
        tags.Add(("response_flags", ResponseFlagNames.Write(k.Flags, flags) ? System.Text.Encoding.ASCII.GetString(flags.Written) : "-"));
        tags.Add(("connection_security_policy", k.Parties.Security));
        return tags;
    }

    private sealed class TaggedNumber(string name, IstioMetric metric, IReadOnlyList<(string, string)> tags,
        List<(IstioSeries Series, int Metric)> parts)
        : StatSeries(name, metric.Kind), ITaggedSeries
    {
        private long _baseline;

        public string Family => metric.Name;

        public IReadOnlyList<(string Tag, string Value)> Tags => tags;

        public override long Value => Sum() - _baseline;

        public override bool IsUsed => true;

        internal override void Reset()
        {
            if (Kind == StatKind.Counter)
                _baseline = Sum();
        }

        private long Sum()
        {
            long sum = 0;
            foreach ((IstioSeries series, int at) in parts)
                sum += series.Read(at);
            return sum;
        }
    }

    private sealed class TaggedHistogram(string name, string family, IReadOnlyList<(string, string)> tags,
        List<(IstioSeries Series, int Metric)> parts)
        : HistogramSeries(name, into => parts.ForEach(p => p.Series.Histogram(p.Metric).AddTo(into))), ITaggedSeries
    {
        public string Family => family;

        public IReadOnlyList<(string Tag, string Value)> Tags => tags;
    }
}
