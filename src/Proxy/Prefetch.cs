using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Lateen.Proxy;

/// <summary>
/// Asks for objects that the next step will touch while this step is at work. Hundreds of connections do not fit into a core's first
/// caches, so each turn finds most of what it serves outside of them; but it knows what comes next. Worth it only where something
/// lies between asking and touching: a system call, or the service of another request.
/// </summary>
internal static class Prefetch
{
    private const int Line = 64;

    /// <summary>Asks for the beginning of an object.</summary>
    /// <param name="target">The object; null is as good as any.</param>
    /// <param name="lines">How many lines of 64 bytes, from its first on.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Of(object? target, int lines)
    {
        if (!Sse.IsSupported)
            return;
        // Only a hint: where the collector moves the object meanwhile, or there is none, nothing happens.
        byte* at = (byte*)Unsafe.As<object?, nint>(ref target);
        for (int i = 0; i < lines; i++)
            Sse.Prefetch0(at + (i * Line));
    }
}
