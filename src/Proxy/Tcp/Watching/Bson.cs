using System.Buffers.Binary;

namespace Lateen.Proxy.Tcp.Watching;

/// <summary>Types of BSON's elements that are looked at.</summary>
internal enum BsonType : byte
{
    Double = 1,
    String = 2,
    Document = 3,
    Array = 4,
    Binary = 5,
    ObjectId = 7,
    Boolean = 8,
    DateTime = 9,
    Null = 10,
    Regex = 11,
    Symbol = 14,
    Int32 = 16,
    Timestamp = 17,
    Int64 = 18,
}

/// <summary>The elements of a BSON document (bsonspec.org), read in their order.</summary>
internal ref struct Bson(ReadOnlySpan<byte> document)
{
    // An empty document is its length and the closing zero.
    private const int LengthMin = 5, DepthMax = 100;

    private ReadOnlySpan<byte> _rest = document[4..^1];

    /// <summary>The element's type.</summary>
    public BsonType Type { get; private set; }

    /// <summary>The element's name.</summary>
    public ReadOnlySpan<byte> Key { get; private set; }

    /// <summary>The element's value: of a text its bytes alone, of a document the whole.</summary>
    public ReadOnlySpan<byte> Value { get; private set; }

    /// <summary>The document that bytes begin with; false where they don't begin with a whole one. What is inside is not looked
    /// at.</summary>
    public static bool TryDocument(ReadOnlySpan<byte> bytes, out ReadOnlySpan<byte> document)
    {
        document = default;
        if (bytes.Length < LengthMin
            || BinaryPrimitives.ReadInt32LittleEndian(bytes) is var length && (length < LengthMin || length > bytes.Length)
            || bytes[length - 1] != 0)
            return false;
        document = bytes[..length];
        return true;
    }

    /// <summary>True where a document keeps the format, and all documents inside.</summary>
    public static bool IsSound(ReadOnlySpan<byte> document, int depth = 0)
    {
        var fields = new Bson(document);
        while (fields._rest.Length > 0)
        {
            if (!fields.Next())
                return false;
            if (fields.Type is BsonType.Document or BsonType.Array && (depth == DepthMax || !IsSound(fields.Value, depth + 1)))
                return false;
        }
        return true;
    }

    /// <summary>An element of a document that is sound.</summary>
    public static bool TryFind(ReadOnlySpan<byte> document, ReadOnlySpan<byte> key, out Bson element)
    {
        element = new Bson(document);
        while (element.Next())
        {
            if (element.Key.SequenceEqual(key))
                return true;
        }
        return false;
    }

    /// <summary>The next element; false at the end, and where the bytes are broken.</summary>
    public bool Next()
    {
        if (_rest.IsEmpty)
            return false;
        Type = (BsonType)_rest[0];
        int end = _rest[1..].IndexOf((byte)0);
        if (end < 0)
            return false;
        Key = _rest.Slice(1, end);
        ReadOnlySpan<byte> value = _rest[(end + 2)..];
        int length = LengthOf(Type, value, out int head, out int tail);
        if (length < 0 || length > value.Length)
            return false;
        Value = value[head..(length - tail)];
        _rest = value[length..];
        return true;
    }

    // The value's length with all that belongs to it, and how much of it stands in front of and behind what it says; -1 where it is broken
    // or of a type that is not read.
    private static int LengthOf(BsonType type, ReadOnlySpan<byte> value, out int head, out int tail)
    {
        (head, tail) = (0, 0);
        int first = value.Length >= 4 ? BinaryPrimitives.ReadInt32LittleEndian(value) : -1;
        switch (type)
        {
            case BsonType.Double or BsonType.DateTime or BsonType.Timestamp or BsonType.Int64:
                return 8;
            case BsonType.Int32:
                return 4;
            case BsonType.ObjectId:
                return 12;
            case BsonType.Boolean:
                return 1;
            case BsonType.Null:
                return 0;
            case BsonType.String or BsonType.Symbol:
                (head, tail) = (4, 1);
                return first is < 1 or > int.MaxValue - 8 ? -1 : first + 4;
            case BsonType.Binary:
                head = 5;
                return first is < 0 or > int.MaxValue - 8 ? -1 : first + 5;
            case BsonType.Document or BsonType.Array:
                return first >= LengthMin && first <= value.Length && value[first - 1] == 0 ? first : -1;
            case BsonType.Regex:
                int pattern = value.IndexOf((byte)0), options = pattern < 0 ? -1 : value[(pattern + 1)..].IndexOf((byte)0);
                return options < 0 ? -1 : pattern + options + 2;
            default:
                return -1;
        }
    }

    /// <summary>The value as a number; 0 where it is none.</summary>
    public readonly long Number => Type switch
    {
        BsonType.Int32 => BinaryPrimitives.ReadInt32LittleEndian(Value),
        BsonType.Int64 => BinaryPrimitives.ReadInt64LittleEndian(Value),
        _ => 0,
    };
}
