using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Lateen.Proxy.Http;

/// <summary>
/// Copies of names and values: a request is some thirty of them, nearly all shorter than 33 bytes, and the general copy costs more to call
/// than they cost to make. The two ends are loaded before either is stored, so that both may lie in one array.
/// </summary>
internal static class ShortCopy
{
    /// <summary>Copies all of the text to the beginning of a place that is large enough.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void To(this ReadOnlySpan<byte> text, Span<byte> place)
    {
        int length = text.Length;
        ref byte from = ref MemoryMarshal.GetReference(text), to = ref MemoryMarshal.GetReference(place[..length]);
        if (length is >= 16 and <= 32)
        {
            Vector128<byte> head = Vector128.LoadUnsafe(ref from), tail = Vector128.LoadUnsafe(ref from, (nuint)(length - 16));
            head.StoreUnsafe(ref to);
            tail.StoreUnsafe(ref to, (nuint)(length - 16));
        }
        else if (length is >= 8 and < 16)
        {
            ulong head = Unsafe.ReadUnaligned<ulong>(ref from), tail = Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref from, length - 8));
            Unsafe.WriteUnaligned(ref to, head);
            Unsafe.WriteUnaligned(ref Unsafe.Add(ref to, length - 8), tail);
        }
        else if (length is >= 4 and < 8)
        {
            uint head = Unsafe.ReadUnaligned<uint>(ref from), tail = Unsafe.ReadUnaligned<uint>(ref Unsafe.Add(ref from, length - 4));
            Unsafe.WriteUnaligned(ref to, head);
            Unsafe.WriteUnaligned(ref Unsafe.Add(ref to, length - 4), tail);
        }
        else
        {
            text.CopyTo(place);
        }
    }
}
