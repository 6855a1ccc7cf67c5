using System.Runtime.InteropServices;
using System.Text;

namespace Lateen.Pilot.Push;

/// <summary>Texts by their bytes: all proxies of a mesh ask for the same names, which are made once.</summary>
/// <remarks>Remembers a bounded number of short texts, the newest of those that share a place. Safe for every thread: two that meet make one text twice.</remarks>
public sealed class NamePool
{
    // Names of 6,000 services with their subsets; 128 KB.
    private const int Places = 1 << 14, BytesMax = 512;
    private readonly string?[] _texts = new string?[Places];

    /// <summary>The text.</summary>
    public string Of(ReadOnlySpan<byte> utf8)
    {
        if (utf8.IsEmpty) return "";
        if (utf8.Length > BytesMax) return Encoding.UTF8.GetString(utf8);
        ref var place = ref _texts[Hash(utf8) & (Places - 1)];
        if (place is { } known && Ascii.Equals(utf8, known)) return known;
        return place = Encoding.UTF8.GetString(utf8);
    }

    private static int Hash(ReadOnlySpan<byte> bytes) => string.GetHashCode(MemoryMarshal.Cast<byte, char>(bytes)) ^ bytes[^1];
}
