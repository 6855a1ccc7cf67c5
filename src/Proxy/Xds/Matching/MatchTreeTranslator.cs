using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Matching;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;
using Xds.Type.Matcher.V3;
using Extension = Xds.Core.V3.TypedExtensionConfig;
using Predicate = Xds.Type.Matcher.V3.Matcher.Types.MatcherList.Types.Predicate;

namespace Lateen.Proxy.Xds.Matching;

/// <summary>What one kind of tree allows: its inputs, its actions, and tests that are not of texts.</summary>
internal abstract class MatchVocabulary<TFacts, TAction>
    where TAction : class
{
    /// <summary>An input by its type; null with a rejection.</summary>
    public abstract MatchInput<TFacts>? Input(string type, Any config, Rejections rejections);

    /// <summary>An action by its type; null with a rejection.</summary>
    public abstract TAction? Action(string type, Any config, Rejections rejections);

    /// <summary>A custom_match of an input; null with a rejection.</summary>
    public virtual MatchCondition<TFacts>? Custom(string type, Any match, Extension? input, Rejections rejections)
    {
        rejections.Add($"custom_match {type} in matcher_list is not served");
        return null;
    }
}

/// <summary>Trees of questions (xds.type.matcher.v3.Matcher), whatever they lead to.</summary>
internal sealed class MatchTreeTranslator<TFacts, TAction>(MatchVocabulary<TFacts, TAction> words, Rejections rejections)
    where TAction : class
{
    private const int DepthMax = 32;

    private int _depth;

    /// <summary>The tree; null where it can't be served.</summary>
    public MatchTree<TFacts, TAction>? Tree(Matcher matcher)
    {
        // What a control plane sends must not end the stack.
        if (_depth >= DepthMax)
        {
            rejections.Add("the matcher is nested too deeply");
            return null;
        }
        _depth++;
        MatchOutcome<TFacts, TAction>? otherwise = matcher.OnNoMatch is null ? null : Outcome(matcher.OnNoMatch);
        MatchTree<TFacts, TAction>? tree = matcher.MatcherTypeCase switch
        {
            Matcher.MatcherTypeOneofCase.MatcherList =>
                new ListTree<TFacts, TAction>(Entries(matcher.MatcherList)) { OnNoMatch = otherwise },
            Matcher.MatcherTypeOneofCase.MatcherTree => Map(matcher.MatcherTree, otherwise),

            // Only on_no_match: everything goes there.
            _ => new ListTree<TFacts, TAction>([]) { OnNoMatch = otherwise },
        };
        _depth--;
        return tree;
    }

    private List<(MatchCondition<TFacts>, MatchOutcome<TFacts, TAction>)> Entries(Matcher.Types.MatcherList list)
    {
        var entries = new List<(MatchCondition<TFacts>, MatchOutcome<TFacts, TAction>)>();
        foreach (Matcher.Types.MatcherList.Types.FieldMatcher entry in list.Matchers)
        {
            if (Condition(entry.Predicate, 0) is { } condition && Outcome(entry.OnMatch) is { } outcome)
                entries.Add((condition, outcome));
        }
        return entries;
    }

    private MatchTree<TFacts, TAction>? Map(Matcher.Types.MatcherTree tree, MatchOutcome<TFacts, TAction>? otherwise)
    {
        if (Input(tree.Input) is not { } input)
            return null;
        switch (tree.TreeTypeCase)
        {
            case Matcher.Types.MatcherTree.TreeTypeOneofCase.ExactMatchMap:
                return new MapTree<TFacts, TAction>(input, Outcomes(tree.ExactMatchMap), byPrefix: false) { OnNoMatch = otherwise };
            case Matcher.Types.MatcherTree.TreeTypeOneofCase.PrefixMatchMap:
                return new MapTree<TFacts, TAction>(input, Outcomes(tree.PrefixMatchMap), byPrefix: true) { OnNoMatch = otherwise };
            case Matcher.Types.MatcherTree.TreeTypeOneofCase.CustomMatch when TypeOf(tree.CustomMatch) == "xds.type.matcher.v3.IPMatcher":
                return ValueTranslator.Unpack(tree.CustomMatch.TypedConfig, IPMatcher.Parser, rejections) is { } ranges
                    ? new RangeTree<TFacts, TAction>(input, Ranges(ranges)) { OnNoMatch = otherwise } : null;
            case Matcher.Types.MatcherTree.TreeTypeOneofCase.CustomMatch
                when TypeOf(tree.CustomMatch) == "xds.type.matcher.v3.ServerNameMatcher":
                return ValueTranslator.Unpack(tree.CustomMatch.TypedConfig, ServerNameMatcher.Parser, rejections) is { } domains
                    ? new DomainTree<TFacts, TAction>(input, Domains(domains)) { OnNoMatch = otherwise } : null;
            default:
                rejections.Add($"matcher_tree with {tree.TreeTypeCase} {tree.CustomMatch?.Name} is not served");
                return null;
        }
    }

    private Dictionary<string, MatchOutcome<TFacts, TAction>> Outcomes(Matcher.Types.MatcherTree.Types.MatchMap map)
    {
        var outcomes = new Dictionary<string, MatchOutcome<TFacts, TAction>>(StringComparer.Ordinal);
        foreach ((string key, Matcher.Types.OnMatch value) in map.Map)
        {
            if (Outcome(value) is { } outcome)
                outcomes[key] = outcome;
        }
        return outcomes;
    }

    private List<(Prefix, MatchOutcome<TFacts, TAction>, bool)> Ranges(IPMatcher matcher)
    {
        var found = new List<(Prefix, MatchOutcome<TFacts, TAction>, bool)>();
        foreach (IPMatcher.Types.IPRangeMatcher range in matcher.RangeMatchers)
        {
            if (Outcome(range.OnMatch) is not { } outcome)
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

    private Dictionary<string, MatchOutcome<TFacts, TAction>> Domains(ServerNameMatcher matcher)
    {
        var found = new Dictionary<string, MatchOutcome<TFacts, TAction>>(StringComparer.OrdinalIgnoreCase);
        foreach (ServerNameMatcher.Types.DomainMatcher entry in matcher.DomainMatchers)
        {
            if (Outcome(entry.OnMatch) is not { } outcome)
                continue;
            foreach (string domain in entry.Domains)
            {
                int star = domain.LastIndexOf('*');
                if (star > 0 || (star == 0 && domain.Length > 1 && domain[1] != '.'))
                    rejections.Add($"{domain}: a wildcard stands alone or before the first dot");
                else if (!found.TryAdd(domain, outcome))
                    rejections.Add($"Duplicate domain in ServerNameMatcher: {domain}");
            }
        }
        return found;
    }

    private MatchOutcome<TFacts, TAction>? Outcome(Matcher.Types.OnMatch? match)
    {
        if (match?.OnMatchCase == Matcher.Types.OnMatch.OnMatchOneofCase.Matcher)
            return Tree(match.Matcher) is { } next ? new MatchOutcome<TFacts, TAction>(null, next) : null;
        Any config = match?.Action?.TypedConfig ?? new Any();
        return words.Action(ValueTranslator.TypeName(config), config, rejections) is { } action
            ? new MatchOutcome<TFacts, TAction>(action, null) : null;
    }

    private MatchCondition<TFacts>? Condition(Predicate? predicate, int depth)
    {
        if (depth > DepthMax)
        {
            rejections.Add("the predicate is nested too deeply");
            return null;
        }
        switch (predicate?.MatchTypeCase)
        {
            case Predicate.MatchTypeOneofCase.SinglePredicate when predicate.SinglePredicate.CustomMatch is { } custom:
                return words.Custom(TypeOf(custom), custom.TypedConfig ?? new Any(), predicate.SinglePredicate.Input, rejections);
            case Predicate.MatchTypeOneofCase.SinglePredicate when predicate.SinglePredicate.ValueMatch is { } value:
                return Input(predicate.SinglePredicate.Input) is { } input && Text(value) is { } text
                    ? new TextCondition<TFacts>(input, text) : null;
            case Predicate.MatchTypeOneofCase.AndMatcher:
                return new SetCondition<TFacts>(
                    [.. predicate.AndMatcher.Predicate.Select(p => Condition(p, depth + 1)).OfType<MatchCondition<TFacts>>()], all: true);
            case Predicate.MatchTypeOneofCase.OrMatcher:
                return new SetCondition<TFacts>(
                    [.. predicate.OrMatcher.Predicate.Select(p => Condition(p, depth + 1)).OfType<MatchCondition<TFacts>>()], all: false);
            case Predicate.MatchTypeOneofCase.NotMatcher:
                return Condition(predicate.NotMatcher, depth + 1) is { } not ? new NotCondition<TFacts>(not) : null;
            default:
                rejections.Add("a predicate without a test");
                return null;
        }
    }

    private MatchInput<TFacts>? Input(Extension? input)
    {
        Any config = input?.TypedConfig ?? new Any();
        return words.Input(ValueTranslator.TypeName(config), config, rejections);
    }

    private StringMatch? Text(StringMatcher matcher) => matcher.MatchPatternCase switch
    {
        StringMatcher.MatchPatternOneofCase.Exact => StringMatch.Of(StringMatchKind.Exact, matcher.Exact, matcher.IgnoreCase),
        StringMatcher.MatchPatternOneofCase.Prefix => StringMatch.Of(StringMatchKind.Prefix, matcher.Prefix, matcher.IgnoreCase),
        StringMatcher.MatchPatternOneofCase.Suffix => StringMatch.Of(StringMatchKind.Suffix, matcher.Suffix, matcher.IgnoreCase),
        StringMatcher.MatchPatternOneofCase.Contains => StringMatch.Of(StringMatchKind.Contains, matcher.Contains, matcher.IgnoreCase),
        _ => MatcherTranslator.Regex(matcher.SafeRegex?.Regex ?? "", rejections),
    };

    private static string TypeOf(Extension extension) => ValueTranslator.TypeName(extension.TypedConfig ?? new Any());
}
