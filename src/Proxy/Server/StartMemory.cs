using System.Runtime.InteropServices;

namespace Lateen.Proxy.Server;

/// <summary>
/// Gives back the memory that only the start needed: what taking configuration up left in the heap, and the pages of programs and libraries
/// that were read once, to load types and to compile.
/// </summary>
/// <remarks>
/// Half of a fresh sidecar's resident memory is such pages, see <see cref="FilePages"/>.
/// The heap is compacted where a large configuration left much behind: the collector itself would not, since a proxy that serves allocates
/// nothing.
/// </remarks>
public static partial class StartMemory
{
    private const long HeapWorthCompacting = 24 * 1024 * 1024;

    // Soon after the start; when the code that first requests need was compiled; when load has been served and all of it is.
    private static readonly TimeSpan[] Moments = [TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(30)];
    private static Timer? _later;
    private static int _done;

    /// <summary>Does it some moments from now, on a thread of its own, beside the traffic.</summary>
    public static void GiveBackLater() => _later ??= new Timer(static _ =>
    {
        Compact();
        FilePages.GiveBack();
        _done++;
        _later!.Change(_done < Moments.Length ? Moments[_done] : Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }, null, Moments[0], Timeout.InfiniteTimeSpan);

    /// <summary>Does it now with all that there is to gain, while nothing waits for the program.</summary>
    public static void GiveBackAll()
    {
        GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        _ = malloc_trim(0);
        FilePages.GiveBack();
    }

    /// <summary>Does it now with what is free, under pressure of memory.</summary>
    internal static void Shrink()
    {
        GC.Collect(2, GCCollectionMode.Forced, blocking: false);
        _ = malloc_trim(0);
    }

    // Stops the workers for some milliseconds per ten megabytes that live: at these moments alone, and only where there is much to gain.
    private static void Compact()
    {
        GCMemoryInfo heap = GC.GetGCMemoryInfo();
        long since = GC.GetTotalMemory(forceFullCollection: false) - heap.HeapSizeBytes;
        // A small heap once, when the start is over (a sidecar has taken its certificate by then): a millisecond for several megabytes.
        bool startIsOver = _done == 1;
        if (!startIsOver && (heap.TotalCommittedBytes < HeapWorthCompacting || (_done > 0 && since < HeapWorthCompacting)))
            return;
        GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        _ = malloc_trim(0);
    }

    [LibraryImport("libc")]
    private static partial int malloc_trim(nuint pad);
}
