using System.Globalization;
using System.Runtime.InteropServices;

namespace Lateen.Proxy.Server;

/// <summary>Gives back the memory that only the start needed: the pages of programs and libraries that were read once, to load types, to compile, to take configuration up.</summary>
/// <remarks>
/// Half of a fresh sidecar's resident memory is such pages. They are clean and file-backed, so the kernel drops them at no cost and brings
/// one back from its cache (a minor fault, for sixteen neighbours at once) where it is needed after all. Mappings with a changed page are left alone.
/// </remarks>
public static partial class StartMemory
{
    private const int DontNeed = 4;
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(5), Running = TimeSpan.FromSeconds(30);
    private static Timer? _later;
    private static bool _isFirst = true;

    /// <summary>Does it some seconds from now, and once more when first traffic has been served; on a thread of its own, beside the traffic.</summary>
    public static void GiveBackLater() => _later ??= new Timer(static _ =>
    {
        GiveBack();
        _later!.Change(_isFirst ? Running : Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _isFirst = false;
    }, null, Settling, Timeout.InfiniteTimeSpan);

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
    private static partial int madvise(nint address, nuint length, int advice);
}
