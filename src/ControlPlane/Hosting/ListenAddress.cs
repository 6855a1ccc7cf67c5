using System.Globalization;
using System.Net;

namespace Lateen.ControlPlane.Hosting;

/// <summary>`[host]:port` as pilot-discovery's flags have it.</summary>
public static class ListenAddress
{
    /// <summary>The endpoint to bind: no host is every interface, `localhost` is 127.0.0.1.</summary>
    /// <returns>Null where the text is not an address.</returns>
    public static IPEndPoint? Parse(string text)
    {
        int colon = text.LastIndexOf(':');
        if (colon < 0 || !ushort.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out ushort port))
            return null;
        string host = text[..colon].Trim('[', ']');
        if (host.Length == 0) return new(IPAddress.IPv6Any, port);
        if (host == "localhost") return new(IPAddress.Loopback, port);
        return IPAddress.TryParse(host, out IPAddress? address) ? new(address, port) : null;
    }

    /// <summary>The address under which this machine reaches what is bound to <paramref name="bound"/>.</summary>
    public static string ForThisMachine(IPEndPoint bound) =>
        bound.Address.Equals(IPAddress.IPv6Any) || bound.Address.Equals(IPAddress.Any) ? $"127.0.0.1:{bound.Port}" : bound.ToString();
}
