using System.Globalization;

namespace Lateen.Proxy.Server.Pressure;

/// <summary>How much memory the process may have, and how much of it is taken.</summary>
/// <remarks>
/// Counted is what the kernel can't have back without harm: all that is charged to the container but for pages of files that nobody has
/// mapped. Those go by themselves when room is needed, and a busy access log fills a container with them.
/// </remarks>
public abstract class MemoryRoom
{
    /// <summary>Bytes the process may have.</summary>
    public abstract long LimitBytes { get; }

    /// <summary>Bytes that are taken; null where it can't be told.</summary>
    public abstract long? Used();

    /// <summary>A limit of one's own for this process.</summary>
    public static MemoryRoom OfProcess(long limitBytes) => new ProcessRoom(limitBytes);

    /// <summary>The container's memory; null where it has no limit, or there is no container.</summary>
    /// <param name="root">The root of the file system.</param>
    public static MemoryRoom? OfContainer(string root = "/")
    {
        foreach ((string mount, string path) in Places(root))
        {
            if (Smallest(mount, path) is { } found)
                return found;
        }
        return null;
    }

    // Both hierarchies, each with our group's path in it. A container sees its own group as the root of the mount, whatever the path says.
    private static IEnumerable<(string Mount, string Path)> Places(string root)
    {
        string mounts = Path.Combine(root, "sys/fs/cgroup");
        foreach (string line in Lines(Path.Combine(root, "proc/self/cgroup")))
        {
            string[] parts = line.Split(':', 3);
            if (parts.Length < 3)
                continue;
            if (parts[1].Length == 0)
                yield return (mounts, parts[2]);
            else if (parts[1].Split(',').Contains("memory"))
                yield return (Path.Combine(mounts, "memory"), parts[2]);
        }
    }

    // A limit of any group above ours holds for us, too.
    private static MemoryRoom? Smallest(string mount, string path)
    {
        MemoryRoom? smallest = null;
        for (string at = path.Trim('/'); ; at = at[..Math.Max(0, at.LastIndexOf('/'))])
        {
            string folder = Path.Combine(mount, at);
            foreach (GroupFiles files in (GroupFiles[])[GroupFiles.Second, GroupFiles.First])
            {
                if (Number(Path.Combine(folder, files.Limit)) is { } limit and < Unlimited && limit < (smallest?.LimitBytes ?? Unlimited))
                    smallest = new GroupRoom(folder, files, limit);
            }
            if (at.Length == 0)
                return smallest;
        }
    }

    // The first hierarchy says "no limit" with a number close to the largest there is.
    private const long Unlimited = 1L << 60;

    private static long? Number(string file) =>
        Lines(file) is [string text, ..] && long.TryParse(text, CultureInfo.InvariantCulture, out long number) ? number : null;

    private static string[] Lines(string file)
    {
        try
        {
            return File.ReadAllLines(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    /// <summary>Names of files of a group, which differ from one hierarchy to the other.</summary>
    private sealed record GroupFiles(string Limit, string Used, string Inactive, string Active, string Mapped)
    {
        public static GroupFiles First { get; } = new("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file",
            "total_active_file", "total_mapped_file");

        public static GroupFiles Second { get; } = new("memory.max", "memory.current", "inactive_file", "active_file", "file_mapped");
    }

    private sealed class GroupRoom(string folder, GroupFiles files, long limit) : MemoryRoom
    {
        public override long LimitBytes => limit;

        public override long? Used()
        {
            if (Number(Path.Combine(folder, files.Used)) is not { } used)
                return null;
            (long cached, long mapped) = (0, 0);
            foreach (string line in Lines(Path.Combine(folder, "memory.stat")))
            {
                int space = line.IndexOf(' ', StringComparison.Ordinal);
                if (space < 0 || !long.TryParse(line.AsSpan(space + 1), CultureInfo.InvariantCulture, out long bytes))
                    continue;
                ReadOnlySpan<char> name = line.AsSpan(0, space);
                if (name.SequenceEqual(files.Inactive) || name.SequenceEqual(files.Active))
                    cached += bytes;
                else if (name.SequenceEqual(files.Mapped))
                    mapped = bytes;
            }
            return used - Math.Max(0, cached - mapped);
        }
    }

    private sealed class ProcessRoom(long limit) : MemoryRoom
    {
        public override long LimitBytes => limit;

        public override long? Used() => Environment.WorkingSet;
    }
}
