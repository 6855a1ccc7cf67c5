using System.Buffers.Text;
using System.Text;
using Lateen.Proxy.Http;

namespace Lateen.Proxy.Filters.Compression;

/// <summary>Which coding a client gets, where several compressors offer theirs (RFC 9110 12.5.3, with Envoy's tie rules).</summary>
internal static class EncodingChoice
{
    /// <summary>The coding chosen among those offered, in the order of the chain; null for none.</summary>
    public static string? Choose(ReadOnlySpan<byte> accept, List<CompressorFilter> offered)
    {
        var weights = new List<(string Name, double Weight)>();
        while (HeaderRules.NextToken(ref accept, out ReadOnlySpan<byte> token))
        {
            if (!token.IsEmpty && TryParse(token, out string name, out double weight))
                weights.Add((name, weight));
        }
        string? best = null;
        (double weight, bool first) bestRank = (0, false);
        foreach (CompressorFilter filter in offered)
        {
            double weight = WeightOf(filter.Pool.Encoding, weights);
            bool better = weight > bestRank.weight || (weight == bestRank.weight && weight > 0 && filter.IsFirstChoice);
            if (!better)
                continue;
            best = filter.Pool.Encoding;
            bestRank = (weight, filter.IsFirstChoice);
        }
        double identity = weights.Find(w => w.Name == "identity").Weight;
        return identity > bestRank.weight ? null : best;
    }

    private static double WeightOf(string encoding, List<(string Name, double Weight)> weights)
    {
        double star = 0;
        foreach ((string name, double weight) in weights)
        {
            if (name.Equals(encoding, StringComparison.OrdinalIgnoreCase))
                return weight;
            if (name == "*")
                star = weight;
        }
        return star;
    }

    private static bool TryParse(ReadOnlySpan<byte> token, out string name, out double weight)
    {
        weight = 1;
        int semicolon = token.IndexOf((byte)';');
        name = Encoding.ASCII.GetString(HeaderRules.Trim(semicolon < 0 ? token : token[..semicolon]));
        if (semicolon < 0)
            return true;
        ReadOnlySpan<byte> parameter = token[(semicolon + 1)..];
        int equals = parameter.IndexOf((byte)'=');
        if (equals < 0 || !HeaderRules.SameText(HeaderRules.Trim(parameter[..equals]), "q"u8))
            return true;
        ReadOnlySpan<byte> number = HeaderRules.Trim(parameter[(equals + 1)..]);
        return Utf8Parser.TryParse(number, out weight, out int used) && used == number.Length;
    }
}
