using System.CommandLine;
using Lateen.Cli.Printing;

namespace Lateen.Cli.Run;

/// <summary>`lateen run --name NAME -- PROGRAM`: any program joins the running mesh with a sidecar.</summary>
internal static class RunVerb
{
    public static Command Command(Terminal terminal)
    {
        var name = new Option<string>("--name")
        {
            Description = "the workload's name, and its Service's where it has ports",
            Required = true,
        };
        var labels = new Option<string[]>("--labels", "-l")
        {
            Description = "labels, such as version=v1",
            HelpName = "name=value",
            AllowMultipleArgumentsPerToken = false,
        };
        var ports = new Option<int[]>("--port", "-p") { Description = "a port the program listens on" };
        var protocol = new Option<string>("--protocol")
        {
            Description = "what is spoken there: http, http2, grpc, tcp, ...",
            DefaultValueFactory = _ => "http",
        };
        var inNamespace = new Option<string>("--namespace", "-n") { Description = "its namespace", DefaultValueFactory = _ => "default" };
        var account = new Option<string>("--service-account")
        {
            Description = "its service account, which is its identity",
            DefaultValueFactory = _ => "default",
        };
        Option<string?> state = Verbs.Shared.State();
        var program = new Argument<string[]>("program")
        {
            Description = "the program and its arguments, after --",
            Arity = ArgumentArity.OneOrMore,
        };
        var command = new Command("run", "Run a program as a workload of the running mesh, with a sidecar") { name, labels, ports, protocol,
            inNamespace, account, state, program };
        command.SetAction((parsed, cancel) => new Joined(terminal, new RunOptions
        {
            Name = parsed.GetRequiredValue(name),
            Labels = Labels(parsed.GetValue(labels) ?? []),
            Ports = parsed.GetValue(ports) ?? [],
            Protocol = parsed.GetRequiredValue(protocol),
            Namespace = parsed.GetRequiredValue(inNamespace),
            ServiceAccount = parsed.GetRequiredValue(account),
            State = RunningMesh.Find(parsed.GetValue(state)),
            Command = parsed.GetRequiredValue(program),
        }).RunAsync(cancel));
        return command;
    }

    private static Dictionary<string, string> Labels(IEnumerable<string> said)
    {
        var labels = new Dictionary<string, string>();
        foreach (string label in said.SelectMany(text => text.Split(',', StringSplitOptions.RemoveEmptyEntries)))
        {
            if (label.IndexOf('=') is not (> 0 and var equals))
                throw new CommandException($"\"{label}\" is no label", "Write name=value, as in --labels version=v1.",
                    CommandException.Misuse);
            labels[label[..equals]] = label[(equals + 1)..];
        }
        return labels;
    }
}

/// <summary>What `lateen run` was told.</summary>
internal sealed record RunOptions
{
    public required string Name { get; init; }

    public required IReadOnlyDictionary<string, string> Labels { get; init; }

    public required IReadOnlyList<int> Ports { get; init; }

    public required string Protocol { get; init; }

    public required string Namespace { get; init; }

    public required string ServiceAccount { get; init; }

    public required string State { get; init; }

    public required IReadOnlyList<string> Command { get; init; }
}
