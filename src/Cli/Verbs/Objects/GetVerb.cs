using System.CommandLine;
using System.Text.Json.Nodes;
using Lateen.Cli.Printing;
using Lateen.Cli.Remote;
using Lateen.ControlPlane.Operator;

namespace Lateen.Cli.Verbs.Objects;

/// <summary>`lateen get KIND [NAME...]`: resources as tables, YAML, JSON or names.</summary>
internal static class GetVerb
{
    public static Command Command(Terminal terminal)
    {
        var what = new Argument<string[]>("what")
        {
            Description = "KIND[,KIND] [NAME...], KIND/NAME..., or all",
            Arity = ArgumentArity.OneOrMore,
        };
        Option<string?> inNamespace = Shared.Namespace(), state = Shared.State();
        Option<bool> allNamespaces = Shared.AllNamespaces();
        var selector = new Option<string?>("--selector", "-l") { Description = "only those with these labels", HelpName = "key=value,..." };
        var noHeadings = new Option<bool>("--no-headers") { Description = "leave out the line of headings" };
        Option<string> output = Shared.Output("yaml", "json", "wide", "name");
        var command = new Command("get", "Show resources") { what, inNamespace, allNamespaces, selector, output, noHeadings, state };
        command.SetAction(async (parsed, cancel) =>
        {
            using OperatorClient mesh = OperatorClient.Of(parsed.GetValue(state));
            string? within = parsed.GetValue(allNamespaces) ? null : parsed.GetValue(inNamespace) ?? Shared.DefaultNamespace;
            IReadOnlyList<StoredObject> found =
                await FindAsync(mesh, parsed.GetRequiredValue(what), within, parsed.GetValue(selector), cancel);
            Print(terminal, found, parsed.GetRequiredValue(output), within, !parsed.GetValue(noHeadings));
            return 0;
        });
        return command;
    }

    /// <summary>Resources by kubectl's words.</summary>
    public static async Task<IReadOnlyList<StoredObject>> FindAsync(OperatorClient mesh, string[] words, string? within, string? selector,
        CancellationToken cancel)
    {
        var found = new List<StoredObject>();
        if (words.Length > 1 || words[0].Contains('/'))
        {
            foreach (Target target in Targets.Parse(words))
                found.AddRange((await mesh.ObjectsAsync(target.Kind, within, target.Name, null, cancel)).Items);
            return found;
        }
        foreach (string kind in words[0].Split(',', StringSplitOptions.RemoveEmptyEntries))
            found.AddRange((await mesh.ObjectsAsync(kind, within, null, selector, cancel)).Items);
        return found;
    }

    private static void Print(Terminal terminal, IReadOnlyList<StoredObject> found, string format, string? within, bool headings)
    {
        switch (format)
        {
            case "yaml":
                terminal.Out.Write(found.Count == 1
                    ? YamlText.Of(found[0].Object) : string.Join("---\n", found.Select(item => YamlText.Of(item.Object))));
                break;
            case "json":
                terminal.Line(Json(found.Count == 1 ? found[0].Object : List(found)));
                break;
            case "name":
                foreach (StoredObject item in found) terminal.Line(item.Resource);
                break;
            default:
                ObjectTables.Print(terminal, found, format == "wide", within is null, headings, DateTimeOffset.UtcNow);
                if (found.Count == 0) terminal.Remark(within is null
                    ? "No resources found." : $"No resources found in namespace {within}; -A looks everywhere.");
                break;
        }
    }

    private static JsonObject List(IReadOnlyList<StoredObject> found) => new()
    {
        ["apiVersion"] = "v1",
        ["kind"] = "List",
        ["items"] = new JsonArray([.. found.Select(item => item.Object.DeepClone())]),
    };

    private static string Json(JsonObject node) => node.ToJsonString(new System.Text.Json.JsonSerializerOptions
    {
        WriteIndented = true,
        IndentSize = 4,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        TypeInfoResolver = OperatorJson.Default,
    });
}
