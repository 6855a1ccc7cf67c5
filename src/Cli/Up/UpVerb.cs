using System.CommandLine;
using Lateen.Cli.Printing;

namespace Lateen.Cli.Up;

/// <summary>`lateen up FOLDER`: a whole mesh on this machine, until Ctrl-C.</summary>
internal static class UpVerb
{
    public static Command Command(Terminal terminal)
    {
        var folder = new Argument<string>("folder")
        {
            Description = "a folder of Kubernetes-style YAML: what runs, and how traffic goes",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var state = new Option<string?>("--state")
        {
            Description = "where all state is kept (else LATEEN_STATE, else .lateen here)",
            HelpName = "folder",
        };
        var port = new Option<int>("--port")
        {
            Description = "the port of this machine on which the ingress gateway listens",
            DefaultValueFactory = _ => 8080,
        };
        var capture = new Option<string>("--capture")
        {
            Description = "how traffic gets into the sidecars: auto, transparent or loopback",
            DefaultValueFactory = _ => "auto",
            HelpName = "way",
        };
        capture.AcceptOnlyFromAmong("auto", "transparent", "loopback");
        var command = new Command("up",
            "Start a mesh on this machine: control plane, gateway, and a folder's workloads, each with its sidecar") { folder, state, port,
                capture };
        command.SetAction((parsed, cancel) => new UpRun(terminal, new UpOptions
        {
            Folder = parsed.GetValue(folder),
            State = Remote.StateFolder.ForControlPlane(parsed.GetValue(state)),
            Port = parsed.GetValue(port),
            Capture = parsed.GetRequiredValue(capture),
        }).RunAsync(cancel));
        return command;
    }
}

/// <summary>What `lateen up` was told.</summary>
internal sealed record UpOptions
{
    /// <summary>The folder that describes what runs; null for a mesh without workloads, which `lateen run` fills.</summary>
    public string? Folder { get; init; }

    public required string State { get; init; }

    public int Port { get; init; } = 8080;

    public string Capture { get; init; } = "auto";
}
