using System.Globalization;
using System.Runtime.InteropServices;

namespace Lateen.Proxy.Server;

/// <summary>
/// Gives back the memory that only the start needed: what taking configuration up left in the heap, and the pages of programs and libraries that were read once, to load types and to compile.
/// </summary>
/// <remarks>
/// Half of a fresh sidecar's resident memory is such pages. They are clean and file-backed, so the kernel drops them at no cost and brings
/// one back from its cache (a minor fault, for sixteen neighbours at once) where it is needed after all. Mappings with a changed page are left alone.
/// The heap is compacted where a large configuration left much behind: the collector itself would not, since a proxy that serves allocates nothing.
/// </remarks>
public static partial class StartMemory
{
    private const int DontNeed = 4;
    private const long HeapWorthCompacting = 24 * 1024 * 1024;

    // Soon after the start; when the code that first requests need was compiled; when load has been served and all of it is.
    private static readonly TimeSpan[] Moments = [TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(30)];
    private static Timer? _later;
    private static int _done;

    /// <summary>Does it some moments from now, on a thread of its own, beside the traffic.</summary>
    public static void GiveBackLater() => _later ??= new Timer(static _ =>
    {
        Compact();
        GiveBack();
        _done++;
        _later!.Change(_done < Moments.Length ? Moments[_done] : Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }, null, Moments[0], Timeout.InfiniteTimeSpan);

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

    /// <summary>Does it now; nothing happens on a system without /proc.</summary>
    public static void GiveBack()
    {
        if (!File.Exists("/proc/self/smaps"))
            return;
        (nint start, nint length, bool file) = (0, 0, false);
        bool clean = false;
        foreach (string line in File.ReadLines("/proc/self/smaps"))
        {
            if (Heading(line) is { } mapping)
                ((start, length, file), clean) = (mapping, true);
            else if (line.StartsWith("Private_Dirty:", StringComparison.Ordinal) || line.StartsWith("Anonymous:", StringComparison.Ordinal))
                clean &= line.EndsWith(" 0 kB", StringComparison.Ordinal);
            else if (line.StartsWith("VmFlags:", StringComparison.Ordinal) && file && clean)
                _ = madvise(start, (nuint)length, DontNeed);
        }
    }

    // "7f5a9ed30000-7f5aa01b2000 r-xp 00000000 fe:00 5767466    /usr/bin/program": a file's pages that can't be written.
    private static (nint Start, nint Length, bool IsFile)? Heading(string line)
    {
        int dash = line.IndexOf('-', StringComparison.Ordinal);
        int blank = line.IndexOf(' ', StringComparison.Ordinal);
        if (dash < 0 || blank < dash
            || !nint.TryParse(line.AsSpan(0, dash), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out nint start)
            || !nint.TryParse(line.AsSpan(dash + 1, blank - dash - 1), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out nint end))
            return null;
        bool readOnly = line.AsSpan(blank + 1) is ['r', '-', ..];
        return (start, end - start, readOnly && line.Contains('/', StringComparison.Ordinal) && !line.Contains("memfd:", StringComparison.Ordinal));
    }

    [LibraryImport("libc")]
    private static partial int malloc_trim(nuint pad);

    [LibraryImport("libc")]
    private static partial int madvise(nint address, nuint length, int advice);
}
