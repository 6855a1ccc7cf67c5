using System.Text.Json;
using System.Text.Json.Nodes;
using Lateen.Injector.Pods;
using Lateen.Injector.Settings;
using Lateen.Injector.Templates;
using Lateen.Injector.Workloads;
using Lateen.Api.Names;
using Lateen.Test.Conformance.Frame;
using Lateen.Test.Conformance.Runners.Names;

namespace Lateen.Test.Conformance.Runners.Validation;

/// <summary>Plays <c>istioctl</c> as far as there are verbs and rules of ours: other verbs of istioctl are told as missing.</summary>
public sealed class IstioctlFolderRunner : RowsRunner
{
    private string _path = "";

    /// <inheritdoc/>
    public override string Folder => "istioctl";

    /// <inheritdoc/>
    public override IEnumerable<CaseResult> Run(string path)
    {
        _path = path;
        return base.Run(path);
    }

    /// <inheritdoc/>
    protected override void PlayAll() => Play("cases.json", row => row.Text("command") switch
    {
        var command when command.StartsWith("kube-inject ", StringComparison.Ordinal) => Injected(row, command),
        "injector list: is injection disabled for the pod" => Differs(row.Truth("expected"), InjectionDecision.Said(Pod(row)) == false),
        "injector list: revision of a pod" => Differs(row.Text("expectedRevision"), InjectionStatus.RevisionOf(Pod(row))),
        "describe: protocol of a service port" => Protocol(row),
        "experimental check-inject" => Chosen(row),
        var command => $"there is no verb for \"{command.Split(" -")[0]}\"",
    });

    private string? Injected(JsonElement row, string command)
    {
        IstioctlAnswer answer = IstioctlRunner.Answer(command.Split(' ', StringSplitOptions.RemoveEmptyEntries), _path);
        if (row.Truth("expectFailure")) return answer.Exit != 0 ? null : "expected a failure";
        if (answer.Exit != 0) return answer.Errors;
        JsonObject[] have = Objects(answer.Text), want = Objects(File.ReadAllText(Path.Combine(_path, row.Text("want"))));
        return have.Length != want.Length
            ? $"have {have.Length} objects, want {want.Length}" : have.Zip(want)
                .Select(pair => Injection.KubernetesObjects.Difference(pair.First, pair.Second)).FirstOrDefault(d => d is not null);
    }

    private string? Chosen(JsonElement row)
    {
        JsonObject[] webhooks = [.. Directory.GetFiles(Path.Combine(_path, "data", "checkinject"))
            .SelectMany(file => Objects(File.ReadAllText(file)))];
        JsonObject Of(string name) => (JsonObject)JsonNode.Parse(row.GetProperty(name).GetRawText())!;
        Dictionary<string, string> Labels(JsonObject of) =>
            (of["metadata"]?["labels"] as JsonObject ?? []).ToDictionary(label => label.Key, label => label.Value!.ToString());
        WebhookChoice[] have = [.. webhooks.Select(webhook => WebhookChoice.Of(webhook, Labels(Of("pod")), Labels(Of("ns"))))];
        return row.GetProperty("expectedMessages").EnumerateArray().Select(wanted =>
        {
            WebhookChoice? found = Array.Find(have, choice => choice.Webhook == wanted.Text("name"));
            return found is null ? $"nothing of {wanted.Text("name")}"
                : Differs($"{wanted.Text("revision")} {wanted.Truth("injected")} {wanted.Text("reason")}",
                    $"{found.Revision} {found.IsAsked} {found.Reason}");
        }).FirstOrDefault(mistake => mistake is not null);
    }

    private static string? Protocol(JsonElement row)
    {
        JsonElement port = row.GetProperty("port");
        string name = Protocols.NameOf(
            Protocols.OfServicePort(port.Number("port"), port.Text("name"), port.Text("protocol"), port.TextOrNull("appProtocol")));
        return Differs(row.Text("expectedProtocol"), name);
    }

    private static JsonObject[] Objects(string text) => [.. PlainText.Trees(text).OfType<JsonObject>()];

    private static JsonObject Pod(JsonElement row) => (JsonObject)JsonNode.Parse(row.GetProperty("pod").GetRawText())!;
}
