using System.Globalization;

namespace Lateen.Proxy.Net;

/// <summary>
/// How many descriptors connections of clients may take. Some are left to the process itself: upstream connections, files, and the runtime,
/// which opens a file when it first needs a part of the framework and ends the process where it can't.
/// </summary>
internal static class DescriptorRoom
{
    private const int ReservedMax = 64;

    /// <summary>From this number on a descriptor is given back.</summary>
    public static int Max { get; } = Read();

    // "Max open files            1024                 524288               files" (proc(5)).
    private static int Read()
    {
        foreach (string line in File.Exists("/proc/self/limits") ? File.ReadLines("/proc/self/limits") : [])
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words is ["Max", "open", "files", var soft, ..]
                && int.TryParse(soft, NumberStyles.None, CultureInfo.InvariantCulture, out int limit))
                return limit - Math.Min(ReservedMax, limit / 8);
        }
        return int.MaxValue;
    }
}
