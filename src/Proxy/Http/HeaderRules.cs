using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Lateen.Proxy.Http;

/// <summary>What both codecs demand of names, values and authorities (RFC 9110 5, RFC 9113 8.2), and the treatment of connection headers
/// that they share.</summary>
public static class HeaderRules
{
    private static readonly SearchValues<byte> AuthorityBytes =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!$%&'()*+,-.:;=@[]_~"u8);

    private static readonly SearchValues<byte> TokenBytes =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~"u8);

    private static readonly SearchValues<byte> LowerTokenBytes =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~"u8);

    // Everything below a space but the tab, and DEL: 0x00-0x08, 0x0a-0x1f, 0x7f.
    private static readonly SearchValues<byte> ForbiddenInValue = SearchValues.Create(
        Enumerable.Range(0, 256).Where(b => (b < 0x20 && b != '\t') || b == 0x7f).Select(b => (byte)b).ToArray());

    /// <summary>True where the text is a token (RFC 9110 5.6.2).</summary>
    public static bool IsToken(ReadOnlySpan<byte> text) => !text.IsEmpty && text.IndexOfAnyExcept(TokenBytes) < 0;

    /// <summary>True where the text is a token without upper-case letters, as HTTP/2 demands of names (RFC 9113 8.2.1).</summary>
    public static bool IsLowerToken(ReadOnlySpan<byte> text) => !text.IsEmpty && text.IndexOfAnyExcept(LowerTokenBytes) < 0;

    /// <summary>True where a value has no control character but the tab. Bytes from 0x80 pass (obs-text).</summary>
    public static bool IsValue(ReadOnlySpan<byte> value) => value.IndexOfAny(ForbiddenInValue) < 0;

    /// <summary>True where the text has only bytes that may stand in an authority (RFC 3986 3.2 without percent-decoding).</summary>
    public static bool IsAuthority(ReadOnlySpan<byte> text) => text.IndexOfAnyExcept(AuthorityBytes) < 0;

    /// <summary>True where both texts are equal but for the case of ASCII letters.</summary>
    public static bool SameText(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b) => Ascii.EqualsIgnoreCase(a, b);

    /// <summary>Cuts spaces and tabs from both ends.</summary>
    public static ReadOnlySpan<byte> Trim(ReadOnlySpan<byte> text)
    {
        int from = 0, to = text.Length;
        while (from < to && text[from] is (byte)' ' or (byte)'\t')
            from++;
        while (to > from && text[to - 1] is (byte)' ' or (byte)'\t')
            to--;
        return text[from..to];
    }

    /// <summary>Takes the next element of a comma-separated list, trimmed; false when the list is used up.</summary>
    public static bool NextToken(ref ReadOnlySpan<byte> list, out ReadOnlySpan<byte> token)
    {
        token = default;
        if (list.IsEmpty)
            return false;
        int comma = list.IndexOf((byte)',');
        token = Trim(comma < 0 ? list : list[..comma]);
        list = comma < 0 ? default : list[(comma + 1)..];
        return true;
    }

    /// <summary>True where a comma-separated list has the token, in whatever case.</summary>
    public static bool HasToken(ReadOnlySpan<byte> list, ReadOnlySpan<byte> wanted)
    {
        while (NextToken(ref list, out ReadOnlySpan<byte> token))
        {
            if (SameText(token, wanted))
                return true;
        }
        return false;
    }

    /// <summary>A decimal number without sign, at least one digit, at most 2^64 - 1.</summary>
    public static bool TryParseLength(ReadOnlySpan<byte> text, out ulong value)
    {
        value = 0;
        foreach (byte b in text)
        {
            uint digit = (uint)b - '0';
            if (digit > 9 || (value >= ulong.MaxValue / 10 && (value > ulong.MaxValue / 10 || digit > ulong.MaxValue % 10)))
                return false;
            value = (value * 10) + digit;
        }
        return !text.IsEmpty;
    }

    /// <summary>The status code of a response head; 0 where it is no number of three or four digits.</summary>
    public static int Status(HeaderMap head)
    {
        ReadOnlySpan<byte> text = head[KnownHeader.Status];
        if (text.Length == 3)
        {
            int hundreds = text[0] - '0', tens = text[1] - '0', ones = text[2] - '0';
            return (uint)hundreds <= 9 && (uint)tens <= 9 && (uint)ones <= 9 ? (hundreds * 100) + (tens * 10) + ones : 0;
        }
        return text.Length <= 4 && TryParseLength(text, out ulong value) ? (int)value : 0;
    }

    /// <summary>
    /// Leaves of TE what a proxy may pass on: "trailers" where it was among the codings, else nothing (RFC 9110 10.1.4).
    /// </summary>
    public static void ReduceTe(HeaderMap head)
    {
        if (!head.TryGet(KnownHeader.Te, out ReadOnlySpan<byte> te))
            return;
        if (HasToken(te, "trailers"u8))
            head.Set(KnownHeader.Te, "trailers"u8);
        else
            head.Remove(KnownHeader.Te);
    }

    /// <summary>Copies with A-Z in lower case, eight bytes a step (the ends overlap); other bytes stay as they are.</summary>
    internal static void Lower(ReadOnlySpan<byte> from, Span<byte> to)
    {
        int length = from.Length;
        ref byte source = ref MemoryMarshal.GetReference(from), target = ref MemoryMarshal.GetReference(to[..length]);
        if (length >= 8)
        {
            for (int i = 0; i < length - 8; i += 8)
                Unsafe.WriteUnaligned(ref Unsafe.Add(ref target, i), Lower(Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref source, i))));
            Unsafe.WriteUnaligned(ref Unsafe.Add(ref target, length - 8),
                Lower(Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref source, length - 8))));
        }
        else if (length >= 4)
        {
            uint first = (uint)Lower(Unsafe.ReadUnaligned<uint>(ref source)),
                last = (uint)Lower(Unsafe.ReadUnaligned<uint>(ref Unsafe.Add(ref source, length - 4)));
            Unsafe.WriteUnaligned(ref target, first);
            Unsafe.WriteUnaligned(ref Unsafe.Add(ref target, length - 4), last);
        }
        else
        {
            for (int i = 0; i < length; i++)
                Unsafe.Add(ref target, i) = (byte)Lower(Unsafe.Add(ref source, i));
        }
    }

    // In each byte: the top bit of (b + 0x80 - 'A') and not of (b + 0x7f - 'Z') tells A-Z; shifted down it is the 0x20 that is missing.
    private static ulong Lower(ulong bytes)
    {
        const ulong Ones = 0x0101010101010101;
        ulong low = bytes & (Ones * 0x7f);
        ulong upper = (low + (Ones * (0x80 - 'A'))) & ~(low + (Ones * (0x7f - 'Z'))) & ~bytes & (Ones * 0x80);
        return bytes | (upper >> 2);
    }
}
