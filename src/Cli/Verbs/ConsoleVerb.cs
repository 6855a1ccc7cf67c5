using System.CommandLine;
using System.Net;
using Lateen.Cli.Printing;
using Lateen.Cli.Remote;
using Lateen.Console;
using Lateen.ControlPlane;

namespace Lateen.Cli.Verbs;

/// <summary>`lateen console`: serves the operator's window for a browser until it is told to stop.</summary>
internal static class ConsoleVerb
{
    public static Command Command(Terminal terminal)
    {
        var address = new Option<string>("--addr")
        {
            Description = "where to listen",
            DefaultValueFactory = _ => "127.0.0.1:8090",
            HelpName = "host:port",
        };
        Option<string?> state = Shared.State();
        var command = new Command("console", "Open the operator's window for a browser") { address, state };
        command.SetAction(async (parsed, cancel) =>
        {
            string said = parsed.GetRequiredValue(address);
            if (!IPEndPoint.TryParse(said, out IPEndPoint? listen))
                throw new CommandException($"\"{said}\" is not an address", "Write host:port, as in 127.0.0.1:8090.",
                    CommandException.Misuse);
            ControlPlaneAddress mesh = StateFolder.Locate(parsed.GetValue(state));
            try
            {
                await using ConsoleServer console =
                    await ConsoleServer.StartAsync(mesh.Http, mesh.Token, listen, TimeProvider.System, cancel);
                terminal.Line($"console on {console.Url}");
                await Task.Delay(Timeout.InfiniteTimeSpan, cancel);
            }
            catch (IOException refused)
            {
                throw new CommandException($"cannot listen on {said}: {refused.InnerException?.Message ?? refused.Message}",
                    "Choose another address with --addr.");
            }
            catch (OperationCanceledException)
            {
                // Told to stop.
            }
            return 0;
        });
        return command;
    }
}
