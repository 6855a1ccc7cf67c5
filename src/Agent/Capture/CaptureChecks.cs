using System.Net;
using System.Text.RegularExpressions;

namespace Lateen.Agent.Capture;

/// <summary>What is wrong with settings of the capture, before anything of them becomes a command.</summary>
public static partial class CaptureChecks
{
    private const int GroupsMax = 64;
    private const int InterfaceCharsMax = 15;

    /// <summary>Everything that is wrong; empty when the settings can be used.</summary>
    public static IEnumerable<string> Problems(CaptureOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new[]
        {
            InterfaceProblem(options.RerouteVirtualInterfaces), InterfaceProblem(options.ExcludeInterfaces),
            OwnerGroupProblem(options.OwnerGroupsInclude, options.OwnerGroupsExclude),
            LoopbackProblem(options.HostIPv4LoopbackCidr),
        }.OfType<string>();
    }

    /// <summary>Why a list of interfaces, separated by commas, is none; null when it is one, or empty.</summary>
    public static string? InterfaceProblem(string interfaces)
    {
        if (interfaces.Length == 0) return null;
        foreach (var name in interfaces.Split(',').Select(part => part.Trim()))
        {
            if (name.Length is 0 or > InterfaceCharsMax || !InterfaceName().IsMatch(name))
                return $"\"{name}\" is not the name of a network interface";
        }
        return null;
    }

    /// <summary>Why groups can't be captured: each of them needs rules of its own, all but some do not.</summary>
    public static string? OwnerGroupProblem(string include, string exclude)
    {
        if (include is "" or "*") return null;
        var count = include.Split(',', StringSplitOptions.RemoveEmptyEntries).Length;
        return count > GroupsMax ? $"no more than {GroupsMax} owner groups can be captured one by one, not {count}" : null;
    }

    /// <summary>Why a range is not one of loopback addresses of IPv4; null when it is.</summary>
    public static string? LoopbackProblem(string cidr)
    {
        var slash = cidr.IndexOf('/', StringComparison.Ordinal);
        var isRange = slash > 0 && IPAddress.TryParse(cidr.AsSpan(0, slash), out var address)
            && address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork
            && IPAddress.IsLoopback(address)
            && int.TryParse(cidr.AsSpan(slash + 1), System.Globalization.NumberStyles.None, null, out var bits) && bits <= 32;
        return isRange ? null : $"\"{cidr}\" is not a range of loopback addresses of IPv4";
    }

    [GeneratedRegex("^[a-zA-Z_][a-zA-Z0-9_.-]*$")]
    private static partial Regex InterfaceName();
}
