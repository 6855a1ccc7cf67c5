using System.CommandLine;
using System.Text;
using System.Text.Json.Nodes;
using Lateen.Cli.Printing;
using Lateen.Cli.Remote;
using Lateen.ControlPlane.Operator;

namespace Lateen.Cli.Verbs.Proxies;

/// <summary>`lateen explain --from WORKLOAD GET URL`: what a sidecar would do with a request, station by station, without sending
/// it.</summary>
internal static class ExplainVerb
{
    public static Command Command(Terminal terminal)
    {
        var from = new Option<string>("--from")
        {
            Description = "the workload or proxy that would send it",
            Required = true,
            HelpName = "workload",
        };
        var request = new Argument<string[]>("request")
        {
            Description = "[METHOD] URL; tcp://HOST:PORT for what is not HTTP",
            Arity = new ArgumentArity(1, 2),
        };
        var headers = new Option<string[]>("--header", "-H")
        {
            Description = "a header, as curl takes it; may be repeated",
            HelpName = "name: value",
            DefaultValueFactory = _ => [],
        };
        Option<string?> state = Shared.State();
        Option<string> output = Shared.Output("json");
        var command = new Command("explain",
            "Tell what would happen to a request, station by station, and which resource asks for it") { from, request, headers, output,
                state };
        command.SetAction(async (parsed, cancel) =>
        {
            (Uri url, string page) = Page(parsed.GetRequiredValue(request), parsed.GetRequiredValue(headers));
            using OperatorClient mesh = OperatorClient.Of(parsed.GetValue(state));
            ProxyRow proxy = ProxyNames.One(await mesh.ProxiesAsync(cancel), parsed.GetRequiredValue(from), terminal);
            string? address = url.HostNameType == UriHostNameType.Dns
                ? await AddressAsync(mesh, url.Host, proxy.Name[(proxy.Name.LastIndexOf('.') + 1)..], cancel) : null;
            (string type, string text) =
                await mesh.AdminPageAsync(proxy.Name, address is null ? page : $"{page}&address={Uri.EscapeDataString(address)}", cancel);
            if (parsed.GetRequiredValue(output) == "json") terminal.Line(text);
            else DecisionLines.Print(terminal, type, text);
            return 0;
        });
        return command;
    }

    // The address that the workload's name service would give: what is not HTTP is told apart by it.
    private static async Task<string?> AddressAsync(OperatorClient mesh, string host, string inNamespace, CancellationToken cancel)
    {
        string[] parts = host.Split('.');
        string ns = parts.Length > 1 ? parts[1] : inNamespace;
        ObjectList services = await mesh.ObjectsAsync("Service", ns, null, null, cancel);
        JsonObject? named = services.Items.FirstOrDefault(service => service.Object["metadata"]?["name"]?.ToString() == parts[0])?.Object;
        if (named?["spec"]?["clusterIP"]?.ToString() is { Length: > 0 } found && found != "None") return found;
        ObjectList entries = await mesh.ObjectsAsync("ServiceEntry", null, null, null, cancel);
        string? vip = entries.Items.Select(entry => entry.Object["spec"])
            .FirstOrDefault(spec => spec?["hosts"] is JsonArray hosts
                && hosts.Any(one => one?.ToString() == host))?["addresses"]?[0]?.ToString();
        return vip?.Split('/')[0];
    }

    private static (Uri Url, string Page) Page(string[] request, string[] headers)
    {
        string method = request.Length == 2 ? request[0].ToUpperInvariant() : "GET";
        string said = request[^1];
        if (!Uri.TryCreate(said.Contains("://", StringComparison.Ordinal) ? said : "http://" + said, UriKind.Absolute, out Uri? url)
            || url.Host.Length == 0)
            throw new CommandException($"\"{said}\" is not a URL",
                "Write the URL the application would call, as in http://reviews:9080/reviews/0.", CommandException.Misuse);
        var page = new StringBuilder($"explain?method={Uri.EscapeDataString(method)}&url={Uri.EscapeDataString(url.AbsoluteUri)}");
        foreach (string header in headers)
        {
            if (header.IndexOf(':') <= 0)
                throw new CommandException($"\"{header}\" is not a header", "Write -H 'name: value'.", CommandException.Misuse);
            page.Append("&header=").Append(Uri.EscapeDataString(header));
        }
        return (url, page.ToString());
    }
}
