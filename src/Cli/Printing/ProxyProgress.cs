using Lateen.ControlPlane.Operator;

namespace Lateen.Cli.Printing;

/// <summary>Whether the proxies run a revision, in words.</summary>
public static class ProxyProgress
{
    /// <summary>Prints who runs it, or who does not and why not.</summary>
    /// <exception cref="CommandException">Not all do.</exception>
    public static void Print(Terminal terminal, WaitAnswer answer, string timeout)
    {
        string proxies = $"{answer.Proxies} {(answer.Proxies == 1 ? "proxy" : "proxies")}";
        if (answer.Converged)
        {
            terminal.Remark($"revision {answer.Revision} runs on {proxies}", Tone.Good);
            return;
        }
        foreach (BehindRow behind in answer.Behind)
            terminal.Remark($"  {behind.Proxy} {Taken(behind)}: {behind.Reason}", behind.HasRefused ? Tone.Bad : Tone.Doubtful);
        int refused = answer.Behind.Count(behind => behind.HasRefused), silent = answer.Behind.Count - refused;
        string[] why = [.. refused > 0 ? [$"{refused} refused it"] : Array.Empty<string>(),
            .. silent > 0 ? [$"{silent} did not take it within {timeout}"] : Array.Empty<string>()];
        string because = why.Length > 0 ? ": " + string.Join(", ", why) : $" after {timeout}: it was not sent yet";
        throw new CommandException(
            $"revision {answer.Revision} runs on {Math.Max(0, answer.Proxies - answer.Behind.Count)} of {proxies}{because}",
            refused == 0 ? "It is stored and will reach them; `lateen proxy-status` tells how far each is."
                : "It is stored. A proxy that refused keeps what it ran: correct the configuration, or take it back with `lateen "
                    + "rollback`.");
    }

    private static string Taken(BehindRow behind) =>
        behind.Revision == 0 ? "(has taken none yet)" : $"(last took revision {behind.Revision})";
}
