// Blocks: header blocks of HTTP/2 in both directions. HPACK (RFC 7541) is two tables, a decoder and an encoder a connection; what it
// decodes, a HeadBuilder puts into a HeaderMap and checks. State is the connection's, spans hold for one call. What a connection says again
// and again is not worked out again: a table remembers that an entry is sound, an encoder what it sent last under a name, and the indices
// that blocks begin with are turned into fields once (RepeatedFields). No frames and no streams here, and nothing is refused here but by a
// value: sessions decide what a fault costs.
// Refused: blocks repeated whole (an id or a trace in a head is another one each time, and stands behind what repeats).
using System.Buffers;

namespace Lateen.Proxy.Http.Two.Blocks;

/// <summary>What a header block is.</summary>
public enum BlockKind : byte
{
    Request,
    Response,
    RequestTrailers,
    ResponseTrailers,

    /// <summary>Decoded for the table's sake only: its stream is gone.</summary>
    Ignored,
}

/// <summary>What is wrong with a header block, as Envoy's logs name it.</summary>
public enum BlockFault : byte
{
    None,

    /// <summary>http2.invalid.header.field</summary>
    Field,

    /// <summary>http2.violation.of.messaging.rule</summary>
    Messaging,

    /// <summary>http2.header_list_size_too_large</summary>
    TooLarge,

    /// <summary>http2.too_many_headers</summary>
    TooMany,

    /// <summary>http2.unexpected_underscore</summary>
    Underscore,
}

/// <summary>Takes the fields of one block into a <see cref="HeaderMap"/> and checks them (RFC 9113 8.2, 8.3). The first fault stands; what
/// comes behind it is thrown away, so that a bomb costs nothing.</summary>
public sealed class HeadBuilder(CodecOptions options)
{
    private static readonly SearchValues<byte> BadInPath = SearchValues.Create(
        Enumerable.Range(0, 0x21).Append(0x7f).Select(b => (byte)b).ToArray());

    // Names with rules of their own.
    private static readonly KnownHeaderSet Special = KnownHeaderSet.Of(
        KnownHeader.Connection, KnownHeader.KeepAlive, KnownHeader.ProxyConnection, KnownHeader.TransferEncoding, KnownHeader.Upgrade,
        KnownHeader.Te, KnownHeader.ContentLength, KnownHeader.Host, KnownHeader.Cookie);

    private HeaderMap _map = null!;
    private RequestAcceptor? _counts;
    private byte[] _cookie = [];
    private readonly int _countMax = options.HeaderCountMax, _bytesMax = options.Two.HeadBytesMax ?? options.HeadBytesMax;
    private int _cookieLength;
    private BlockKind _kind;
    private HeadState _state;

    /// <summary>The first thing that was wrong.</summary>
    public BlockFault Fault { get; private set; }

    /// <summary>The Content-Length, where <see cref="HasLength"/>.</summary>
    public ulong Length => _state.Length;

    /// <summary>There was a Content-Length.</summary>
    public bool HasLength => _state.HasLength;

    /// <summary>What is being built.</summary>
    internal BlockKind Kind => _kind;

    /// <summary>True where fields have no effect but on the map. Names with underscores are counted, too, where they are not simply
    /// allowed.</summary>
    internal bool MayRepeat => _kind is BlockKind.Request or BlockKind.Response && options.Underscores == UnderscoreAction.Allow;

    /// <summary>Envoy's words for the fault.</summary>
    public string Detail => Fault switch
    {
        BlockFault.Field => "http2.invalid.header.field",
        BlockFault.Messaging => "http2.violation.of.messaging.rule",
        BlockFault.TooLarge => "http2.header_list_size_too_large",
        BlockFault.TooMany => "http2.too_many_headers",
        BlockFault.Underscore => "http2.unexpected_underscore",
        _ => "",
    };

    /// <summary>True where the message is malformed; false where only a limit of ours was met.</summary>
    public bool IsMalformed => Fault is BlockFault.Field or BlockFault.Messaging;

    /// <summary>Begins a block into an empty map.</summary>
    public void Begin(BlockKind kind, HeaderMap map, RequestAcceptor? counts)
    {
        _kind = kind;
        _map = map;
        _counts = counts;
        _cookieLength = 0;
        _state = default;
        Fault = BlockFault.None;
        map.Clear();
    }

    /// <summary>Shows what the block has become so far; false where that is not the map alone.</summary>
    internal bool TryShow(out HeadState state, HeaderMap fields)
    {
        state = _state;
        if (_cookieLength > 0 || Fault != BlockFault.None)
            return false;
        fields.Become(_map, roomy: false);
        return true;
    }

    /// <summary>Goes on from what another block had become.</summary>
    internal void Resume(in HeadState state, HeaderMap fields)
    {
        _state = state;
        _map.Become(fields, roomy: true);
    }

    /// <summary>What can be said of a field whatever its block: a table remembers it, so that a field that is sent again is not looked
    /// through again.</summary>
    public static bool IsSound(KnownHeader known, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value) =>
        known is >= KnownHeader.Method and <= KnownHeader.Status
            ? !value.IsEmpty && IsPseudoValue(known, value)
            : (known != KnownHeader.None || HeaderRules.IsLowerToken(name)) && HeaderRules.IsValue(value);

    /// <summary>A field of the block. <paramref name="sound"/> is what <see cref="IsSound"/> said of it.</summary>
    public void Add(KnownHeader known, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, bool sound)
    {
        if (_kind == BlockKind.Ignored || Fault != BlockFault.None)
            return;
        _state.Size += name.Length + value.Length;
        if (++_state.Count > _countMax)
            Fail(BlockFault.TooMany);
        else if (_state.Size > _bytesMax)
            Fail(BlockFault.TooLarge);
        else if (known is >= KnownHeader.Method and <= KnownHeader.Status)
            AddPseudo(known, value, sound);
        else
            AddRegular(known, name, value, sound);
    }

    private void Fail(BlockFault fault)
    {
        Fault = fault;
        if (fault is BlockFault.TooMany or BlockFault.TooLarge)
            _counts?.OnCodecEvent(CodecEvent.HeaderOverflow);
    }

    // ---- Fields ----

    private void AddPseudo(KnownHeader known, ReadOnlySpan<byte> value, bool sound)
    {
        bool fits = _kind switch
        {
            BlockKind.Request => known != KnownHeader.Status && (known != KnownHeader.Protocol || options.Two.AllowConnect),
            BlockKind.Response => known == KnownHeader.Status,
            _ => false,
        };
        if (!fits || !sound || _state.IsRegular || _map.Has(known))
            Fail(BlockFault.Field);
        else
            _map.Add(known, value);
    }

    private static bool IsPseudoValue(KnownHeader known, ReadOnlySpan<byte> value) => known switch
    {
        KnownHeader.Method => HeaderRules.IsToken(value),
        KnownHeader.Path => value.IndexOfAny(BadInPath) < 0,
        KnownHeader.Authority => HeaderRules.IsAuthority(value),
        KnownHeader.Scheme => HeaderRules.IsToken(value),
        KnownHeader.Protocol => HeaderRules.IsValue(value),
        _ => value.Length == 3 && value[0] is >= (byte)'1' and <= (byte)'9' && HeaderRules.TryParseLength(value, out _),
    };

    private void AddRegular(KnownHeader known, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, bool sound)
    {
        _state.IsRegular = true;
        if (!sound)
            Fail(BlockFault.Field);
        else if (known == KnownHeader.None)
            AddUnknown(name, value);
        else if (Special.Has(known))
            AddSpecial(known, value);
        else
            _map.Add(known, value);
    }

    private void AddSpecial(KnownHeader known, ReadOnlySpan<byte> value)
    {
        switch (known)
        {
            case KnownHeader.Connection or KnownHeader.KeepAlive or KnownHeader.ProxyConnection or KnownHeader.TransferEncoding
                or KnownHeader.Upgrade:
                Fail(BlockFault.Field);
                return;
            case KnownHeader.Te when _kind == BlockKind.Request && !HeaderRules.SameText(value, "trailers"u8):
                Fail(BlockFault.Field);
                return;
            case KnownHeader.ContentLength when _kind is BlockKind.Request or BlockKind.Response:
                AddLength(value);
                return;
            case KnownHeader.Host when _kind == BlockKind.Request:
                AddHost(value);
                return;
            case KnownHeader.Cookie when _kind == BlockKind.Request && _map.Has(KnownHeader.Cookie):
                JoinCookie(value);
                return;
            default:
                _map.Add(known, value);
                return;
        }
    }

    private void AddUnknown(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        if (options.Underscores != UnderscoreAction.Allow && _kind == BlockKind.Request && name.Contains((byte)'_'))
        {
            bool reject = options.Underscores == UnderscoreAction.Reject;
            _counts?.OnCodecEvent(reject ? CodecEvent.RejectedUnderscore : CodecEvent.DroppedUnderscore);
            if (reject)
                Fail(BlockFault.Underscore);
            return;
        }
        _map.AddOther(name, value);
    }

    private void AddLength(ReadOnlySpan<byte> value)
    {
        if (!HeaderRules.TryParseLength(value, out ulong length) || (HasLength && length != Length))
        {
            Fail(BlockFault.Field);
            return;
        }
        if (!HasLength)
            _map.Add(KnownHeader.ContentLength, value);
        (_state.HasLength, _state.Length) = (true, length);
    }

    // RFC 9113 8.3.1: :authority stands, Host serves where there is none.
    private void AddHost(ReadOnlySpan<byte> value)
    {
        if (!HeaderRules.IsAuthority(value))
            Fail(BlockFault.Field);
        else if (!_map.Has(KnownHeader.Authority))
            _map.Add(KnownHeader.Authority, value);
    }

    // RFC 9113 8.2.3: crumbs become one line again before anything that isn't HTTP/2 sees them; gathered here, so that many of them are
    // joined once.
    private void JoinCookie(ReadOnlySpan<byte> value)
    {
        if (_cookieLength == 0)
            Gather(_map[KnownHeader.Cookie]);
        Gather("; "u8);
        Gather(value);
    }

    private void Gather(ReadOnlySpan<byte> bytes)
    {
        if (_cookie.Length - _cookieLength < bytes.Length)
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(_cookie.Length * 2, _cookieLength + bytes.Length));
            _cookie.AsSpan(0, _cookieLength).CopyTo(larger);
            ReleaseCookie();
            _cookie = larger;
        }
        bytes.CopyTo(_cookie.AsSpan(_cookieLength));
        _cookieLength += bytes.Length;
    }

    private void ReleaseCookie()
    {
        if (_cookie.Length > 0)
            ArrayPool<byte>.Shared.Return(_cookie);
        _cookie = [];
    }

    // ---- The whole ----

    /// <summary>The block is complete: what must be there is looked for.</summary>
    public void Finish(bool endStream)
    {
        if (_cookieLength > 0 && Fault == BlockFault.None)
            _map.Set(KnownHeader.Cookie, _cookie.AsSpan(0, _cookieLength));
        _cookieLength = 0;
        ReleaseCookie();
        if (Fault != BlockFault.None)
            return;
        bool sound = _kind switch
        {
            BlockKind.Request => IsSoundRequest() && !(endStream && HasLength && Length > 0),
            BlockKind.Response => _map.Has(KnownHeader.Status),
            BlockKind.RequestTrailers or BlockKind.ResponseTrailers => endStream,
            _ => true,
        };
        if (!sound)
            Fail(BlockFault.Messaging);
    }

    private bool IsSoundRequest()
    {
        ReadOnlySpan<byte> method = _map[KnownHeader.Method], path = _map[KnownHeader.Path];
        if (method.SequenceEqual("CONNECT"u8) && !_map.Has(KnownHeader.Protocol))
            return _map.Has(KnownHeader.Authority) && path.IsEmpty && !_map.Has(KnownHeader.Scheme);
        if (method.IsEmpty || path.IsEmpty || !_map.Has(KnownHeader.Scheme) || !_map.Has(KnownHeader.Authority))
            return false;
        if (_map.Has(KnownHeader.Protocol) && !method.SequenceEqual("CONNECT"u8))
            return false;
        return path[0] == '/' || (path.SequenceEqual("*"u8) && method.SequenceEqual("OPTIONS"u8));
    }
}

/// <summary>How far a block is, besides its fields.</summary>
internal struct HeadState
{
    /// <summary>Fields, and the sum of their names and values.</summary>
    public int Count, Size;

    /// <summary>A field that is no pseudo-header came.</summary>
    public bool IsRegular;

    /// <summary>There was a Content-Length: this one.</summary>
    public bool HasLength;

    public ulong Length;
}
