// Names of hosts, clusters, labels and protocols as Istio's API means them: pure functions over strings, used by everything that reads
// configuration or makes it. What a name resolves to is not known here; that is the registry's.
//
// Host names are compared as written: Istio lower-cases none of them in configuration, and a mesh that did would accept what Istio refuses.
// Refused: a HostName type around the string (names travel through protobuf messages and dictionaries; wrapping them doubles every
// conversion and prevents nothing).
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Lateen.Api.Names;

/// <summary>IP addresses and ranges as configuration writes them.</summary>
public static class Addresses
{
    /// <summary>An IPv6 address in brackets, everything else as it is.</summary>
    public static string Bracketed(string host) => host.Contains(':') && IPAddress.TryParse(host, out _) ? $"[{host}]" : host;

    /// <summary><c>host:port</c>, with brackets around IPv6.</summary>
    public static string WithPort(string host, int port) => $"{Bracketed(host)}:{port.ToString(CultureInfo.InvariantCulture)}";

    /// <summary>An address (with its full length) or a CIDR range; the address stays as written, its host bits included.</summary>
    public static bool TryParseRange(string text, out string address, out int prefixLength)
    {
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        address = slash < 0 ? text : text[..slash];
        prefixLength = 0;
        if (!NameRules.IsAddress(address)) return false;
        var bits = IPAddress.Parse(address).AddressFamily == AddressFamily.InterNetwork ? 32 : 128;
        if (slash < 0)
        {
            prefixLength = bits;
            return true;
        }

        return int.TryParse(text.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out prefixLength)
            && prefixLength <= bits;
    }
}
