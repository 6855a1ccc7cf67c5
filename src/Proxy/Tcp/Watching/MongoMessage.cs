using System.Buffers.Binary;
using System.Text.Json;

namespace Lateen.Proxy.Tcp.Watching;

/// <summary>Kinds of messages of MongoDB's wire protocol that are read; newer ones end the watch, as in Envoy.</summary>
internal enum MongoOp
{
    Reply = 1,
    Insert = 2002,
    Query = 2004,
    GetMore = 2005,
    KillCursors = 2007,
    Command = 2010,
    CommandReply = 2011,
}

/// <summary>How many documents a query asks for by its shape.</summary>
internal enum MongoQueryKind
{
    PrimaryKey,
    ScatterGet,
    MultiGet,
}

/// <summary>A message's head and body.</summary>
internal readonly ref struct MongoMessage
{
    private const int HeadLength = 16;

    private MongoMessage(ReadOnlySpan<byte> whole)
    {
        Id = BinaryPrimitives.ReadInt32LittleEndian(whole[4..]);
        ResponseTo = BinaryPrimitives.ReadInt32LittleEndian(whole[8..]);
        Op = (MongoOp)BinaryPrimitives.ReadInt32LittleEndian(whole[12..]);
        Body = whole[HeadLength..];
        Length = whole.Length;
    }

    /// <summary>The sender's number for it.</summary>
    public int Id { get; }

    /// <summary>The number of the message that it answers.</summary>
    public int ResponseTo { get; }

    /// <summary>Its kind.</summary>
    public MongoOp Op { get; }

    /// <summary>What follows the head.</summary>
    public ReadOnlySpan<byte> Body { get; }

    /// <summary>With its head.</summary>
    public int Length { get; }

    /// <summary>The message that bytes begin with. <paramref name="broken"/> where they can't become one.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out MongoMessage message, out bool broken)
    {
        message = default;
        broken = false;
        if (bytes.Length < 4)
            return false;
        int length = BinaryPrimitives.ReadInt32LittleEndian(bytes);
        broken = length < HeadLength;
        if (broken || length > bytes.Length)
            return false;
        message = new MongoMessage(bytes[..length]);
        return true;
    }
}

/// <summary>OP_QUERY.</summary>
internal readonly ref struct MongoQuery
{
    private MongoQuery(int flags, ReadOnlySpan<byte> name, ReadOnlySpan<byte> query)
    {
        Flags = flags;
        FullName = name;
        Query = query;
        Collection = name[(name.IndexOf((byte)'.') + 1)..];
    }

    /// <summary>Its flags.</summary>
    public int Flags { get; }

    /// <summary>Database and collection.</summary>
    public ReadOnlySpan<byte> FullName { get; }

    /// <summary>The collection.</summary>
    public ReadOnlySpan<byte> Collection { get; }

    private ReadOnlySpan<byte> Query { get; }

    /// <summary>Reads a body; false where it is broken.</summary>
    public static bool TryRead(ReadOnlySpan<byte> body, out MongoQuery query)
    {
        query = default;
        if (body.Length < 5)
            return false;
        int flags = BinaryPrimitives.ReadInt32LittleEndian(body);
        int end = body[4..].IndexOf((byte)0);
        if (end < 0 || body.Length < 4 + end + 9)
            return false;
        ReadOnlySpan<byte> name = body.Slice(4, end), documents = body[(4 + end + 9)..];
        if (!Bson.TryDocument(documents, out ReadOnlySpan<byte> first) || !Bson.IsSound(first))
            return false;
        ReadOnlySpan<byte> rest = documents[first.Length..];
        if (!rest.IsEmpty && !(Bson.TryDocument(rest, out ReadOnlySpan<byte> fields) && Bson.IsSound(fields)))
            return false;
        query = new MongoQuery(flags, name, first);
        return query.IsCommand || name.Contains((byte)'.');
    }

    private bool IsCommand => FullName.IndexOf("$cmd"u8) >= 0;

    /// <summary>The command's name, its first field (the field itself); false where this is a plain query.</summary>
    public bool TryCommand(out Bson command, out ReadOnlySpan<byte> document)
    {
        document = Query;
        if (Bson.TryFind(Query, "$query"u8, out Bson inner) && inner.Type == BsonType.Document)
            document = inner.Value;
        command = new Bson(document);
        return IsCommand && command.Next();
    }

    /// <summary>True for a command without a name.</summary>
    public bool IsEmptyCommand => IsCommand && !TryCommand(out _, out _);

    /// <summary>Whether a time limit was set.</summary>
    public bool HasMaxTime =>
        (Bson.TryFind(Query, "$maxTimeMS"u8, out Bson limit) || Bson.TryFind(Query, "maxTimeMS"u8, out limit)) && limit.Number >= 1;

    /// <summary>How many documents it asks for.</summary>
    public MongoQueryKind Kind
    {
        get
        {
            MongoQueryKind kind = KindOf(Query);
            return kind == MongoQueryKind.ScatterGet && Bson.TryFind(Query, "$query"u8, out Bson inner) && inner.Type == BsonType.Document
                ? KindOf(inner.Value) : kind;
        }
    }

    /// <summary>What a document asks for.</summary>
    public static MongoQueryKind KindOf(ReadOnlySpan<byte> document) =>
        !Bson.TryFind(document, "_id"u8, out Bson id) ? MongoQueryKind.ScatterGet
            : id.Type is BsonType.Document or BsonType.Array ? MongoQueryKind.MultiGet : MongoQueryKind.PrimaryKey;

    /// <summary>Who calls, as drivers write it into a comment: <c>{"callingFunction": "..."}</c>; empty for nobody.</summary>
    public string Callsite => CallsiteOf(Query, "$comment"u8);

    /// <summary>Who calls, by the comment of a document.</summary>
    public static string CallsiteOf(ReadOnlySpan<byte> document, ReadOnlySpan<byte> key)
    {
        if (!Bson.TryFind(document, key, out Bson comment) || comment.Type != BsonType.String)
            return "";
        try
        {
            var reader = new Utf8JsonReader(comment.Value);
            using JsonDocument json = JsonDocument.ParseValue(ref reader);
            return json.RootElement.ValueKind == JsonValueKind.Object
                && json.RootElement.TryGetProperty("callingFunction"u8, out JsonElement name) && name.ValueKind == JsonValueKind.String
                ? name.GetString()! : "";
        }
        catch (JsonException)
        {
            return "";
        }
    }
}

/// <summary>OP_REPLY.</summary>
/// <param name="Flags">Its flags.</param>
/// <param name="Cursor">The cursor's number; 0 for none.</param>
/// <param name="Documents">How many documents.</param>
/// <param name="Bytes">Their bytes.</param>
internal readonly record struct MongoReply(int Flags, long Cursor, int Documents, long Bytes)
{
    /// <summary>Reads a body; false where it is broken.</summary>
    public static bool TryRead(ReadOnlySpan<byte> body, out MongoReply reply)
    {
        reply = default;
        if (body.Length < 20)
            return false;
        int count = BinaryPrimitives.ReadInt32LittleEndian(body[16..]);
        ReadOnlySpan<byte> rest = body[20..];
        for (int i = 0; i < count; i++)
        {
            if (!Bson.TryDocument(rest, out ReadOnlySpan<byte> document) || !Bson.IsSound(document))
                return false;
            rest = rest[document.Length..];
        }
        reply = new MongoReply(BinaryPrimitives.ReadInt32LittleEndian(body), BinaryPrimitives.ReadInt64LittleEndian(body[4..]),
            Math.Max(0, count), body.Length - 20 - rest.Length);
        return true;
    }
}
