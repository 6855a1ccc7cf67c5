using System.Buffers.Text;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Lateen.Proxy.Server;

/// <summary>
/// The pages that this process has of programs and libraries. Those that are as they are in their file can be dropped at no cost: the
/// kernel brings one back from its cache (a minor fault, for sixteen neighbours at once) where it is needed after all.
/// </summary>
/// <remarks>
/// Only pages that nobody changes are dropped, since a change between the look and the drop would be lost: those of mappings that can't be
/// written, and the tables of a <see cref="CompiledImage"/>.
/// In few calls: a method that is called a thousand times here would be compiled anew for it, and bring back all the pages of the compiler.
/// </remarks>
internal static unsafe partial class FilePages
{
    private const int PageBytes = 4096, DontNeed = 4, MapsBytesMax = 4 << 20, MapsBytesAtFirst = 128 << 10, EntriesAtOnce = 8192;

    // Bits of an entry of pagemap: Documentation/admin-guide/mm/pagemap.rst of the kernel.
    private const ulong Present = 1UL << 63, Swapped = 1UL << 62, OfFile = 1UL << 61;

    /// <summary>Drops what can be dropped; nothing happens on a system without /proc, or with pages of another size.</summary>
    public static void GiveBack()
    {
        if (Environment.SystemPageSize != PageBytes || !File.Exists("/proc/self/pagemap"))
            return;
        byte* maps = null;
        var entries = (ulong*)NativeMemory.Alloc(EntriesAtOnce, sizeof(ulong));
        try
        {
            using SafeFileHandle pagemap = File.OpenHandle("/proc/self/pagemap");
            int length = ReadMaps(ref maps);
            (int line, int path) = (0, -1);
            for (int at = 0; at < length; at++)
            {
                if (maps[at] == '/' && path < 0)
                    path = at;
                if (maps[at] != '\n')
                    continue;
                if (path > 0 && maps[path + 1] != 'm'
                    && Unchanging(new(maps + line, path - line), new(maps + path, at - path)) is ({ } start, { } stop))
                    Drop((int)pagemap.DangerousGetHandle(), entries, start, stop);
                (line, path) = (at + 1, -1);
            }
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            // A system that does not show a process its own pages. They stay.
        }
        finally
        {
            NativeMemory.Free(entries);
            NativeMemory.Free(maps);
        }
    }

    private static int ReadMaps(ref byte* maps)
    {
        using SafeFileHandle file = File.OpenHandle("/proc/self/maps");
        (int capacity, int count) = (0, 0);
        while (count < MapsBytesMax)
        {
            if (capacity - count < PageBytes)
                maps = (byte*)NativeMemory.Realloc(maps, (nuint)(capacity = Math.Max(MapsBytesAtFirst, capacity * 2)));
            int more = RandomAccess.Read(file, new Span<byte>(maps + count, capacity - count), count);
            if (more == 0)
                break;
            count += more;
        }
        return count;
    }

    // "7f5a9ed30000-7f5aa01b2000 r-xp 00000000 fe:00 5767466    " and "/usr/bin/program": a private mapping of a file, as far as nothing
    // writes into it.
    private static (nint Start, nint Stop)? Unchanging(ReadOnlySpan<byte> line, ReadOnlySpan<byte> path)
    {
        if (!Utf8Parser.TryParse(line, out long start, out int digits, 'x')
            || !Utf8Parser.TryParse(line[(digits + 1)..], out long stop, out int more, 'x'))
            return null;
        ReadOnlySpan<byte> rights = line[(digits + 1 + more + 1)..];
        if (rights[0] != 'r' || rights[3] != 'p')
            return null;
        long from = rights[1] != 'w' ? start : CompiledImage.IsOne(path) ? BehindCells(path, rights[5..], start) : stop;
        return from < stop ? ((nint)from, (nint)stop) : null;
    }

    // The place in the file follows the rights.
    private static long BehindCells(ReadOnlySpan<byte> path, ReadOnlySpan<byte> line, long start) =>
        Utf8Parser.TryParse(line, out long place, out _, 'x') && CompiledImage.EndOfCells(path) is { } end && end >= place
            ? start + (end - place + PageBytes - 1) / PageBytes * PageBytes : long.MaxValue;

    private static void Drop(int pagemap, ulong* entries, nint start, nint stop)
    {
        nint from = 0;
        while (start < stop)
        {
            nint some = Math.Min(EntriesAtOnce, (stop - start) / PageBytes);
            if (pread(pagemap, entries, some * sizeof(ulong), start / PageBytes * sizeof(ulong)) != some * sizeof(ulong))
                break;
            for (nint i = 0; i < some; i++, start += PageBytes)
            {
                // Changed before the mapping was closed to writing: by relocation, say.
                bool changed = (entries[i] & Swapped) != 0 || (entries[i] & (Present | OfFile)) == Present;
                if (changed && from != 0)
                    _ = madvise(from, start - from, DontNeed);
                from = changed ? 0 : from == 0 ? start : from;
            }
        }
        if (from != 0)
            _ = madvise(from, start - from, DontNeed);
    }

    [LibraryImport("libc")]
    private static partial nint pread(int file, void* buffer, nint count, nint offset);

    [LibraryImport("libc")]
    private static partial int madvise(nint address, nint length, int advice);
}
