using Lateen.ControlPlane.Operator;

namespace Lateen.Cli.Printing;

/// <summary>What happened to each resource, one line each as kubectl prints them.</summary>
public static class OutcomeLines
{
    /// <summary>Prints `virtualservice.networking.istio.io/reviews configured` and the like, or names alone.</summary>
    public static void Print(Terminal terminal, ChangeAnswer answer, bool dryRun, bool namesOnly = false)
    {
        foreach (ObjectOutcome row in answer.Objects)
        {
            string name = row.Namespace is null or "default" || namesOnly ? row.Resource : $"{row.Resource} -n {row.Namespace}";
            terminal.Line(namesOnly ? name : $"{name} {terminal.Paint(row.Outcome, ToneOf(row.Outcome))}{(dryRun ? " (dry run)" : "")}");
        }
    }

    private static Tone ToneOf(string outcome) => outcome switch
    {
        "created" => Tone.Good,
        "configured" => Tone.Doubtful,
        "deleted" => Tone.Bad,
        _ => Tone.Faint,
    };
}
