using Lateen.Api.Diagnostics;
using Lateen.ControlPlane.Operator;

namespace Lateen.Cli.Printing;

/// <summary>One finding as two lines: where and what, and below what to do.</summary>
public static class FindingLines
{
    /// <summary>The same for a finding that was made here.</summary>
    public static void Print(Terminal terminal, Diagnostic diagnostic) => Print(terminal, new Finding(
        diagnostic.Level.ToString().ToLowerInvariant(), diagnostic.Code.Id, diagnostic.Resource is { Length: > 0 } about ? about : null,
        diagnostic.Position.IsKnown ? diagnostic.Position.ToString() : null, diagnostic.Text, diagnostic.Remedy is { Length: > 0 } advice
            ? advice : null));

    /// <summary>Prints <paramref name="finding"/> among the complaints: `file:line:column: error LT0001: text (Kind ns/name)`.</summary>
    public static void Print(Terminal terminal, Finding finding)
    {
        Tone tone = finding.Level switch { "error" => Tone.Bad, "warning" => Tone.Doubtful, _ => Tone.Faint };
        string place = finding.Place is null ? "" : finding.Place + ": ";
        string about = finding.Object is null ? "" : $" ({finding.Object})";
        terminal.Remark($"{place}{finding.Level} {finding.Code}: {finding.Text}{about}", tone);
        if (finding.Remedy is not null) terminal.Remark("    " + finding.Remedy);
    }
}
