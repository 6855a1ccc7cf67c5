using System.Text.Json;

namespace Lateen.Proxy.Cel;

/// <summary>Kinds of values.</summary>
public enum CelKind : byte
{
    /// <summary>No value: an attribute or key is absent, or the operation does not fit.</summary>
    Error,
    Null,
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,

    /// <summary>Nanoseconds.</summary>
    Duration,

    /// <summary>Nanoseconds since 1970.</summary>
    Timestamp,
    List,
    Map,
}

/// <summary>A value while an expression is evaluated: texts are views of what they were read from.</summary>
internal readonly ref struct CelValue
{
    public readonly CelKind Kind;
    public readonly long Number;
    public readonly ReadOnlySpan<byte> Text;

    /// <summary>What a list or map is made of: a node, a header map, metadata, a group of attributes; null where it is JSON.</summary>
    public readonly object? Source;

    public readonly JsonElement Json;

    private CelValue(CelKind kind, long number) => (Kind, Number) = (kind, number);

    private CelValue(CelKind kind, ReadOnlySpan<byte> text)
    {
        Kind = kind;
        Text = text;
    }

    private CelValue(CelKind kind, object? source, JsonElement json) => (Kind, Source, Json) = (kind, source, json);

    public static CelValue Error => default;

    public static CelValue Null => new(CelKind.Null, 0);

    public double Double => BitConverter.Int64BitsToDouble(Number);

    public bool IsTrue => Kind == CelKind.Bool && Number != 0;

    public bool IsFalse => Kind == CelKind.Bool && Number == 0;

    public bool IsNumber => Kind is CelKind.Int or CelKind.Uint or CelKind.Double;

    public static CelValue Of(bool value) => new(CelKind.Bool, value ? 1 : 0);

    public static CelValue Int(long value) => new(CelKind.Int, value);

    public static CelValue Uint(ulong value) => new(CelKind.Uint, (long)value);

    public static CelValue Of(double value) => new(CelKind.Double, BitConverter.DoubleToInt64Bits(value));

    public static CelValue String(ReadOnlySpan<byte> text) => new(CelKind.String, text);

    public static CelValue Bytes(ReadOnlySpan<byte> bytes) => new(CelKind.Bytes, bytes);

    public static CelValue Duration(long nanos) => new(CelKind.Duration, nanos);

    public static CelValue Timestamp(long nanos) => new(CelKind.Timestamp, nanos);

    public static CelValue Map(object source) => new(CelKind.Map, source, default);

    public static CelValue List(object source) => new(CelKind.List, source, default);

    public static CelValue Constant(CelConstant c) =>
        c.Kind is CelKind.String or CelKind.Bytes ? new CelValue(c.Kind, c.Bytes) : new CelValue(c.Kind, c.Number);

    /// <summary>A value of JSON; numbers are doubles, as in a protobuf Struct.</summary>
    public static CelValue Of(JsonElement json)
    {
        switch (json.ValueKind)
        {
            case JsonValueKind.Null:
                return Null;
            case JsonValueKind.True or JsonValueKind.False:
                return Of(json.ValueKind == JsonValueKind.True);
            case JsonValueKind.Number:
                return Of(json.GetDouble());
            case JsonValueKind.String:
                return String(Routing.ValueMatching.TextOf(json));
            case JsonValueKind.Array:
                return new CelValue(CelKind.List, null, json);
            case JsonValueKind.Object:
                return new CelValue(CelKind.Map, null, json);
            default:
                return Error;
        }
    }

    /// <summary>Equality over kinds: numbers by value, others only within their kind.</summary>
    public static CelValue Equal(scoped in CelValue a, scoped in CelValue b, scoped ref CelRun run)
    {
        if (a.Kind == CelKind.Error || b.Kind == CelKind.Error)
            return Error;
        if (a.IsNumber && b.IsNumber)
            return Of(CompareNumbers(a, b) == 0);
        if (a.Kind != b.Kind)
            return Of(false);
        return a.Kind switch
        {
            CelKind.Null => Of(true),
            CelKind.String or CelKind.Bytes => Of(a.Text.SequenceEqual(b.Text)),
            CelKind.List or CelKind.Map => CelCollections.Equal(a, b, ref run),
            _ => Of(a.Number == b.Number),
        };
    }

    /// <summary>Order; false where the kinds have none between them.</summary>
    public static bool TryCompare(scoped in CelValue a, scoped in CelValue b, out int order)
    {
        order = 0;
        if (a.IsNumber && b.IsNumber)
        {
            order = CompareNumbers(a, b);
            return order != NotComparable;
        }
        if (a.Kind != b.Kind)
            return false;
        switch (a.Kind)
        {
            case CelKind.String or CelKind.Bytes:
                order = a.Text.SequenceCompareTo(b.Text);
                return true;
            case CelKind.Bool or CelKind.Duration or CelKind.Timestamp:
                order = a.Number.CompareTo(b.Number);
                return true;
            default:
                return false;
        }
    }

    private const int NotComparable = 2;

    private static int CompareNumbers(scoped in CelValue a, scoped in CelValue b)
    {
        if (a.Kind == b.Kind && a.Kind != CelKind.Double)
            return a.Kind == CelKind.Int ? a.Number.CompareTo(b.Number) : ((ulong)a.Number).CompareTo((ulong)b.Number);
        if (a.Kind == CelKind.Double || b.Kind == CelKind.Double)
        {
            double x = a.AsDouble, y = b.AsDouble;
            return x < y ? -1 : x > y ? 1 : x.Equals(y) || x == y ? 0 : NotComparable;
        }
        // One signed, one not.
        return a.Kind == CelKind.Int ? (a.Number < 0 ? -1 : ((ulong)a.Number).CompareTo((ulong)b.Number)) : b.Number < 0
            ? 1 : ((ulong)a.Number).CompareTo((ulong)b.Number);
    }

    private double AsDouble => Kind switch { CelKind.Int => Number, CelKind.Uint => (ulong)Number, _ => Double };
}
