using System.CommandLine;
using System.Text;
using Lateen.Cli.Printing;
using Lateen.Cli.Remote;
using Lateen.ControlPlane.Operator;

namespace Lateen.Cli.Verbs.Proxies;

/// <summary>`lateen explain --from WORKLOAD GET URL`: what a sidecar would do with a request, station by station, without sending it.</summary>
internal static class ExplainVerb
{
    public static Command Command(Terminal terminal)
    {
        var from = new Option<string>("--from") { Description = "the workload or proxy that would send it", Required = true, HelpName = "workload" };
        var request = new Argument<string[]>("request") { Description = "[METHOD] URL", Arity = new ArgumentArity(1, 2) };
        var headers = new Option<string[]>("--header", "-H") { Description = "a header, as curl takes it; may be repeated", HelpName = "name: value", DefaultValueFactory = _ => [] };
        Option<string?> state = Shared.State();
        Option<string> output = Shared.Output("json");
        var command = new Command("explain", "Tell what would happen to a request, station by station, and which resource asks for it") { from, request, headers, output, state };
        command.SetAction(async (parsed, cancel) =>
        {
            string page = Page(parsed.GetRequiredValue(request), parsed.GetRequiredValue(headers));
            using OperatorClient mesh = OperatorClient.Of(parsed.GetValue(state));
            ProxyRow proxy = ProxyNames.One(await mesh.ProxiesAsync(cancel), parsed.GetRequiredValue(from), terminal);
            (string type, string text) = await mesh.AdminPageAsync(proxy.Name, page, cancel);
            if (parsed.GetRequiredValue(output) == "json") terminal.Line(text);
            else DecisionLines.Print(terminal, type, text);
            return 0;
        });
        return command;
    }

    private static string Page(string[] request, string[] headers)
    {
        string method = request.Length == 2 ? request[0].ToUpperInvariant() : "GET";
        string said = request[^1];
        if (!Uri.TryCreate(said.Contains("://", StringComparison.Ordinal) ? said : "http://" + said, UriKind.Absolute, out Uri? url) || url.Host.Length == 0)
            throw new CommandException($"\"{said}\" is not a URL", "Write the URL the application would call, as in http://reviews:9080/reviews/0.", CommandException.Misuse);
        var page = new StringBuilder($"explain?method={Uri.EscapeDataString(method)}&url={Uri.EscapeDataString(url.AbsoluteUri)}");
        foreach (string header in headers)
        {
            if (header.IndexOf(':') <= 0) throw new CommandException($"\"{header}\" is not a header", "Write -H 'name: value'.", CommandException.Misuse);
            page.Append("&header=").Append(Uri.EscapeDataString(header));
        }
        return page.ToString();
    }
}
