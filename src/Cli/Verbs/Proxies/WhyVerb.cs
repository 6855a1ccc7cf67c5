using System.CommandLine;
using Lateen.Cli.Printing;
using Lateen.Cli.Remote;
using Lateen.ControlPlane.Operator;

namespace Lateen.Cli.Verbs.Proxies;

/// <summary>`lateen why ID`: what happened to a request that was served, as its proxies wrote it down.</summary>
internal static class WhyVerb
{
    public static Command Command(Terminal terminal)
    {
        var id = new Argument<string>("id") { Description = "the request's x-request-id" };
        var from = new Option<string?>("--from") { Description = "ask this workload's proxy only", HelpName = "workload" };
        Option<string?> state = Shared.State();
        Option<string> output = Shared.Output("json");
        var command = new Command("why", "Tell what happened to a request and which resource asked for it") { id, from, output, state };
        command.SetAction(async (parsed, cancel) =>
        {
            string wanted = parsed.GetRequiredValue(id);
            using OperatorClient mesh = OperatorClient.Of(parsed.GetValue(state));
            ProxyList list = await mesh.ProxiesAsync(cancel);
            ProxyRow[] asked = parsed.GetValue(from) is { } name ? [ProxyNames.One(list, name, terminal)] : [.. list.Items];
            (ProxyRow Proxy, string Type, string Text)[] records = await AskAsync(mesh, asked, wanted, cancel);
            if (records.Length == 0) throw new CommandException($"no proxy remembers request {wanted} ({asked.Length} asked)",
                "A proxy keeps the last requests only: ask soon after, with the x-request-id of the answer or the log line.");
            foreach ((ProxyRow proxy, string type, string text) in records)
            {
                terminal.Line(terminal.Paint(proxy.Name, Tone.Strong));
                if (parsed.GetRequiredValue(output) == "json") terminal.Line(text);
                else DecisionLines.Print(terminal, type, text);
            }
            return 0;
        });
        return command;
    }

    // A proxy that does not know the request answers 404, one that is gone cannot be asked: neither ends the search.
    private static async Task<(ProxyRow Proxy, string Type, string Text)[]> AskAsync(OperatorClient mesh, ProxyRow[] asked, string id,
        CancellationToken cancel)
    {
        var answers = await Task.WhenAll(asked.Select(async proxy =>
        {
            try
            {
                (string type, string text) = await mesh.AdminPageAsync(proxy.Name, $"why?id={Uri.EscapeDataString(id)}", cancel);
                return (proxy, type, text);
            }
            catch (CommandException refused) when (refused.ExitCode == CommandException.Refused)
            {
                return (proxy, type: "", text: "");
            }
        }));
        return [.. answers.Where(answer => answer.text.Length > 0)];
    }
}
