using System.Text;

namespace Lateen.Api.Texts;

/// <summary>Equal texts as one object: the objects of a mesh, and its proxies, say the same names over and over.</summary>
/// <remarks>Remembers a bounded number of short texts, the newest of those that share a place. Safe for every thread: two that meet may
/// keep one text twice.</remarks>
public sealed class TextPool
{
    // Names of a mesh with some ten thousand pods; 256 KB.
    private const int Places = 1 << 15, CharsMax = 512;
    private readonly string?[] _texts = new string?[Places];

    /// <summary>The text of UTF-8 bytes.</summary>
    public string Of(ReadOnlySpan<byte> utf8)
    {
        if (utf8.IsEmpty) return "";
        if (utf8.Length > CharsMax || !Ascii.IsValid(utf8)) return Encoding.UTF8.GetString(utf8);
        Span<char> chars = stackalloc char[CharsMax];
        Ascii.ToUtf16(utf8, chars, out var count);
        ref var place = ref PlaceOf(chars[..count]);
        return place is { } known && chars[..count].SequenceEqual(known) ? known : place = new string(chars[..count]);
    }

    /// <summary>The text, or the one that is equal to it.</summary>
    public string Of(string text)
    {
        if (text.Length is 0 or > CharsMax) return text;
        ref var place = ref PlaceOf(text);
        return place is { } known && known == text ? known : place = text;
    }

    private ref string? PlaceOf(ReadOnlySpan<char> text) => ref _texts[string.GetHashCode(text) & (Places - 1)];
}
