using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Listeners;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;
using Xds.Type.Matcher.V3;
using Extension = Xds.Core.V3.TypedExtensionConfig;

namespace Lateen.Proxy.Xds;

/// <summary>Listener.filter_chain_matcher: a tree over a connection's facts whose leaves are names of chains.</summary>
internal static class ChainMatcherTranslator
{
    private const string Inputs = "envoy.extensions.matching.common_inputs.network.v3.";

    /// <summary>The tree; null where it can't be served.</summary>
    public static ChainMatcher? Translate(Matcher matcher, Rejections rejections)
    {
        ChainOutcome? otherwise = matcher.OnNoMatch is null ? null : Outcome(matcher.OnNoMatch, rejections);
        switch (matcher.MatcherTypeCase)
        {
            case Matcher.MatcherTypeOneofCase.MatcherList:
                return new ListChainMatcher([.. matcher.MatcherList.Matchers.Select(m => (Condition(m.Predicate, rejections), Outcome(m.OnMatch, rejections)))
                    .Where(e => e.Item1 is not null && e.Item2 is not null).Select(e => (e.Item1!, e.Item2!))]) { OnNoMatch = otherwise };
            case Matcher.MatcherTypeOneofCase.MatcherTree:
                return Tree(matcher.MatcherTree, otherwise, rejections);
            default:
                // Only on_no_match: everything goes there.
                return new ListChainMatcher([]) { OnNoMatch = otherwise };
        }
    }

    private static ChainMatcher? Tree(Matcher.Types.MatcherTree tree, ChainOutcome? otherwise, Rejections rejections)
    {
        if (Input(tree.Input, rejections) is not { } input)
            return null;
        switch (tree.TreeTypeCase)
        {
            case Matcher.Types.MatcherTree.TreeTypeOneofCase.ExactMatchMap:
                return new ExactChainMatcher(input, Map(tree.ExactMatchMap, rejections)) { OnNoMatch = otherwise };
            case Matcher.Types.MatcherTree.TreeTypeOneofCase.PrefixMatchMap:
                return new PrefixChainMatcher(input, Map(tree.PrefixMatchMap, rejections)) { OnNoMatch = otherwise };
            case Matcher.Types.MatcherTree.TreeTypeOneofCase.CustomMatch when ValueTranslator.TypeName(tree.CustomMatch.TypedConfig) == "xds.type.matcher.v3.IPMatcher":
                IPMatcher? ranges = ValueTranslator.Unpack(tree.CustomMatch.TypedConfig, IPMatcher.Parser, rejections);
                return ranges is null ? null : new RangeChainMatcher(input, Ranges(ranges, rejections)) { OnNoMatch = otherwise };
            default:
                rejections.Add($"matcher_tree with {tree.TreeTypeCase} {tree.CustomMatch?.Name} is not served");
                return null;
        }
    }

    private static Dictionary<string, ChainOutcome> Map(Matcher.Types.MatcherTree.Types.MatchMap map, Rejections rejections)
    {
        var outcomes = new Dictionary<string, ChainOutcome>(StringComparer.Ordinal);
        foreach ((string key, Matcher.Types.OnMatch value) in map.Map)
        {
            if (Outcome(value, rejections) is { } outcome)
                outcomes[key] = outcome;
        }
        return outcomes;
    }

    private static List<(Prefix, ChainOutcome, bool)> Ranges(IPMatcher matcher, Rejections rejections)
    {
        var found = new List<(Prefix, ChainOutcome, bool)>();
        foreach (IPMatcher.Types.IPRangeMatcher range in matcher.RangeMatchers)
        {
            if (Outcome(range.OnMatch, rejections) is not { } outcome)
                continue;
            foreach (global::Xds.Core.V3.CidrRange r in range.Ranges)
            {
                if (Address.TryParse(r.AddressPrefix, 0, out Address address))
                    found.Add((new Prefix(address, (int)(r.PrefixLen ?? 0)), outcome, range.Exclusive));
                else
                    rejections.Add($"malformed IP address: {r.AddressPrefix}");
            }
        }
        return found;
    }

    private static ChainOutcome? Outcome(Matcher.Types.OnMatch? match, Rejections rejections)
    {
        switch (match?.OnMatchCase)
        {
            case Matcher.Types.OnMatch.OnMatchOneofCase.Matcher:
                return Translate(match.Matcher, rejections) is { } next ? new ChainOutcome(null, next) : null;
            case Matcher.Types.OnMatch.OnMatchOneofCase.Action when ValueTranslator.TypeName(match.Action.TypedConfig) == "google.protobuf.StringValue":
                return new ChainOutcome(ValueTranslator.Unpack(match.Action.TypedConfig, StringValue.Parser, rejections)?.Value ?? "", null);
            default:
                rejections.Add($"the action of a filter chain matcher must be a chain's name, not {match?.Action?.TypedConfig?.TypeUrl}");
                return null;
        }
    }

    private static ChainCondition? Condition(Matcher.Types.MatcherList.Types.Predicate predicate, Rejections rejections)
    {
        switch (predicate.MatchTypeCase)
        {
            case Matcher.Types.MatcherList.Types.Predicate.MatchTypeOneofCase.SinglePredicate:
                if (predicate.SinglePredicate.ValueMatch is not { } value)
                {
                    rejections.Add("a custom_match in matcher_list is not served");
                    return null;
                }
                return Input(predicate.SinglePredicate.Input, rejections) is { } input && Text(value, rejections) is { } text ? ChainCondition.Of(input, text) : null;
            case Matcher.Types.MatcherList.Types.Predicate.MatchTypeOneofCase.AndMatcher:
                return ChainCondition.Of([.. predicate.AndMatcher.Predicate.Select(p => Condition(p, rejections)).OfType<ChainCondition>()], all: true);
            case Matcher.Types.MatcherList.Types.Predicate.MatchTypeOneofCase.OrMatcher:
                return ChainCondition.Of([.. predicate.OrMatcher.Predicate.Select(p => Condition(p, rejections)).OfType<ChainCondition>()], all: false);
            default:
                return Condition(predicate.NotMatcher, rejections) is { } not ? ChainCondition.Not(not) : null;
        }
    }

    /// <summary>A text's test in the form of matcher trees.</summary>
    internal static StringMatch? Text(StringMatcher matcher, Rejections rejections) => matcher.MatchPatternCase switch
    {
        StringMatcher.MatchPatternOneofCase.Exact => StringMatch.Of(StringMatchKind.Exact, matcher.Exact, matcher.IgnoreCase),
        StringMatcher.MatchPatternOneofCase.Prefix => StringMatch.Of(StringMatchKind.Prefix, matcher.Prefix, matcher.IgnoreCase),
        StringMatcher.MatchPatternOneofCase.Suffix => StringMatch.Of(StringMatchKind.Suffix, matcher.Suffix, matcher.IgnoreCase),
        StringMatcher.MatchPatternOneofCase.Contains => StringMatch.Of(StringMatchKind.Contains, matcher.Contains, matcher.IgnoreCase),
        _ => MatcherTranslator.Regex(matcher.SafeRegex?.Regex ?? "", rejections),
    };

    private static ChainInput? Input(Extension? input, Rejections rejections)
    {
        string type = input?.TypedConfig is null ? "" : ValueTranslator.TypeName(input.TypedConfig);
        ChainInput? found = (type.StartsWith(Inputs, StringComparison.Ordinal) ? type[Inputs.Length..] : type) switch
        {
            "DestinationIPInput" => ChainInput.DestinationIp,
            "DestinationPortInput" => ChainInput.DestinationPort,
            "SourceIPInput" => ChainInput.SourceIp,
            "SourcePortInput" => ChainInput.SourcePort,
            "DirectSourceIPInput" => ChainInput.DirectSourceIp,
            "SourceTypeInput" => ChainInput.SourceType,
            "ServerNameInput" => ChainInput.ServerName,
            "TransportProtocolInput" => ChainInput.TransportProtocol,
            "ApplicationProtocolInput" => ChainInput.ApplicationProtocol,
            _ => null,
        };
        if (found is null)
            rejections.Add($"matching input {type} is not served for filter chains");
        return found;
    }
}
