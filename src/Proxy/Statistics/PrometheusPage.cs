using System.Buffers.Text;
using Lateen.Proxy.Formats;

namespace Lateen.Proxy.Statistics;

/// <summary>The page of one set of series: their order, and all text of it that does not change. Made anew when series come or
/// go.</summary>
internal sealed class PrometheusPage
{
    private const int NumberMax = 24;

    private readonly StatSeries[] _series;
    private readonly int[] _rankOf, _familyOf, _ends;
    private readonly byte[][] _heads;
    private readonly byte[] _lines;
    private readonly long[] _values;
    private readonly bool[] _wanted;

    public PrometheusPage(ReadOnlySpan<StatSeries> all, int families, int generation)
    {
        Generation = generation;
        int[] order = Order(all, families);
        _series = new StatSeries[all.Length];
        for (int rank = 0; rank < order.Length; rank++)
            _series[rank] = all[order[rank]];
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

    // Kinds, then families, then names. Names come in their order but for what dots make different, so that families are filled from front
    // to back and hardly sorted.
    private static int[] Order(ReadOnlySpan<StatSeries> all, int families)
    {
        const int Kinds = 4;
        var byFamily = new List<int>?[families * Kinds];
        for (int i = 0; i < all.Length; i++)
            (byFamily[(all[i].TextFamily!.Place * Kinds) + PlaceOf(all[i].Kind)] ??= []).Add(i);
        StatSeries[] series = all.ToArray();
        List<int>[] filled = [.. byFamily.OfType<List<int>>()];
        Array.Sort(filled, (a, b) => PlaceOf(series[a[0]].Kind) - PlaceOf(series[b[0]].Kind) is var kind and not 0
            ? kind : ByParts(series[a[0]].TextFamily!.Extracted, series[b[0]].TextFamily!.Extracted));
        var order = new List<int>(all.Length);
        foreach (List<int> members in filled)
        {
            RunSort.Sort(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(members),
                (a, b) => ByParts(series[a].Name, series[b].Name));
            order.AddRange(members);
        }
        return [.. order];
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
            if (last is null || last.Kind != series.Kind || last.TextFamily!.Name != series.TextFamily!.Name)
                heads.Add(System.Text.Encoding.ASCII.GetBytes(
                    $"# TYPE {series.TextFamily!.Name} {series.Kind switch { StatKind.Counter => "counter", StatKind.Histogram => "histogram", _ => "gauge" }}\n"));
            _familyOf[i] = heads.Count - 1;
            last = series;
        }
        return [.. heads];
    }

    private byte[] Lines()
    {
        int length = 0;
        for (int i = 0; i < _series.Length; i++)
        {
            if (_series[i].Kind is StatKind.Counter or StatKind.Gauge)
                length += _series[i].TextFamily!.Text.Length + _series[i].TextLabels.Length + "{} "u8.Length;
            _ends[i] = length;
        }
        byte[] lines = GC.AllocateUninitializedArray<byte>(length);
        for (int i = 0, from = 0; i < _series.Length; from = _ends[i], i++)
        {
            if (_ends[i] == from)
                continue;
            byte[] name = _series[i].TextFamily!.Text;
            Span<byte> line = lines.AsSpan(from, _ends[i] - from);
            name.CopyTo(line);
            line[name.Length] = (byte)'{';
            _series[i].TextLabels.CopyTo(line[(name.Length + 1)..]);
            "} "u8.CopyTo(line[^2..]);
        }
        return lines;
    }

    /// <summary>Reads what is asked for, in the order of names: members of a group lie together in memory.</summary>
    public void Read(ReadOnlySpan<StatSeries> all, StatQuery query)
    {
        for (int i = 0; i < all.Length; i++)
        {
            StatSeries series = all[i];
            int rank = _rankOf[i];
            bool wanted = series.TextFamily!.Name.Length > 0 && (series.Kind != StatKind.Text || query.TextReadouts) && query.Wants(series);
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
