using System.Security.Cryptography;
using Envoy.Config.Cluster.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Schemas;

namespace Lateen.Pilot.Generation;

/// <summary>One xDS resource, serialized once and shared by all who get it: what responses carry are these bytes.</summary>
/// <remarks>
/// <see cref="Entry"/> is the resource as an incremental response has it, field tag included. The Any inside stands in field 2 of the
/// Resource, and in field 2 of a response of state of the world as well, so that one slice of the same bytes serves both forms
/// (envoy/service/discovery/v3/discovery.proto).
/// </remarks>
public sealed class WireResource
{
    private const byte VersionTag = 0x0A, BodyTag = 0x12, NameTag = 0x1A, AliasTag = 0x22, EntryTag = 0x12, TypeTag = 0x0A, ValueTag = 0x12;
    private readonly System.Type _type;
    private readonly int _bodyAt, _bodyBytes, _valueAt, _valueBytes;

    // The entry, in order. One part but for what is put together of parts that others have as well.
    private readonly ReadOnlyMemory<byte>[] _parts;
    private IReadOnlyCollection<string>? _routeNames;

    private WireResource(string name, IReadOnlyList<string> aliases, IMessage message, bool isChecked = true)
    {
        (Name, Aliases, _type) = (name, aliases, message.GetType());
        if (message is Cluster { Type: Cluster.Types.DiscoveryType.Eds } cluster)
            EndpointsName = cluster.EdsClusterConfig?.ServiceName is { Length: > 0 } other ? other : cluster.Name;
        TypeUrl = string.Intern(TypeUrls.Prefix + SchemaSet.NameOf(message));
        _valueBytes = message.CalculateSize();
        (EntryBytes, var inside, _bodyAt, _bodyBytes) = Layout();
        _valueAt = _bodyAt + _bodyBytes - _valueBytes;

        var entry = new byte[EntryBytes];
        // The body first, since the version is its hash.
        message.WriteTo(entry.AsSpan(_valueAt, _valueBytes));
        Version = VersionOf(SHA256.HashData(entry.AsSpan(_valueAt, _valueBytes)));
        _parts = [entry];
        if (isChecked) Fault = Soundness.Check(message, entry.AsSpan(_valueAt, _valueBytes));

        var writer = new SpanFields(entry);
        WriteBefore(ref writer, inside);
        writer.Skip(_valueBytes);
        WriteBehind(ref writer);
    }

    // The value in parts: the first and the last are its own, those between are shared.
    private WireResource(string name, IMessage kind, ReadOnlySpan<byte> first, IReadOnlyList<byte[]> between, ReadOnlySpan<byte> last)
    {
        (Name, Aliases, _type) = (name, [], kind.GetType());
        TypeUrl = string.Intern(TypeUrls.Prefix + SchemaSet.NameOf(kind));
        _valueBytes = first.Length + last.Length;
        foreach (var part in between) _valueBytes += part.Length;
        (EntryBytes, var inside, _bodyAt, _bodyBytes) = Layout();
        _valueAt = _bodyAt + _bodyBytes - _valueBytes;

        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(first);
        foreach (var part in between) hash.AppendData(part);
        hash.AppendData(last);
        Version = VersionOf(hash.GetHashAndReset());

        var before = new byte[_valueAt + first.Length];
        var writer = new SpanFields(before);
        WriteBefore(ref writer, inside);
        first.CopyTo(before.AsSpan(_valueAt));
        var behind = new byte[EntryBytes - _valueAt - _valueBytes + last.Length];
        last.CopyTo(behind);
        writer = new SpanFields(behind.AsSpan(last.Length));
        WriteBehind(ref writer);
        _parts = new ReadOnlyMemory<byte>[between.Count + 2];
        _parts[0] = before;
        for (var i = 0; i < between.Count; i++) _parts[i + 1] = between[i];
        _parts[^1] = behind;
    }

    // 8 bytes in hexadecimal.
    private const int VersionBytes = 16;

    // 64 bits of the hash: a collision between two successive versions of one name is what would hurt, not one among all.
    private static string VersionOf(byte[] hash) => Convert.ToHexStringLower(hash.AsSpan(0, VersionBytes / 2));

    private int AnyBytes => Field(CodedOutputStream.ComputeStringSize(TypeUrl))
        + Field(CodedOutputStream.ComputeLengthSize(_valueBytes) + _valueBytes);

    private (int Entry, int Inside, int BodyAt, int Body) Layout()
    {
        var any = AnyBytes;
        var body = Field(CodedOutputStream.ComputeLengthSize(any) + any);
        var version = Field(CodedOutputStream.ComputeLengthSize(VersionBytes) + VersionBytes);
        var inside = version + body + Field(CodedOutputStream.ComputeStringSize(Name));
        foreach (var alias in Aliases) inside += Field(CodedOutputStream.ComputeStringSize(alias));
        var entry = Field(CodedOutputStream.ComputeLengthSize(inside) + inside);
        return (entry, inside, entry - inside + version, body);
    }

    private void WriteBefore(ref SpanFields writer, int inside)
    {
        writer.Length(EntryTag, inside);
        writer.Text(VersionTag, Version);
        writer.Length(BodyTag, AnyBytes);
        writer.Text(TypeTag, TypeUrl);
        writer.Length(ValueTag, _valueBytes);
    }

    private void WriteBehind(ref SpanFields writer)
    {
        writer.Text(NameTag, Name);
        foreach (var alias in Aliases) writer.Text(AliasTag, alias);
    }

    /// <summary>Resource name.</summary>
    public string Name { get; }

    /// <summary>Other names by which it can be asked for.</summary>
    public IReadOnlyList<string> Aliases { get; }

    /// <summary>Type of the message.</summary>
    public string TypeUrl { get; }

    /// <summary>Hash of the message's bytes: equal bytes have equal versions, also after a restart and on another replica.</summary>
    public string Version { get; }

    /// <summary>Field 2 of an incremental response, in one piece: gathered anew each time where it has several parts.</summary>
    public ReadOnlyMemory<byte> Entry
    {
        get
        {
            if (_parts.Length == 1) return _parts[0];
            var all = new byte[EntryBytes];
            var at = 0;
            foreach (var part in _parts)
            {
                part.CopyTo(all.AsMemory(at));
                at += part.Length;
            }
            return all;
        }
    }

    /// <summary>Length of field 2 of an incremental response.</summary>
    public int EntryBytes { get; }

    /// <summary>Length of field 2 of a response of state of the world.</summary>
    public int WholeBytes => _bodyBytes;

    /// <summary>Of how many parts it consists.</summary>
    public int PartCount => _parts.Length;

    /// <summary>One part of field 2 of an incremental response; they are in order.</summary>
    public ReadOnlySpan<byte> EntryPart(int index) => _parts[index].Span;

    /// <summary>One part of field 2 of a response of state of the world, which is the Any inside; they are in order.</summary>
    public ReadOnlySpan<byte> WholePart(int index)
    {
        var part = _parts[index].Span;
        if (index == _parts.Length - 1) part = part[..^(EntryBytes - _bodyAt - _bodyBytes)];
        return index == 0 ? part[_bodyAt..] : part;
    }

    /// <summary>Of a cluster whose endpoints are discovered: the name they are asked for by; null for everything else.</summary>
    public string? EndpointsName { get; }

    /// <summary>Of a listener: the names of the route configurations that it asks for; none for everything else.</summary>
    public IReadOnlyCollection<string> RouteNames => _routeNames ??= _type == typeof(Envoy.Config.Listener.V3.Listener)
        ? RouteReferences.In(Entry.Span.Slice(_valueAt, _valueBytes)) : [];

    /// <summary>The serialized message with its type.</summary>
    public Any Body => new() { TypeUrl = TypeUrl, Value = UnsafeByteOperations.UnsafeWrap(Entry.Slice(_valueAt, _valueBytes)) };

    /// <summary>The serialized message.</summary>
    public ReadOnlySpan<byte> Value => Entry.Span.Slice(_valueAt, _valueBytes);

    /// <summary>The message, read out of the bytes: for those who look into it now and then. Objects cost ten times the bytes, so none are
    /// kept.</summary>
    public IMessage Message
    {
        get
        {
            var made = (IMessage)Activator.CreateInstance(_type)!;
            made.MergeFrom(Value);
            return made;
        }
    }

    /// <summary>A rule of the definitions that it breaks, so that no proxy would take it: it is not sent. Null when it breaks
    /// none.</summary>
    public string? Fault { get; private set; }

    /// <summary>EnvoyFilters that were left out of it, and of what was made with it.</summary>
    public IReadOnlyList<RefusedFilter> LeftOut { get; private set; } = [];

    /// <summary>There is something to be said about it.</summary>
    public bool IsNoteworthy => Fault is not null || LeftOut.Count > 0;

    /// <summary>The same resource, which tells what was left out of it.</summary>
    public WireResource Telling(IReadOnlyList<RefusedFilter> leftOut)
    {
        var telling = (WireResource)MemberwiseClone();
        telling.LeftOut = leftOut;
        return telling;
    }

    /// <summary>The same resource, which no proxy would take beside the others.</summary>
    public WireResource Broken(string fault)
    {
        var broken = (WireResource)MemberwiseClone();
        broken.Fault ??= fault;
        return broken;
    }

    /// <summary>The same for a resource that Envoy does not get as it is: it goes to a library of gRPC, which asks less, or an agent
    /// completes it on its way.</summary>
    public static WireResource Unchecked(string name, IMessage message) => new(name, [], message, isChecked: false);

    /// <summary>Serializes <paramref name="message"/>.</summary>
    public static WireResource Of(string name, IMessage message) => new(name, [], message);

    /// <summary>The same for a resource with further names.</summary>
    public static WireResource Of(string name, IMessage message, IEnumerable<string> aliases) => new(name, [.. aliases], message);

    /// <summary>A resource of parts that stand in others as well. Whoever has made them has checked them.</summary>
    /// <typeparam name="T">Type of the message.</typeparam>
    /// <param name="name">Resource name.</param>
    /// <param name="first">The message's first bytes.</param>
    /// <param name="between">What follows, shared.</param>
    /// <param name="last">The message's last bytes.</param>
    public static WireResource OfParts<T>(string name, ReadOnlySpan<byte> first, IReadOnlyList<byte[]> between, ReadOnlySpan<byte> last)
        where T : IMessage<T>, new() =>
        new(name, new T(), first, between, last);

    private static int Field(int bytes) => 1 + bytes;

    /// <summary>Writes fields of type LEN one after another; all field numbers here fit one byte.</summary>
    private ref struct SpanFields(Span<byte> rest)
    {
        private Span<byte> _rest = rest;

        public void Length(byte tag, int length)
        {
            _rest[0] = tag;
            var at = 1;
            for (var left = (uint)length; ; left >>= 7)
            {
                _rest[at++] = (byte)(left > 127 ? (left & 127) | 128 : left);
                if (left <= 127) break;
            }
            _rest = _rest[at..];
        }

        public void Text(byte tag, string text)
        {
            Length(tag, System.Text.Encoding.UTF8.GetByteCount(text));
            _rest = _rest[System.Text.Encoding.UTF8.GetBytes(text, _rest)..];
        }

        public void Skip(int bytes) => _rest = _rest[bytes..];
    }
}

/// <summary>An EnvoyFilter that would have made a resource which every proxy refuses.</summary>
/// <param name="Filter">The EnvoyFilter.</param>
/// <param name="Resource">Name of the resource.</param>
/// <param name="Fault">The rule that it would break.</param>
public sealed record RefusedFilter(Meaning.Origin Filter, string Resource, string Fault);
