using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Lateen.Cli.Printing;
using Lateen.Cli.Processes;
using Lateen.Cli.Up;

namespace Lateen.Cli.Run;

/// <summary>One run of `lateen run`: joins, starts the sidecar, then the program; ends the one with the other.</summary>
internal sealed class Joined(Terminal terminal, RunOptions options)
{
    private const int NotExecutable = 126, NotFound = 127; // as a shell says it
    private static readonly TimeSpan SidecarPatience = TimeSpan.FromSeconds(15);
    private readonly Spawner _spawner = new();

    /// <summary>The program's exit code.</summary>
    public async Task<int> RunAsync(CancellationToken cancel)
    {
        await using ControlLine mesh = await ControlLine.ConnectAsync(options.State, cancel).ConfigureAwait(false);
        JsonObject place = await JoinAsync(mesh, cancel).ConfigureAwait(false);
        int network = place["network"]?.ToString() is { } path ? OpenNetwork(path) : -1;
        int? users = place["users"]?.ToString() is { } owner ? OpenNetwork(owner) : null;
        string folder = place["folder"]!.ToString();
        Child sidecar = await StartSidecarAsync(place, network, users).ConfigureAwait(false);
        try
        {
            await ReadyAsync(sidecar, folder, place["log"]!.ToString(), cancel).ConfigureAwait(false);
            terminal.Remark($"{place["name"]} has joined at {place["address"]}", Tone.Faint);
            return await RunProgramAsync(place, network, users).ConfigureAwait(false);
        }
        finally
        {
            await sidecar.StopAsync(TimeSpan.FromSeconds(2)).ConfigureAwait(false);
        }
    }

    private async Task<JsonObject> JoinAsync(ControlLine mesh, CancellationToken cancel)
    {
        await mesh.WriteAsync(new JsonObject
        {
            ["do"] = "join",
            ["name"] = options.Name,
            ["namespace"] = options.Namespace,
            ["serviceAccount"] = options.ServiceAccount,
            ["protocol"] = options.Protocol,
            ["labels"] = new JsonObject(options.Labels.Select(l => KeyValuePair.Create(l.Key, (JsonNode?)l.Value))),
            ["ports"] = new JsonArray(options.Ports.Select(port => (JsonNode)port).ToArray()),
        }).ConfigureAwait(false);
        JsonObject place = await mesh.ReadAsync(cancel).ConfigureAwait(false)
            ?? throw new CommandException("the mesh ended while the program joined");
        return place["error"] is { } no ? throw new CommandException($"the mesh does not take {options.Name}: {no}") : place;
    }

    private Task<Child> StartSidecarAsync(JsonObject place, int network, int? users)
    {
        (string program, string[] first) = Workload.Self();
        return _spawner.StartAsync(new ProcessSpec
        {
            Program = program,
            Arguments = [.. first, "agent", "sidecar"],
            Environment = EnvironmentOf(place["sidecar"]),
            Folder = place["folder"]!.ToString(),
            Users = users,
            Network = network >= 0 ? network : null,
            Group = place["group"] is { } group ? (uint)group.GetValue<long>() : null,
            Log = place["log"]!.ToString(),
        });
    }

    private static async Task ReadyAsync(Child sidecar, string folder, string log, CancellationToken cancel)
    {
        string ready = Path.Combine(folder, "ready");
        for (DateTime until = DateTime.UtcNow + SidecarPatience; !File.Exists(ready); await Task.Delay(10, cancel).ConfigureAwait(false))
        {
            if (sidecar.Ended.IsCompleted || DateTime.UtcNow > until)
            {
                string what = sidecar.Ended.IsCompleted ? "ended while it started" : $"is not ready after {SidecarPatience.TotalSeconds:0} s";
                throw new CommandException($"the sidecar {what}: {LogTail.Of(log)}", $"Its log is {log}.");
            }
        }
    }

    private async Task<int> RunProgramAsync(JsonObject place, int network, int? users)
    {
        Child program;
        try
        {
            program = await _spawner.StartAsync(new ProcessSpec
            {
                Program = options.Command[0],
                Arguments = [.. options.Command.Skip(1)],
                Environment = EnvironmentOf(place["program"]),
                Users = users,
                Network = network >= 0 ? network : null,
                KeepsTerminal = true,
            }).ConfigureAwait(false);
        }
        catch (PosixException failure)
        {
            throw new CommandException(
                $"{options.Command[0]} cannot be "
                + $"started: {(failure.Errno == Posix.NoEntry ? "there is no such program" : failure.Message)}", null,
                failure.Errno == Posix.NoEntry ? NotFound : NotExecutable);
        }
        // The terminal's Ctrl-C reaches the program itself; a request to end that reaches this process alone is handed on.
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => context.Cancel = true);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context =>
        {
            context.Cancel = true;
            program.Terminate();
        });
        return await program.Ended.ConfigureAwait(false);
    }

    private static int OpenNetwork(string path)
    {
        try { return Posix.Open(path, Posix.ReadOnly); }
        catch (PosixException refused)
        {
            throw new CommandException($"the workload's network cannot be entered: {refused.Message}",
                "Run as the user who runs `lateen up`.");
        }
    }

    private static Dictionary<string, string> EnvironmentOf(JsonNode? node)
    {
        // This process's own surroundings, and on top of them what the mesh says.
        var environment = Environment.GetEnvironmentVariables().Cast<System.Collections.DictionaryEntry>()
            .ToDictionary(pair => (string)pair.Key, pair => (string?)pair.Value ?? "");
        foreach ((string name, JsonNode? value) in node as JsonObject ?? [])
            if (!environment.ContainsKey(name) || IsOfTheMesh(name)) environment[name] = value?.ToString() ?? "";
        return environment;
    }

    private static bool IsOfTheMesh(string name) =>
        name is "HOSTNAME" or "PORT" or "HOST" or "INSTANCE_IP" or "SERVICE_ACCOUNT" or "TRUST_DOMAIN"
            || name.StartsWith("POD_", StringComparison.Ordinal) || name.StartsWith("ISTIO_", StringComparison.Ordinal)
            || name.StartsWith("LATEEN_", StringComparison.Ordinal)
            || name.StartsWith("ENVOY_", StringComparison.Ordinal) || name.StartsWith("DOTNET_", StringComparison.Ordinal)
            || name.EndsWith("_PROXY", StringComparison.OrdinalIgnoreCase);
}
