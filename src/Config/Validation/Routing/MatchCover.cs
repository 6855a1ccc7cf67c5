using Google.Protobuf.Collections;
using Istio.Networking.V1Alpha3;
using Lateen.Api.Names;
using By = Istio.Networking.V1Alpha3.StringMatch.MatchTypeOneofCase;

namespace Lateen.Config.Validation.Routing;

/// <summary>Whether one match takes everything that another would: what stands behind it then is never reached.</summary>
/// <remarks>Only what is sure: two regular expressions are compared by their text, and what cannot be told apart is not covered.</remarks>
public static class MatchCover
{
    /// <summary>Every request that <paramref name="later"/> matches is matched by <paramref name="earlier"/>, too.</summary>
    public static bool Covers(HTTPMatchRequest earlier, HTTPMatchRequest later) =>
        CoversPath(earlier, later)
        && Covers(earlier.Scheme, later.Scheme) && Covers(earlier.Method, later.Method) && Covers(earlier.Authority, later.Authority)
        && earlier.Headers.All(header => later.Headers.TryGetValue(header.Key, out var own) && Covers(header.Value, own))
        && earlier.WithoutHeaders.All(header => later.WithoutHeaders.TryGetValue(header.Key, out var own) && Equals(header.Value, own))
        && earlier.QueryParams.All(query => later.QueryParams.TryGetValue(query.Key, out var own) && Covers(query.Value, own))
        && CoversPlace(earlier.Port, later.Port, earlier.SourceNamespace, later.SourceNamespace, earlier.SourceLabels, later.SourceLabels,
            earlier.Gateways, later.Gateways);

    /// <summary>Every connection that <paramref name="later"/> matches is matched by <paramref name="earlier"/>, too.</summary>
    public static bool Covers(TLSMatchAttributes earlier, TLSMatchAttributes later) =>
        later.SniHosts.All(host => earlier.SniHosts.Any(own => HostNames.IsSubsetOf(host, own)))
            && (later.SniHosts.Count > 0 || earlier.SniHosts.Count == 0)
        && CoversAddresses(earlier.DestinationSubnets, later.DestinationSubnets)
        && CoversPlace(earlier.Port, later.Port, earlier.SourceNamespace, later.SourceNamespace, earlier.SourceLabels, later.SourceLabels,
            earlier.Gateways, later.Gateways);

    /// <summary>Every connection that <paramref name="later"/> matches is matched by <paramref name="earlier"/>, too.</summary>
    public static bool Covers(L4MatchAttributes earlier, L4MatchAttributes later) =>
        CoversAddresses(earlier.DestinationSubnets, later.DestinationSubnets)
        && CoversPlace(earlier.Port, later.Port, earlier.SourceNamespace, later.SourceNamespace, earlier.SourceLabels, later.SourceLabels,
            earlier.Gateways, later.Gateways);

    /// <summary>Whether a match takes every request of its gateways, whatever is written in it.</summary>
    public static bool IsCatchAll(HTTPMatchRequest match) => Covers(match, new HTTPMatchRequest());

    private static bool CoversPlace(
        uint earlierPort, uint laterPort, string earlierNamespace, string laterNamespace,
        MapField<string, string> earlierLabels, MapField<string, string> laterLabels, RepeatedField<string> earlierGateways,
        RepeatedField<string> laterGateways) =>
        (earlierPort == 0 || earlierPort == laterPort)
        && (earlierNamespace.Length == 0 || earlierNamespace == laterNamespace)
        && LabelSets.IsSubset(earlierLabels, laterLabels)
        && (earlierGateways.Count == 0 || (laterGateways.Count > 0 && laterGateways.All(earlierGateways.Contains)));

    private static bool CoversAddresses(RepeatedField<string> earlier, RepeatedField<string> later) =>
        earlier.Count == 0 || (later.Count > 0 && later.All(earlier.Contains));

    private static bool CoversPath(HTTPMatchRequest earlier, HTTPMatchRequest later)
    {
        if (IsAnyPath(earlier.Uri)) return true;
        if (later.Uri is null || (later.IgnoreUriCase && !earlier.IgnoreUriCase)) return false;
        var comparison = earlier.IgnoreUriCase ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal;
        return Covers(earlier.Uri, later.Uri, comparison);
    }

    // A path always begins with a slash.
    private static bool IsAnyPath(StringMatch? path) => path is null || path.MatchTypeCase switch
    {
        By.None => true,
        By.Prefix => path.Prefix is "" or "/",
        By.Regex => path.Regex is ".*" or "/.*",
        _ => false,
    };

    private static bool Covers(StringMatch? earlier, StringMatch? later, StringComparison comparison = StringComparison.Ordinal)
    {
        if (earlier is null || earlier.MatchTypeCase == By.None) return true;
        if (later is null) return false;
        return (earlier.MatchTypeCase, later.MatchTypeCase) switch
        {
            (By.Exact, By.Exact) => earlier.Exact.Equals(later.Exact, comparison),
            (By.Prefix, By.Exact) => later.Exact.StartsWith(earlier.Prefix, comparison),
            (By.Prefix, By.Prefix) => later.Prefix.StartsWith(earlier.Prefix, comparison),
            (By.Regex, By.Regex) => earlier.Regex == later.Regex,
            (By.Regex, _) => earlier.Regex == ".*",
            _ => false,
        };
    }
}
