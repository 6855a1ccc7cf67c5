// Matching: trees of questions (xds.type.matcher.v3.Matcher) that end in an action: a filter chain's name, a custom response, an RBAC
// verdict. One form for all of them: a tree is generic over the facts that it looks at and over what it leads to; inputs say how a fact
// reads as text. Built when configuration is published, immutable, pure, and silent on the warm path: texts are written into a buffer of
// the thread. What a tree means is the business of who asks. Refused: a tree of each kind of its own (there were three), and actions as
// objects that run.
using Lateen.Proxy.Formats;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Matching;

/// <summary>What a match leads to: an action, or a further tree.</summary>
/// <param name="Action">The action; null where <paramref name="Tree"/> decides.</param>
/// <param name="Tree">The further tree.</param>
public sealed record MatchOutcome<TFacts, TAction>(TAction? Action, MatchTree<TFacts, TAction>? Tree)
    where TAction : class
{
    internal TAction? Find(TFacts facts) => Action ?? Tree?.Find(facts);
}

/// <summary>A question with its answers.</summary>
public abstract class MatchTree<TFacts, TAction>
    where TAction : class
{
    /// <summary>What holds where nothing matches; null for nothing.</summary>
    public MatchOutcome<TFacts, TAction>? OnNoMatch { get; init; }

    /// <summary>The action; null where nothing matches.</summary>
    public TAction? Find(TFacts facts) => Match(facts) ?? OnNoMatch?.Find(facts);

    /// <summary>The answer of this tree's own entries.</summary>
    protected abstract TAction? Match(TFacts facts);
}

/// <summary>The first of some conditions that holds and leads anywhere.</summary>
public sealed class ListTree<TFacts, TAction>(
    IReadOnlyList<(MatchCondition<TFacts> Condition, MatchOutcome<TFacts, TAction> Outcome)> entries) : MatchTree<TFacts, TAction>
    where TAction : class
{
    private readonly (MatchCondition<TFacts> Condition, MatchOutcome<TFacts, TAction> Outcome)[] _entries = [.. entries];

    /// <inheritdoc/>
    protected override TAction? Match(TFacts facts)
    {
        foreach ((MatchCondition<TFacts> condition, MatchOutcome<TFacts, TAction> outcome) in _entries)
        {
            if (condition.Holds(facts) && outcome.Find(facts) is { } action)
                return action;
        }
        return null;
    }
}

/// <summary>By the value itself, or by its longest prefix that leads anywhere.</summary>
public sealed class MapTree<TFacts, TAction> : MatchTree<TFacts, TAction>
    where TAction : class
{
    private readonly MatchInput<TFacts> _input;
    private readonly Dictionary<string, MatchOutcome<TFacts, TAction>>.AlternateLookup<ReadOnlySpan<char>> _outcomes;
    private readonly int[] _lengths;
    private readonly bool _byPrefix;

    /// <summary>A map over an input.</summary>
    public MapTree(MatchInput<TFacts> input, IReadOnlyDictionary<string, MatchOutcome<TFacts, TAction>> outcomes, bool byPrefix)
    {
        _input = input;
        _outcomes = new Dictionary<string, MatchOutcome<TFacts, TAction>>(outcomes,
            StringComparer.Ordinal).GetAlternateLookup<ReadOnlySpan<char>>();
        _lengths = [.. outcomes.Keys.Select(static k => k.Length).Distinct().OrderDescending()];
        _byPrefix = byPrefix;
    }

    /// <inheritdoc/>
    protected override TAction? Match(TFacts facts)
    {
        ByteBuffer text = MatchText.Empty();
        if (!_input.Read(facts, text))
            return null;
        Span<char> value = text.Length <= 1024 ? stackalloc char[text.Length] : new char[text.Length];
        value = value[..System.Text.Encoding.UTF8.GetChars(text.Written, value)];
        if (!_byPrefix)
            return _outcomes.TryGetValue(value, out MatchOutcome<TFacts, TAction>? exact) ? exact.Find(facts) : null;
        foreach (int length in _lengths)
        {
            if (length <= value.Length && _outcomes.TryGetValue(value[..length], out MatchOutcome<TFacts, TAction>? begun)
                && begun.Find(facts) is { } action)
                return action;
        }
        return null;
    }
}

/// <summary>By the narrowest range of addresses that leads anywhere; an exclusive range ends the search.</summary>
public sealed class RangeTree<TFacts, TAction>(MatchInput<TFacts> input,
    IEnumerable<(Prefix Range, MatchOutcome<TFacts, TAction> Outcome, bool IsExclusive)> outcomes) : MatchTree<TFacts, TAction>
    where TAction : class
{
    private readonly (Prefix Range, MatchOutcome<TFacts, TAction> Outcome, bool IsExclusive)[] _outcomes =
        [.. outcomes.OrderByDescending(static o => o.Range.Length)];

    /// <inheritdoc/>
    protected override TAction? Match(TFacts facts)
    {
        Address address = input.AddressOf(facts);
        foreach ((Prefix range, MatchOutcome<TFacts, TAction> outcome, bool isExclusive) in _outcomes)
        {
            if (!range.Contains(address))
                continue;
            if (outcome.Find(facts) is { } action)
                return action;
            if (isExclusive)
                return null;
        }
        return null;
    }
}

/// <summary>By the most specific domain that leads anywhere: the name itself, then <c>*.</c> with fewer and fewer labels, then
/// <c>*</c>.</summary>
public sealed class DomainTree<TFacts, TAction>(MatchInput<TFacts> input,
    IReadOnlyDictionary<string, MatchOutcome<TFacts, TAction>> outcomes) : MatchTree<TFacts, TAction>
    where TAction : class
{
    private readonly Dictionary<string, MatchOutcome<TFacts, TAction>>.AlternateLookup<ReadOnlySpan<char>> _outcomes =
        new Dictionary<string, MatchOutcome<TFacts, TAction>>(outcomes,
            StringComparer.OrdinalIgnoreCase).GetAlternateLookup<ReadOnlySpan<char>>();

    /// <inheritdoc/>
    protected override TAction? Match(TFacts facts)
    {
        ByteBuffer text = MatchText.Empty();
        if (!input.Read(facts, text) || text.Length > 255)
            return null;
        // One place more, in front, for the asterisk.
        Span<char> room = stackalloc char[256];
        Span<char> name = room[1..][..System.Text.Encoding.Latin1.GetChars(text.Written, room[1..])];
        if (Lead(name, facts) is { } exact)
            return exact;
        for (int dot = name.IndexOf('.'); dot >= 0;)
        {
            Span<char> wild = room[dot..(name.Length + 1)];
            char kept = wild[0];
            wild[0] = '*';
            TAction? found = Lead(wild, facts);
            wild[0] = kept;
            if (found is not null)
                return found;
            int next = name[(dot + 1)..].IndexOf('.');
            dot = next < 0 ? -1 : dot + 1 + next;
        }
        return Lead("*", facts);
    }

    private TAction? Lead(ReadOnlySpan<char> name, TFacts facts) =>
        _outcomes.TryGetValue(name, out MatchOutcome<TFacts, TAction>? outcome) ? outcome.Find(facts) : null;
}
