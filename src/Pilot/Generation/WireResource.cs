using System.Security.Cryptography;
using Envoy.Config.Cluster.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Schemas;

namespace Lateen.Pilot.Generation;

/// <summary>One xDS resource, serialized once and shared by all who get it: what responses carry are these bytes.</summary>
/// <remarks>
/// <see cref="Entry"/> is the resource as an incremental response has it, field tag included. The Any inside stands in field 2 of the Resource, and in field 2 of a response of
/// state of the world as well, so that one slice of the same bytes serves both forms (envoy/service/discovery/v3/discovery.proto).
/// </remarks>
public sealed class WireResource
{
    private const byte VersionTag = 0x0A, BodyTag = 0x12, NameTag = 0x1A, AliasTag = 0x22, EntryTag = 0x12, TypeTag = 0x0A, ValueTag = 0x12;
    private readonly System.Type _type;
    private readonly int _bodyAt, _bodyBytes, _valueAt, _valueBytes;
    private IReadOnlyCollection<string>? _routeNames;

    private WireResource(string name, IReadOnlyList<string> aliases, IMessage message, bool isChecked = true)
    {
        (Name, Aliases, _type) = (name, aliases, message.GetType());
        if (message is Cluster { Type: Cluster.Types.DiscoveryType.Eds } cluster) EndpointsName = cluster.EdsClusterConfig?.ServiceName is { Length: > 0 } other ? other : cluster.Name;
        TypeUrl = string.Intern(TypeUrls.Prefix + SchemaSet.NameOf(message));
        _valueBytes = message.CalculateSize();
        var anyBytes = Field(CodedOutputStream.ComputeStringSize(TypeUrl)) + Field(CodedOutputStream.ComputeLengthSize(_valueBytes) + _valueBytes);
        _bodyBytes = Field(CodedOutputStream.ComputeLengthSize(anyBytes) + anyBytes);
        var inside = Field(CodedOutputStream.ComputeLengthSize(VersionBytes) + VersionBytes) + _bodyBytes + Field(CodedOutputStream.ComputeStringSize(name));
        foreach (var alias in aliases) inside += Field(CodedOutputStream.ComputeStringSize(alias));

        var entry = new byte[Field(CodedOutputStream.ComputeLengthSize(inside) + inside)];
        // The body first, since the version is its hash.
        _bodyAt = entry.Length - inside + Field(CodedOutputStream.ComputeLengthSize(VersionBytes) + VersionBytes);
        _valueAt = _bodyAt + _bodyBytes - _valueBytes;
        message.WriteTo(entry.AsSpan(_valueAt, _valueBytes));
        // 64 bits of the hash: a collision between two successive versions of one name is what would hurt, not one among all.
        Version = Convert.ToHexStringLower(SHA256.HashData(entry.AsSpan(_valueAt, _valueBytes)).AsSpan(0, 8));
        Entry = entry;
        if (isChecked) Fault = Soundness.Check(message, entry.AsSpan(_valueAt, _valueBytes));

        var writer = new SpanFields(entry);
        writer.Length(EntryTag, inside);
        writer.Text(VersionTag, Version);
        writer.Length(BodyTag, anyBytes);
        writer.Text(TypeTag, TypeUrl);
        writer.Length(ValueTag, _valueBytes);
        writer.Skip(_valueBytes);
        writer.Text(NameTag, name);
        foreach (var alias in aliases) writer.Text(AliasTag, alias);
    }

    // 8 bytes in hexadecimal.
    private const int VersionBytes = 16;

    /// <summary>Resource name.</summary>
    public string Name { get; }

    /// <summary>Other names by which it can be asked for.</summary>
    public IReadOnlyList<string> Aliases { get; }

    /// <summary>Type of the message.</summary>
    public string TypeUrl { get; }

    /// <summary>Hash of the message's bytes: equal bytes have equal versions, also after a restart and on another replica.</summary>
    public string Version { get; }

    /// <summary>Field 2 of an incremental response.</summary>
    public ReadOnlyMemory<byte> Entry { get; }

    /// <summary>Field 2 of a response of state of the world.</summary>
    public ReadOnlyMemory<byte> Whole => Entry.Slice(_bodyAt, _bodyBytes);

    /// <summary>Of a cluster whose endpoints are discovered: the name they are asked for by; null for everything else.</summary>
    public string? EndpointsName { get; }

    /// <summary>Of a listener: the names of the route configurations that it asks for; none for everything else.</summary>
    public IReadOnlyCollection<string> RouteNames => _routeNames ??= _type == typeof(Envoy.Config.Listener.V3.Listener) ? RouteReferences.In(Entry.Span.Slice(_valueAt, _valueBytes)) : [];

    /// <summary>The serialized message with its type.</summary>
    public Any Body => new() { TypeUrl = TypeUrl, Value = UnsafeByteOperations.UnsafeWrap(Entry.Slice(_valueAt, _valueBytes)) };

    /// <summary>The serialized message.</summary>
    public ReadOnlySpan<byte> Value => Entry.Span.Slice(_valueAt, _valueBytes);

    /// <summary>The message, read out of the bytes: for those who look into it now and then. Objects cost ten times the bytes, so none are kept.</summary>
    public IMessage Message
    {
        get
        {
            var made = (IMessage)Activator.CreateInstance(_type)!;
            made.MergeFrom(Value);
            return made;
        }
    }

    /// <summary>A rule of the definitions that it breaks, so that no proxy would take it: it is not sent. Null when it breaks none.</summary>
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

    /// <summary>The same for a resource that Envoy does not get as it is: it goes to a library of gRPC, which asks less, or an agent completes it on its way.</summary>
    public static WireResource Unchecked(string name, IMessage message) => new(name, [], message, isChecked: false);

    /// <summary>Serializes <paramref name="message"/>.</summary>
    public static WireResource Of(string name, IMessage message) => new(name, [], message);

    /// <summary>The same for a resource with further names.</summary>
    public static WireResource Of(string name, IMessage message, IEnumerable<string> aliases) => new(name, [.. aliases], message);

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
