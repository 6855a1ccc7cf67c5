using System.Buffers.Text;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Net;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Telemetry;

/// <summary>Where statistics are pushed to, and in which words.</summary>
/// <param name="To">A statsd server.</param>
/// <param name="Prefix">In front of each name, with its dot.</param>
/// <param name="Tagged">Tags behind the value (DogStatsD), out of the name.</param>
/// <param name="BytesMax">Of a datagram.</param>
public sealed record StatsdOptions(Address To, string Prefix, bool Tagged, int BytesMax);

/// <summary>
/// Pushes what was counted since the last flush to a statsd server by UDP, each flush interval, from the main loop: counters as what they
/// grew by, gauges as they stand, histograms as the values of the interval, one line a bin with its rate. What is lost on the way is lost,
/// as with every statsd client. Names and tags are made once a series.
/// </summary>
public sealed class StatsdSink(StatsdOptions options, StatStore store)
{
    private readonly Dictionary<StatSeries, Told> _told = new(ReferenceEqualityComparer.Instance);
    private readonly ByteBuffer _datagram = new(2048), _line = new(256);
    private int _generation = -1;

    /// <summary>The server has an address of IPv6.</summary>
    public bool ToV6 => options.To.Kind == AddressKind.V6;

    private sealed class Told(byte[] name, byte[] tags)
    {
        public byte[] Name => name;

        public byte[] Tags => tags;

        public long Last { get; set; }
    }

    /// <summary>Sends what there is. Main loop, behind the store's own flush.</summary>
    public void Flush(DatagramSocket socket)
    {
        ReadOnlySpan<StatSeries> all = store.All();
        if (_generation != store.Generation)
            Forget(all);
        _datagram.Clear();
        foreach (StatSeries series in all)
        {
            if (series.IsHidden || !series.IsUsed)
                continue;
            if (!_told.TryGetValue(series, out Told? told))
                _told[series] = told = Of(series);
            One(series, told, socket);
        }
        Send(socket);
    }

    private void Forget(ReadOnlySpan<StatSeries> all)
    {
        _generation = store.Generation;
        var kept = new HashSet<StatSeries>(ReferenceEqualityComparer.Instance);
        foreach (StatSeries series in all)
            kept.Add(series);
        foreach (StatSeries gone in _told.Keys.Where(s => !kept.Contains(s)).ToArray())
            _told.Remove(gone);
    }

    private void One(StatSeries series, Told told, DatagramSocket socket)
    {
        switch (series)
        {
            case HistogramSeries histogram:
                foreach ((double lower, double width, long count) in histogram.Interval.Bins)
                    Line(told, (long)(lower + (width / 2)), "|ms"u8, count, socket);
                break;
            case { Kind: StatKind.Counter }:
                long now = series.Value, grown = now - told.Last;
                told.Last = now;
                // A counter that was reset begins again.
                if (grown != 0)
                    Line(told, grown > 0 ? grown : now, "|c"u8, 1, socket);
                break;
            case { Kind: StatKind.Gauge }:
                Line(told, series.Value, "|g"u8, 1, socket);
                break;
        }
    }

    private void Line(Told told, long value, ReadOnlySpan<byte> kind, long times, DatagramSocket socket)
    {
        _line.Clear();
        _line.Append(told.Name);
        _line.Append((byte)':');
        _line.Append(value);
        _line.Append(kind);
        if (times > 1)
        {
            _line.Append("|@"u8);
            Span<byte> rate = stackalloc byte[32];
            Utf8Formatter.TryFormat(1.0 / times, rate, out int n, new System.Buffers.StandardFormat('F', 9));
            _line.Append(rate[..n]);
        }
        _line.Append(told.Tags);
        if (_datagram.Length > 0 && _datagram.Length + 1 + _line.Length > options.BytesMax)
            Send(socket);
        if (_datagram.Length > 0)
            _datagram.Append((byte)'\n');
        _datagram.Append(_line.Written);
    }

    private void Send(DatagramSocket socket)
    {
        if (_datagram.Length > 0)
            socket.Send(options.To, _datagram.Written);
        _datagram.Clear();
    }

    private Told Of(StatSeries series)
    {
        if (!options.Tagged)
            return new Told(Text(options.Prefix + series.Name), []);
        var tags = new List<(string Tag, string Value)>();
        string name = series is ITaggedSeries own ? own.Family : store.Rules.Tags.Extract(series.Name, tags);
        if (series is ITaggedSeries tagged)
            tags.AddRange(tagged.Tags);
        string text = tags.Count == 0
            ? "" : "|#" + string.Join(',', tags.Select(static t => $"{Clean(t.Tag)}:{Clean(t.Value).Replace(',', '_')}"));
        return new Told(Text(options.Prefix + name), System.Text.Encoding.UTF8.GetBytes(text));
    }

    private static byte[] Text(string name) => System.Text.Encoding.UTF8.GetBytes(Clean(name));

    // Colons, bars and the like part statsd's lines: a name that has some (outbound|80||host) would be another line's.
    private static string Clean(string text) => string.Create(text.Length, text, static (to, from) =>
    {
        for (int i = 0; i < to.Length; i++)
            to[i] = from[i] is ':' or '|' or '@' or '#' or '\n' or '\r' ? '_' : from[i];
    });
}
