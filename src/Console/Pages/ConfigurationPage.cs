using System.Text.Json.Nodes;
using Lateen.Api.Documents;
using Lateen.Console.Html;
using Lateen.Console.Remote;

namespace Lateen.Console.Pages;

/// <summary>What is written, and what the mesh makes of it.</summary>
internal sealed class ConfigurationPage(MeshApi mesh, TimeProvider time)
{
    public async Task<Markup> ListAsync(CancellationToken cancel)
    {
        Told told = await mesh.GetAsync("objects", cancel);
        if (told.Problem is { } problem) return Layout.Problem(problem);
        Markup[] rows = [.. ProxiesPage.Items(told).Select(item => Row(item!))];
        return Layout.Table(["Object", "Namespace", "Kind", "Effect", "Changed", "Written at"], rows,
            "Nothing is written yet: lateen apply -f FILE.");
    }

    public async Task<Markup> OneAsync(string resource, string inNamespace, string name, CancellationToken cancel)
    {
        string query = $"kind={Uri.EscapeDataString(resource)}&name={Uri.EscapeDataString(name)}"
            + (inNamespace == "-" ? "" : $"&namespace={Uri.EscapeDataString(inNamespace)}");
        Told told = await mesh.GetAsync("objects?" + query, cancel);
        if (told.Problem is { } problem) return Layout.Problem(problem);
        JsonNode item = ProxiesPage.Items(told)[0]!;
        Told history = await mesh.GetAsync("history?most=10&" + query, cancel);
        return Markup.Of($"""
            <p class=quiet>{item["kind"]?.ToString()} in {inNamespace}{(item["place"] is { } place ? $", written at {place}" : "")}, revision {item["revision"]?.ToString()}</p>
            {Markup.Each(item["findings"]?.AsArray() ?? [], finding => Note(finding, null))}
            <pre>{Yaml(item["object"])}</pre>
            <h2>Its changes</h2>{HistoryPage.Rows(history, time)}
            """);
    }

    /// <summary>A finding as a note.</summary>
    public static Markup Note(JsonNode? finding, string? link)
    {
        string level = finding?["level"]?.ToString() ?? "info";
        Markup about = link is null
            ? Markup.Of($"{finding?["object"]?.ToString()}") : Markup.Of($"<a href=\"{link}\">{finding?["object"]?.ToString()}</a>");
        return Markup.Of($"""
            <div class="note {level switch { "error" => "bad", "warning" => "doubt", _ => "quiet" }}"><b>{finding?["code"]?.ToString()}</b> {about}
            <div>{finding?["text"]?.ToString()}{(finding?["place"] is { } place ? Markup.Of($" <code>{place.ToString()}</code>") : Markup.Empty)}</div><div class=quiet>{finding?["remedy"]?.ToString()}</div></div>
            """);
    }

    /// <summary>The page of an object: its resource (kind.group/name) and namespace.</summary>
    public static string LinkTo(string resource, string? inNamespace)
    {
        string[] parts = resource.Split('/', 2);
        return $"/configuration/{parts[0]}/{(string.IsNullOrEmpty(inNamespace) ? "-" : inNamespace)}/{Uri.EscapeDataString(parts[^1])}";
    }

    private Markup Row(JsonNode item)
    {
        string? inNamespace = item["object"]?["metadata"]?["namespace"]?.ToString();
        string name = item["object"]?["metadata"]?["name"]?.ToString() ?? "";
        TimeSpan age = DateTimeOffset.TryParse(item["changedAt"]?.ToString(), out DateTimeOffset at) ? time.GetUtcNow() - at : default;
        return Markup.Of($"""
            <tr><td><a href="{LinkTo(item["resource"]!.ToString(), inNamespace)}">{name}</a></td><td>{inNamespace}</td><td>{item["kind"]?.ToString()}</td><td>{Effect(item["findings"]?.AsArray())}</td>
            <td>{Layout.Age(age)}</td><td class=mono>{item["place"]?.ToString()}</td></tr>
            """);
    }

    private static Markup Effect(JsonArray? findings)
    {
        string?[] levels = [.. (findings ?? []).Select(finding => finding?["level"]?.ToString())];
        return levels.Contains("error") ? Layout.State("refused", "bad") : levels.Contains("warning")
            ? Layout.State("warning", "doubt") : levels.Length > 0 ? Layout.State("remark", "quiet") : Layout.State("ok", "good");
    }

    private static string Yaml(JsonNode? node) =>
        DocumentReader.ReadSingle(node?.ToJsonString() ?? "null", "", []) is { } root ? NodeText.ToYaml(root) : "";
}
