using System.Globalization;

namespace Lateen.Pilot.Generation.Security.Names;

/// <summary>Where the keys of an issuer lie.</summary>
/// <param name="Host">Host.</param>
/// <param name="Port">Port: written, or that of the scheme.</param>
/// <param name="IsTls">Over HTTPS.</param>
internal sealed record JwksAddress(string Host, int Port, bool IsTls)
{
    private const int HttpPort = 80;
    private const int HttpsPort = 443;

    /// <summary>Reads an address; null when it is neither of HTTP nor of HTTPS, or its port is none.</summary>
    public static JwksAddress? Parse(string text)
    {
        var end = text.IndexOf("://", StringComparison.Ordinal);
        if (end < 0 || text[..end] is not ("http" or "https")) return null;
        var isTls = text[..end] == "https";
        var authority = text[(end + 3)..].Split('/', '?', '#')[0];
        authority = authority[(authority.LastIndexOf('@') + 1)..];
        // An IPv6 address has colons of its own inside its brackets.
        var colon = authority.LastIndexOf(':');
        if (colon < 0 || colon < authority.IndexOf(']', StringComparison.Ordinal))
            return new(authority.Trim('[', ']'), isTls ? HttpsPort : HttpPort, isTls);
        var host = authority[..colon].Trim('[', ']');
        if (colon == authority.Length - 1) return new(host, isTls ? HttpsPort : HttpPort, isTls);
        return ushort.TryParse(authority.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port)
            ? new(host, port, isTls) : null;
    }
}
