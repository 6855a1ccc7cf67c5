using System.CommandLine;
using System.Text.Json.Nodes;
using Lateen.Cli.Printing;
using Lateen.Cli.Remote;
using Lateen.Injector.Templates;
using Lateen.Injector.Workloads;

namespace Lateen.Cli.Verbs.Files;

/// <summary>`lateen check-inject POD -f`: why a pod gets a sidecar, or none, by manifests of the pod, its namespace and the
/// webhooks.</summary>
internal static class CheckInjectVerb
{
    public static Command Command(Terminal terminal)
    {
        var name = new Argument<string>("pod") { Description = "name of the pod, with its namespace behind a dot where there are several" };
        Option<string[]> files = Shared.Files(required: true);
        var command = new Command("check-inject", "Tell which webhook injects a pod, and why") { name, files };
        command.SetAction(parsed =>
        {
            try
            {
                JsonObject[] objects = [.. SourceFiles.Read(parsed.GetRequiredValue(files), null, terminal)
                    .SelectMany(source => PlainText.Trees(source.Text)).OfType<JsonObject>().SelectMany(Items)];
                Print(parsed.GetRequiredValue(name), objects, terminal);
                return 0;
            }
            catch (TemplateException malformed)
            {
                throw new CommandException(malformed.Message);
            }
        });
        return command;
    }

    private static void Print(string name, JsonObject[] objects, Terminal terminal)
    {
        JsonObject pod = Array.Find(objects,
            one => Text(one["kind"]) == "Pod" && (Named(one) == name || $"{Named(one)}.{NamespaceOf(one)}" == name))
            ?? throw new CommandException($"there is no Pod {name} in the files");
        JsonObject? ns = Array.Find(objects, one => Text(one["kind"]) == "Namespace" && Named(one) == NamespaceOf(pod));
        var table = new ColumnTable("WEBHOOK", "REVISION", "INJECTED", "REASON");
        foreach (WebhookChoice choice in objects.Where(one => Text(one["kind"]) == "MutatingWebhookConfiguration")
            .Select(one => WebhookChoice.Of(one, Labels(pod), Labels(ns))))
            table.Row(choice.Webhook, choice.Revision, choice.IsAsked ? "✔" : "✘", choice.Reason);
        table.Print(terminal);
    }

    private static IEnumerable<JsonObject> Items(JsonObject document) =>
        Text(document["kind"]).EndsWith("List", StringComparison.Ordinal) && document["items"] is JsonArray items
            ? items.OfType<JsonObject>() : [document];

    private static Dictionary<string, string> Labels(JsonObject? of) =>
        (of?["metadata"]?["labels"] as JsonObject ?? []).ToDictionary(label => label.Key, label => Text(label.Value));

    private static string Named(JsonObject of) => Text(of["metadata"]?["name"]);

    private static string NamespaceOf(JsonObject of) =>
        Text(of["metadata"]?["namespace"]) is { Length: > 0 } ns ? ns : Shared.DefaultNamespace;

    private static string Text(JsonNode? node) => node?.ToString() ?? "";
}
