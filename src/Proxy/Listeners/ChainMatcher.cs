using System.Globalization;
using System.Text;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Listeners;

/// <summary>What a <see cref="ChainMatcher"/> looks at.</summary>
public enum ChainInput : byte
{
    DestinationIp,
    DestinationPort,
    SourceIp,
    SourcePort,
    DirectSourceIp,
    SourceType,
    ServerName,
    TransportProtocol,
    ApplicationProtocol,
}

/// <summary>What a match leads to: a chain's name, or a further matcher.</summary>
/// <param name="Chain">The chain's name; null where <paramref name="Next"/> decides.</param>
/// <param name="Next">The further matcher.</param>
public sealed record ChainOutcome(string? Chain, ChainMatcher? Next);

/// <summary>Chooses a chain by its name as a tree of questions (Listener.filter_chain_matcher, xds.type.matcher.v3.Matcher), in place of the chains' own criteria. Pure.</summary>
public abstract class ChainMatcher
{
    /// <summary>What holds where nothing matches; null for nothing.</summary>
    public ChainOutcome? OnNoMatch { get; init; }

    /// <summary>The chain's name; null where nothing matches.</summary>
    public string? Find(ConnectionFacts facts) => Match(facts) ?? Resolve(OnNoMatch, facts);

    /// <summary>The answer of this matcher's own entries.</summary>
    protected abstract string? Match(ConnectionFacts facts);

    /// <summary>Follows an outcome.</summary>
    protected static string? Resolve(ChainOutcome? outcome, ConnectionFacts facts) => outcome is null ? null : outcome.Chain ?? outcome.Next?.Find(facts);

    /// <summary>An input's value as text; null where the connection has none.</summary>
    public static string? Read(ChainInput input, ConnectionFacts facts)
    {
        string text = input switch
        {
            ChainInput.DestinationIp => facts.Local.IsIp ? facts.Local.Host : "",
            ChainInput.DestinationPort => facts.Local.IsIp ? facts.Local.Port.ToString(CultureInfo.InvariantCulture) : "",
            ChainInput.SourceIp => facts.Remote.IsIp ? facts.Remote.Host : "",
            ChainInput.SourcePort => facts.Remote.IsIp ? facts.Remote.Port.ToString(CultureInfo.InvariantCulture) : "",
            ChainInput.DirectSourceIp => facts.DirectRemote.IsIp ? facts.DirectRemote.Host : "",
            ChainInput.SourceType => facts.Remote.IsLoopback || (facts.Remote.IsIp && facts.Remote.WithPort(0) == facts.Local.WithPort(0)) ? "local" : "",
            ChainInput.ServerName => facts.ServerName,
            ChainInput.TransportProtocol => facts.TransportProtocol,
            _ => facts.ApplicationProtocols.Count == 0 ? "" : "'" + string.Join("','", facts.ApplicationProtocols) + "'",
        };
        return text.Length == 0 ? null : text;
    }

    /// <summary>An input that is an address.</summary>
    protected static Address AddressOf(ChainInput input, ConnectionFacts facts) => input switch
    {
        ChainInput.SourceIp => facts.Remote,
        ChainInput.DirectSourceIp => facts.DirectRemote,
        _ => facts.Local,
    };
}

/// <summary>By the value itself.</summary>
public sealed class ExactChainMatcher(ChainInput input, IReadOnlyDictionary<string, ChainOutcome> outcomes) : ChainMatcher
{
    /// <inheritdoc/>
    protected override string? Match(ConnectionFacts facts) => Read(input, facts) is { } value ? Resolve(outcomes.GetValueOrDefault(value), facts) : null;
}

/// <summary>By the longest prefix of the value that leads anywhere.</summary>
public sealed class PrefixChainMatcher(ChainInput input, IEnumerable<KeyValuePair<string, ChainOutcome>> outcomes) : ChainMatcher
{
    private readonly KeyValuePair<string, ChainOutcome>[] _outcomes = [.. outcomes.OrderByDescending(static o => o.Key.Length)];

    /// <inheritdoc/>
    protected override string? Match(ConnectionFacts facts)
    {
        if (Read(input, facts) is not { } value)
            return null;
        foreach ((string prefix, ChainOutcome outcome) in _outcomes)
        {
            if (value.StartsWith(prefix, StringComparison.Ordinal) && Resolve(outcome, facts) is { } chain)
                return chain;
        }
        return null;
    }
}

/// <summary>By the narrowest range of addresses that leads anywhere; an exclusive range ends the search.</summary>
public sealed class RangeChainMatcher(ChainInput input, IEnumerable<(Prefix Range, ChainOutcome Outcome, bool IsExclusive)> outcomes) : ChainMatcher
{
    private readonly (Prefix Range, ChainOutcome Outcome, bool IsExclusive)[] _outcomes = [.. outcomes.OrderByDescending(static o => o.Range.Length)];

    /// <inheritdoc/>
    protected override string? Match(ConnectionFacts facts)
    {
        Address address = AddressOf(input, facts);
        foreach ((Prefix range, ChainOutcome outcome, bool isExclusive) in _outcomes)
        {
            if (!range.Contains(address))
                continue;
            if (Resolve(outcome, facts) is { } chain)
                return chain;
            if (isExclusive)
                return null;
        }
        return null;
    }
}

/// <summary>The first of some conditions that holds.</summary>
public sealed class ListChainMatcher(IReadOnlyList<(ChainCondition Condition, ChainOutcome Outcome)> entries) : ChainMatcher
{
    /// <inheritdoc/>
    protected override string? Match(ConnectionFacts facts)
    {
        foreach ((ChainCondition condition, ChainOutcome outcome) in entries)
        {
            if (condition.Holds(facts) && Resolve(outcome, facts) is { } chain)
                return chain;
        }
        return null;
    }
}

/// <summary>A condition of a <see cref="ListChainMatcher"/>: one value, or several conditions together.</summary>
public sealed class ChainCondition
{
    private readonly ChainInput _input;
    private readonly StringMatch? _match;
    private readonly IReadOnlyList<ChainCondition> _parts;
    private readonly bool _all, _inverted;

    private ChainCondition(ChainInput input, StringMatch? match, IReadOnlyList<ChainCondition> parts, bool all, bool inverted)
    {
        _input = input;
        _match = match;
        _parts = parts;
        _all = all;
        _inverted = inverted;
    }

    /// <summary>A test of one value.</summary>
    public static ChainCondition Of(ChainInput input, StringMatch match) => new(input, match, [], false, false);

    /// <summary>All of some, or one of them.</summary>
    public static ChainCondition Of(IReadOnlyList<ChainCondition> parts, bool all) => new(default, null, parts, all, false);

    /// <summary>The contrary.</summary>
    public static ChainCondition Not(ChainCondition condition) => new(default, null, [condition], true, true);

    /// <summary>The test.</summary>
    public bool Holds(ConnectionFacts facts)
    {
        if (_match is not null)
            return ChainMatcher.Read(_input, facts) is { } value && _match.Matches(Encoding.UTF8.GetBytes(value));
        foreach (ChainCondition part in _parts)
        {
            if (part.Holds(facts) != _all)
                return !_all != _inverted;
        }
        return _all != _inverted;
    }
}
