using System.Collections.Frozen;
using System.Collections.Immutable;
using Istio.Networking.V1Alpha3;

namespace Lateen.Pilot.Meaning;

/// <summary>DestinationRules of one namespace, merged, by resolved host.</summary>
/// <param name="Exact">By host without wildcard.</param>
/// <param name="Wildcard">By wildcard host.</param>
public sealed record DestinationRuleSet(
    FrozenDictionary<string, ImmutableArray<MergedDestinationRule>> Exact,
    FrozenDictionary<string, ImmutableArray<MergedDestinationRule>> Wildcard)
{
    /// <summary>No rule.</summary>
    public static readonly DestinationRuleSet None = new(
        FrozenDictionary<string, ImmutableArray<MergedDestinationRule>>.Empty,
        FrozenDictionary<string, ImmutableArray<MergedDestinationRule>>.Empty);
}

/// <summary>One rule for a host, merged out of all that agree in audience and selector.</summary>
/// <param name="Rule">First of them, with the subsets of all.</param>
/// <param name="Export">Audience.</param>
/// <param name="From">All resources that went in.</param>
public sealed record MergedDestinationRule(Meant<DestinationRule> Rule, Export Export, ImmutableArray<Origin> From)
{
    /// <summary>Labels of the clients it is for; null for all.</summary>
    public IDictionary<string, string>? Selector => Rule.Spec.WorkloadSelector?.MatchLabels;

    /// <summary>Two are equal when the same resources went in, whenever that was.</summary>
    public bool Equals(MergedDestinationRule? other) =>
        ReferenceEquals(this, other)
            || (other is not null && Rule.Equals(other.Rule) && Export.Equals(other.Export)
                && From.AsSpan().SequenceEqual(other.From.AsSpan()));

    /// <inheritdoc/>
    public override int GetHashCode() => Rule.GetHashCode();
}

/// <summary>DestinationRules by namespace.</summary>
public sealed record DestinationRuleIndex
{
    /// <summary>All rules of a namespace, for its own clients.</summary>
    public required FrozenDictionary<string, DestinationRuleSet> Local { get; init; }

    /// <summary>Rules of a namespace that others may see.</summary>
    public required FrozenDictionary<string, DestinationRuleSet> Exported { get; init; }

    /// <summary>Rules of the root namespace that only the root namespace sees.</summary>
    public required DestinationRuleSet RootLocal { get; init; }

    /// <summary>Keys of the labels by which rules choose clients.</summary>
    public IEnumerable<string> SelectorKeys() => Local.Values.Concat(Exported.Values).Append(RootLocal)
        .SelectMany(static set => set.Exact.Values.Concat(set.Wildcard.Values)).SelectMany(static rules => rules)
        .SelectMany(static rule => (IEnumerable<string>?)rule.Selector?.Keys ?? []);
}
