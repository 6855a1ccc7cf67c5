using System.Buffers.Text;
using Lateen.Proxy.Formats;

namespace Lateen.Proxy.Statistics;

/// <summary>The page of one set of series: their order, and all text of it that does not change. Made anew when series come or go.</summary>
internal sealed class PrometheusPage
{
    private const int NumberMax = 24;

    private readonly StatSeries[] _series;
    private readonly int[] _rankOf, _familyOf, _ends;
    private readonly byte[][] _heads;
    private readonly byte[] _lines;
    private readonly long[] _values;
    private readonly bool[] _wanted;

    public PrometheusPage(ReadOnlySpan<StatSeries> all, int generation)
    {
        Generation = generation;
        int[] order = [.. Enumerable.Range(0, all.Length)];
        StatSeries[] byName = all.ToArray();
        Array.Sort(order, (a, b) => Compare(byName[a], byName[b]));
        _series = [.. order.Select(i => byName[i])];
        _rankOf = new int[order.Length];
        for (int rank = 0; rank < order.Length; rank++)
            _rankOf[order[rank]] = rank;
        _values = new long[order.Length];
        _wanted = new bool[order.Length];
        _familyOf = new int[order.Length];
        _ends = new int[order.Length];
        _heads = Heads();
        _lines = Lines();
    }

    /// <summary>The store's generation that it is of.</summary>
    public int Generation { get; }

    // Envoy's order of kinds is not that of the enum.
    private static int PlaceOf(StatKind kind) => kind switch { StatKind.Counter => 0, StatKind.Gauge => 1, StatKind.Text => 2, _ => 3 };

    private static int Compare(StatSeries a, StatSeries b)
    {
        int order = PlaceOf(a.Kind) - PlaceOf(b.Kind);
        if (order == 0)
            order = ByParts(a.Tagged!.Extracted, b.Tagged!.Extracted);
        return order != 0 ? order : ByParts(a.Name, b.Name);
    }

    // Names are compared part by part: the dot comes before any other character.
    private static int ByParts(string a, string b)
    {
        int at = a.AsSpan().CommonPrefixLength(b);
        if (at == a.Length || at == b.Length)
            return a.Length - b.Length;
        return a[at] == '.' ? -1 : b[at] == '.' ? 1 : a[at] - b[at];
    }

    private byte[][] Heads()
    {
        var heads = new List<byte[]>();
        StatSeries? last = null;
        for (int i = 0; i < _series.Length; i++)
        {
            StatSeries series = _series[i];
            if (last is null || last.Kind != series.Kind || !ReferenceEquals(last.Tagged!.Family, series.Tagged!.Family))
                heads.Add(System.Text.Encoding.ASCII.GetBytes($"# TYPE {series.Tagged!.Family} {series.Kind switch { StatKind.Counter => "counter", StatKind.Histogram => "histogram", _ => "gauge" }}\n"));
            _familyOf[i] = heads.Count - 1;
            last = series;
        }
        return [.. heads];
    }

    private byte[] Lines()
    {
        var lines = new ByteBuffer(_series.Length * 64);
        for (int i = 0; i < _series.Length; i++)
        {
            if (_series[i].Kind is StatKind.Counter or StatKind.Gauge)
            {
                lines.Append(_series[i].Tagged!.FamilyText);
                lines.Append((byte)'{');
                lines.Append(_series[i].Tagged!.Labels);
                lines.Append("} "u8);
            }
            _ends[i] = lines.Length;
        }
        return lines.Written.ToArray();
    }

    /// <summary>Reads what is asked for, in the order of names: members of a group lie together in memory.</summary>
    public void Read(ReadOnlySpan<StatSeries> all, StatQuery query)
    {
        for (int i = 0; i < all.Length; i++)
        {
            StatSeries series = all[i];
            int rank = _rankOf[i];
            bool wanted = series.Tagged!.Family.Length > 0 && (series.Kind != StatKind.Text || query.TextReadouts) && query.Wants(series);
            _wanted[rank] = wanted;
            if (wanted)
                _values[rank] = series.Value;
        }
    }

    /// <summary>Writes what was read; <paramref name="more"/> writes series that take several lines.</summary>
    public void Write(ByteBuffer to, Action<StatSeries, ByteBuffer> more)
    {
        int family = -1, from = 0;
        for (int i = 0; i < _series.Length; from = _ends[i], i++)
        {
            if (!_wanted[i])
                continue;
            if (_familyOf[i] != family)
            {
                family = _familyOf[i];
                to.Append(_heads[family]);
            }
            if (_ends[i] == from)
            {
                more(_series[i], to);
                continue;
            }
            ReadOnlySpan<byte> line = _lines.AsSpan(from, _ends[i] - from);
            Span<byte> room = to.Room(line.Length + NumberMax);
            line.CopyTo(room);
            Utf8Formatter.TryFormat((ulong)_values[i], room[line.Length..], out int digits);
            room[line.Length + digits] = (byte)'\n';
            to.Advance(line.Length + digits + 1);
        }
    }
}
