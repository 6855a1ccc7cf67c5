using System.Globalization;
using System.Net;

namespace Lateen.Api.Names;

/// <summary>What makes a name valid. Each check gives the reason why it is not, or null.</summary>
public static class NameRules
{
    private const int DomainCharsMax = 255;
    private const int LabelCharsMax = 63;

    /// <summary>RFC 1123: letters, digits and hyphens inside, at most 63.</summary>
    public static bool IsLabel(ReadOnlySpan<char> label)
    {
        if (label.Length is 0 or > LabelCharsMax || label[0] == '-' || label[^1] == '-') return false;
        foreach (var c in label)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c != '-') return false;
        }

        return true;
    }

    /// <summary>A label, a star, or a star with the end of a label (<c>*foo</c>, <c>*-foo</c>).</summary>
    public static bool IsWildcardLabel(ReadOnlySpan<char> label)
    {
        if (label.Length > LabelCharsMax || !label.StartsWith("*")) return IsLabel(label);
        var rest = label[1..];
        return rest.Length == 0 || IsLabel(rest) || (rest[0] == '-' && IsLabel(rest[1..]));
    }

    /// <summary>A fully qualified name without star; a dot at the end is allowed.</summary>
    public static string? Domain(string domain) => Bounds(domain) ?? Labels(domain, domain);

    /// <summary>A domain whose first label may have a star.</summary>
    public static string? WildcardDomain(string domain)
    {
        if (Bounds(domain) is { } reason) return reason;
        var dot = domain.IndexOf('.', StringComparison.Ordinal);
        var first = dot < 0 ? domain : domain[..dot];
        return !IsWildcardLabel(first) ? BadLabel(domain, first) : dot < 0 ? null : Labels(domain, domain[(dot + 1)..]);
    }

    /// <summary>
    /// The same for a host of a VirtualService that is bound to a gateway, where a TLS route may name the SNI that the mesh itself makes
    /// (<c>outbound_.80_._.host</c>).
    /// </summary>
    public static string? GatewayDomain(string domain, bool isSni)
    {
        if (!isSni || !domain.StartsWith("outbound_", StringComparison.Ordinal) || !domain.Contains("_.", StringComparison.Ordinal))
            return WildcardDomain(domain);
        if (!ClusterName.TryParseSni(domain, out var direction, out var port, out _, out var host))
            return $"domain name \"{domain}\" invalid: not of the form outbound_.PORT_.SUBSET_.HOST";
        var portIsValid = int.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && number is >= 1 and <= 65535;
        return direction != "outbound" || !portIsValid ? $"domain name \"{domain}\" invalid: bad direction or port" : Domain(host);
    }

    /// <summary>A domain or an address with a scope before it is not judged here; this takes what <c>hosts</c> of a VirtualService may
    /// hold.</summary>
    public static bool IsAddress(string text) => IPAddress.TryParse(text, out var address) && IsCanonicalAddress(text, address);

    /// <summary>An address or a range in CIDR form.</summary>
    public static string? Subnet(string text)
    {
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0) return IsAddress(text) ? null : $"\"{text}\" is not a valid IP address";
        return Addresses.TryParseRange(text, out _, out _) ? null : $"\"{text}\" is not a valid CIDR block";
    }

    /// <summary>The trust domain of a mesh: labels with dots; the whole may end in a dot.</summary>
    public static string? TrustDomain(string domain)
    {
        if (domain.Length == 0) return "empty domain name not allowed";
        var labels = domain.Split('.');
        for (var i = 0; i < labels.Length; i++)
        {
            if (!(i == labels.Length - 1 && i > 0 && labels[i].Length == 0) && !IsLabel(labels[i]))
                return $"trust domain name \"{domain}\" invalid (label \"{labels[i]}\" invalid)";
        }

        return null;
    }

    private static string? Bounds(string domain) =>
        domain.Length == 0 ? "empty domain name not allowed"
        : domain.Length > DomainCharsMax ? $"domain name \"{domain[..40]}...\" too long (max {DomainCharsMax})"
        : null;

    private static string? Labels(string domain, string part)
    {
        var labels = part.Split('.');
        var last = labels[^1];
        if (last.Length > 0 && last.AsSpan().IndexOfAnyExceptInRange('0', '9') < 0)
            return $"domain name \"{domain}\" invalid (top level domain \"{last}\" cannot be all-numeric)";
        for (var i = 0; i < labels.Length; i++)
        {
            if (!(i == labels.Length - 1 && labels[i].Length == 0) && !IsLabel(labels[i])) return BadLabel(domain, labels[i]);
        }

        return null;
    }

    private static string BadLabel(string domain, string label) => $"domain name \"{domain}\" invalid (label \"{label}\" invalid)";

    /// <summary>.NET also reads <c>1</c> and <c>0x7f.1</c> as addresses; configuration may not.</summary>
    private static bool IsCanonicalAddress(string text, IPAddress address) =>
        address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 ? !text.Contains('[') : address.ToString() == text;
}
