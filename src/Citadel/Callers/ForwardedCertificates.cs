using System.Text;

namespace Lateen.Citadel.Callers;

/// <summary>A client certificate as a proxy in front tells of it.</summary>
/// <param name="Uris">Its URI names.</param>
/// <param name="DnsNames">Its DNS names.</param>
/// <param name="CommonName">The common name of its subject; null if the proxy told no subject.</param>
internal sealed record ForwardedCertificate(IReadOnlyList<string> Uris, IReadOnlyList<string> DnsNames, string? CommonName);

/// <summary>The header X-Forwarded-Client-Cert: hops parted by commas, each of key=value pairs parted by semicolons; values may be
/// quoted.</summary>
internal static class ForwardedCertificates
{
    /// <summary>Name of the header.</summary>
    public const string Header = "x-forwarded-client-cert";

    /// <summary>The hops, in the order of the header. Null if it can't be read.</summary>
    public static IReadOnlyList<ForwardedCertificate>? Parse(string header)
    {
        var hops = new List<ForwardedCertificate>();
        if (Parts(header, ',') is not { } elements) return null;
        foreach (var element in elements)
        {
            if (Parts(element, ';') is not { } pairs || pairs.Any(static p => !p.Contains('=', StringComparison.Ordinal))) return null;
            var values = pairs.Select(static p => p.Split('=', 2))
                .ToLookup(static p => p[0].Trim(), static p => Plain(p[1].Trim()), StringComparer.OrdinalIgnoreCase);
            hops.Add(new ForwardedCertificate(values["URI"].ToList(), values["DNS"].ToList(),
                CommonNameOf(values["Subject"].LastOrDefault() ?? "")));
        }
        return hops;
    }

    private static string? CommonNameOf(string subject)
    {
        if (subject.Length == 0) return null;
        var names = Parts(subject, ',') ?? [];
        var common = names.Select(static n => n.TrimStart())
            .FirstOrDefault(static n => n.StartsWith("CN=", StringComparison.OrdinalIgnoreCase));
        return common is null ? "" : common[3..].Replace("\\", "", StringComparison.Ordinal);
    }

    // Neither what is quoted nor what is escaped parts anything.
    private static List<string>? Parts(string text, char separator)
    {
        var parts = new List<string>();
        var part = new StringBuilder();
        var quoted = false;
        for (var at = 0; at < text.Length; at++)
        {
            var letter = text[at];
            if (letter == '\\' && at + 1 < text.Length) part.Append(letter).Append(text[++at]);
            else if (letter == separator && !quoted)
            {
                parts.Add(part.ToString());
                part.Clear();
            }
            else
            {
                quoted ^= letter == '"';
                part.Append(letter);
            }
        }
        if (part.Length > 0) parts.Add(part.ToString());
        return quoted ? null : parts;
    }

    private static string Plain(string value) =>
        value is ['"', .., '"'] ? value[1..^1].Replace("\\\"", "\"", StringComparison.Ordinal) : value;
}
