using Lateen.Cli.Printing;

namespace Lateen.Cli.Up;

/// <summary>The last lines of a start: where the page is, how to look inside, where things are kept, how to stop.</summary>
internal sealed class Summary(Terminal terminal)
{
    public void Print(Mesh mesh, string? page)
    {
        string state = Short(mesh.State.Folder);
        string said = state == ".lateen" ? "" : $" --state {state}";
        terminal.Line();
        if (page is not null) Row("page", terminal.Paint(page, Tone.Strong));
        Row("console", $"lateen console{said}");
        Row("look inside", $"lateen ps{said}, lateen proxy-status{said}, lateen logs reviews-v1{said}".Replace("reviews-v1",
            mesh.Workloads.LastOrDefault(w => !w.Plan.IsGateway)?.Plan.Deployment ?? "controlplane", StringComparison.Ordinal));
        Row("change it", $"lateen apply -f FILE{said}");
        Row("logs", Short(mesh.State.Logs));
        Row("state", state);
        Row("stop", "Ctrl-C");
    }

    private void Row(string what, string how) => terminal.Line($"  {terminal.Paint(what.PadRight(12), Tone.Faint)} {how}");

    private static string Short(string path)
    {
        string relative = Path.GetRelativePath(Directory.GetCurrentDirectory(), path);
        return relative.StartsWith("..", StringComparison.Ordinal) ? path : relative;
    }
}
