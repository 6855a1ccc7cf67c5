using Google.Protobuf.Collections;
using Istio.Networking.V1Alpha3;

namespace Lateen.Pilot.Meaning.Compile;

/// <summary>Puts the routes of a delegate in the place of the root's route: conditions of both, and the root's settings where the delegate
/// has none.</summary>
public static class DelegateRoutes
{
    /// <summary>The delegate's routes as they hold under <paramref name="root"/>; those whose conditions contradict it are left
    /// out.</summary>
    public static IEnumerable<HTTPRoute> Merge(HTTPRoute root, IEnumerable<HTTPRoute> delegates) =>
        delegates.Select(route => Merge(root, route)).OfType<HTTPRoute>();

    private static HTTPRoute? Merge(HTTPRoute root, HTTPRoute route)
    {
        // A delegate of a delegate is one level too deep.
        if (route.Delegate is not null) return null;
        if (Matches(root.Match, route.Match) is not { } matches) return null;
        var merged = route.Clone();
        merged.Match.Clear();
        merged.Match.Add(matches);
        merged.Name = Join(root.Name, route.Name);
        merged.Rewrite ??= root.Rewrite;
        merged.DirectResponse ??= root.DirectResponse;
        merged.Timeout ??= root.Timeout;
        merged.Retries ??= root.Retries;
        merged.Fault ??= root.Fault;
        merged.Mirror ??= root.Mirror;
        merged.MirrorPercent ??= root.MirrorPercent;
        merged.MirrorPercentage ??= root.MirrorPercentage;
        merged.CorsPolicy ??= root.CorsPolicy;
        merged.Headers ??= root.Headers;
        if (merged.Mirrors.Count == 0) merged.Mirrors.Add(root.Mirrors);
        return merged;
    }

    /// <summary>Every condition of the delegate with each of the root's that it doesn't contradict; null when one of them contradicts
    /// all.</summary>
    internal static List<HTTPMatchRequest>? Matches(IReadOnlyCollection<HTTPMatchRequest> root, IReadOnlyCollection<HTTPMatchRequest> leaf)
    {
        if (root.Count == 0) return [.. leaf];
        if (leaf.Count == 0) return [.. root];
        var merged = new List<HTTPMatchRequest>();
        foreach (var inner in leaf)
        {
            var fitting = root.Where(outer => !Contradict(outer, inner)).ToList();
            if (fitting.Count == 0) return null;
            merged.AddRange(fitting.Select(outer => Merge(outer, inner)));
        }
        return merged;
    }

    private static HTTPMatchRequest Merge(HTTPMatchRequest root, HTTPMatchRequest leaf)
    {
        var merged = leaf.Clone();
        merged.Name = Join(root.Name, leaf.Name);
        merged.Uri ??= root.Uri;
        merged.Scheme ??= root.Scheme;
        merged.Method ??= root.Method;
        merged.Authority ??= root.Authority;
        Fill(merged.Headers, root.Headers);
        Fill(merged.WithoutHeaders, root.WithoutHeaders);
        Fill(merged.QueryParams, root.QueryParams);
        Fill(merged.SourceLabels, root.SourceLabels);
        if (merged.Port == 0) merged.Port = root.Port;
        if (merged.Gateways.Count == 0) merged.Gateways.Add(root.Gateways);
        if (merged.SourceNamespace.Length == 0) merged.SourceNamespace = root.SourceNamespace;
        if (merged.StatPrefix.Length == 0) merged.StatPrefix = root.StatPrefix;
        return merged;
    }

    private static string Join(string root, string leaf) => root.Length == 0 ? leaf : leaf.Length == 0 ? root : $"{root}-{leaf}";

    private static void Fill<T>(MapField<string, T> into, MapField<string, T> from)
    {
        foreach (var (key, value) in from)
        {
            if (!into.ContainsKey(key)) into.Add(key, value);
        }
    }

    /// <summary>Whether no request could satisfy both conditions, or it can't be told.</summary>
    internal static bool Contradict(HTTPMatchRequest root, HTTPMatchRequest leaf)
    {
        if (root.IgnoreUriCase != leaf.IgnoreUriCase) return true;
        if (Contradict(root.Uri, leaf.Uri) || Contradict(root.Scheme, leaf.Scheme) || Contradict(root.Method, leaf.Method)
            || Contradict(root.Authority, leaf.Authority)) return true;
        if (ContradictAny(root.Headers, leaf.Headers) || ContradictAny(root.WithoutHeaders, leaf.WithoutHeaders)
            || ContradictAny(root.QueryParams, leaf.QueryParams)) return true;
        if (root.Port > 0 && leaf.Port > 0 && root.Port != leaf.Port) return true;
        if (root.SourceLabels.Any(pair => leaf.SourceLabels.TryGetValue(pair.Key, out var value) && value != pair.Value)) return true;
        if (root.Gateways.Count > 0 && leaf.Gateways.Any(gateway => !root.Gateways.Contains(gateway))) return true;
        return root.SourceNamespace.Length > 0 && leaf.SourceNamespace.Length > 0 && root.SourceNamespace != leaf.SourceNamespace;
    }

    private static bool ContradictAny(MapField<string, StringMatch> root, MapField<string, StringMatch> leaf) =>
        root.Any(pair => leaf.TryGetValue(pair.Key, out var match) && Contradict(pair.Value, match));

    // The leaf must lie inside the root; whether one regular expression lies inside another can't be told.
    private static bool Contradict(StringMatch? root, StringMatch? leaf)
    {
        if (root is null || leaf is null) return false;
        if (root.MatchTypeCase == StringMatch.MatchTypeOneofCase.Regex || leaf.MatchTypeCase == StringMatch.MatchTypeOneofCase.Regex)
            return true;
        return (root.MatchTypeCase, leaf.MatchTypeCase) switch
        {
            (StringMatch.MatchTypeOneofCase.Exact, StringMatch.MatchTypeOneofCase.Exact) => root.Exact != leaf.Exact,
            (StringMatch.MatchTypeOneofCase.Exact, StringMatch.MatchTypeOneofCase.Prefix) => true,
            (StringMatch.MatchTypeOneofCase.Prefix, StringMatch.MatchTypeOneofCase.Exact) =>
                !leaf.Exact.StartsWith(root.Prefix, StringComparison.Ordinal),
            (StringMatch.MatchTypeOneofCase.Prefix, StringMatch.MatchTypeOneofCase.Prefix) =>
                !leaf.Prefix.StartsWith(root.Prefix, StringComparison.Ordinal),
            _ => false,
        };
    }
}
