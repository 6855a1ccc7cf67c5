// Rivals: resources of which one takes the place of another. Each file knows one kind of claim (a host, a port, a workload, a match) and
// who gets it by Istio's rule; where the rule stands in Pilot or Registry already, that code is asked. Istio lets one win and says nothing;
// here both are told, with the place of the other and the rule that decided.
//
// State: none; `Conflicts` remembers what was found as long as the resources asked about are the same.
//
// Never: a claim that is merged. RequestAuthentications, AuthorizationPolicies and WasmPlugins for one workload add up, and nothing of them
// is lost.
using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;

namespace Lateen.ControlPlane.Findings.Rivals;

/// <summary>A place in a resource that claims something.</summary>
/// <param name="Resource">The resource.</param>
/// <param name="Path">The place, such as <c>spec.hosts[0]</c>.</param>
public readonly record struct Claim(Resource Resource, string Path)
{
    /// <summary>The resource as it is told to a person, with file and line of the place where there are any.</summary>
    public override string ToString() =>
        Resource.PositionOf(Path) is { File.Length: > 0 } at ? $"{Resource.Key} ({at.File}:{at.Line})" : Resource.Key.ToString();
}

/// <summary>Two claims of which one counts.</summary>
/// <param name="Code">What kind of conflict.</param>
/// <param name="Winner">The claim that counts.</param>
/// <param name="ToWinner">What its author is told.</param>
/// <param name="Loser">The claim that does not.</param>
/// <param name="ToLoser">What its author is told.</param>
public sealed record Rivalry(DiagnosticCode Code, Claim Winner, string ToWinner, Claim Loser, string ToLoser)
{
    /// <summary>How bad it is for the loser; the winner is only told.</summary>
    public DiagnosticLevel Level { get; init; } = DiagnosticLevel.Warning;

    /// <summary>A conflict in the usual words.</summary>
    /// <param name="code">What kind.</param>
    /// <param name="winner">The claim that counts.</param>
    /// <param name="loser">The claim that does not.</param>
    /// <param name="what">What is claimed, with its article: "the subset "v1" of reviews".</param>
    /// <param name="rule">Why; by default the rule of age.</param>
    public static Rivalry Of(DiagnosticCode code, Claim winner, Claim loser, string what, string? rule = null)
    {
        rule ??= ByAge(winner.Resource, loser.Resource);
        return new Rivalry(code, winner, $"{what} is not taken from {loser}, since this one counts: {rule}", loser,
            $"{what} is not taken from here, since {winner} counts: {rule}");
    }

    /// <summary>Istio's rule among equals, and which part of it decided between these two.</summary>
    public static string ByAge(Resource winner, Resource loser)
    {
        if (winner.Metadata.CreationTime != loser.Metadata.CreationTime) return "the older one does";
        return winner.Name != loser.Name ? "of two of one age the one whose name comes first does"
            : "of two of one age and name the one whose namespace comes first does";
    }
}
