using System.Text;

namespace Lateen.Agent.Secrets;

/// <summary>PEM bundles of trusted certificates, as texts: whether one is good shows where it is used.</summary>
internal static class RootCertificates
{
    private const string Begin = "-----BEGIN CERTIFICATE-----", End = "-----END CERTIFICATE-----";

    /// <summary>All certificates of some bundles, each once, in order; what stands between them is left out.</summary>
    public static string Union(params ReadOnlySpan<string> bundles)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var union = new StringBuilder();
        foreach (string bundle in bundles)
        {
            for (int at = 0; Next(bundle, ref at) is { } pem;)
                if (seen.Add(pem)) union.Append(pem).Append('\n');
        }
        return union.ToString();
    }

    private static string? Next(string bundle, ref int at)
    {
        int begin = bundle.IndexOf(Begin, at, StringComparison.Ordinal);
        int end = begin < 0 ? -1 : bundle.IndexOf(End, begin, StringComparison.Ordinal);
        if (end < 0) return null;
        at = end + End.Length;
        return bundle[begin..at].Replace("\r", "", StringComparison.Ordinal);
    }
}
