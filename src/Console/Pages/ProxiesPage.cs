using System.Text.Json.Nodes;
using Lateen.Console.Html;
using Lateen.Console.Remote;

namespace Lateen.Console.Pages;

/// <summary>Every connected proxy and how far it is.</summary>
internal sealed class ProxiesPage(MeshApi mesh, TimeProvider time)
{
    private static readonly string[] Types = ["CDS", "LDS", "EDS", "RDS"];

    public async Task<Markup> RenderAsync(CancellationToken cancel)
    {
        Told told = await mesh.GetAsync("proxies", cancel);
        if (told.Problem is { } problem) return Layout.Problem(problem);
        long newest = (long?)told["revision"] ?? 0;
        Markup[] rows = [.. Items(told).Select(proxy => Row(proxy, newest))];
        return Layout.Table(["Proxy", .. Types, "Revision", "Version", "Connected"], rows, "No proxy is connected.");
    }

    /// <summary>The rows of a list.</summary>
    public static JsonNode?[] Items(Told told) => told["items"] is JsonArray items ? [.. items] : [];

    /// <summary>Whether a proxy runs the newest revision and refused nothing of it.</summary>
    public static bool IsSettled(JsonNode? proxy, long newest) =>
        (long?)proxy?["revision"] == newest
            && (proxy?["types"]?.AsObject().All(type => type.Value?["state"]?.ToString() is "SYNCED" or "IGNORED") ?? true);

    private Markup Row(JsonNode? proxy, long newest)
    {
        string name = proxy?["name"]?.ToString() ?? "";
        bool current = (long?)proxy?["revision"] == newest;
        TimeSpan age = DateTimeOffset.TryParse(proxy?["connectedAt"]?.ToString(), out DateTimeOffset at) ? time.GetUtcNow() - at : default;
        return Markup.Of($"""
            <tr><td><a href="/explain?from={Uri.EscapeDataString(name)}">{name}</a></td>{Markup.Each(Types, type => Cell(proxy?["types"]?[type]))}
            <td class="{(current ? "" : "doubt")}">{proxy?["revision"]?.ToString()}</td><td>{proxy?["version"]?.ToString()}</td><td>{Layout.Age(age)}</td></tr>
            """);
    }

    private static Markup Cell(JsonNode? state)
    {
        string text = state?["state"]?.ToString() ?? "IGNORED";
        string tone = text switch { "SYNCED" => "good", "ERROR" => "bad", "STALE" => "doubt", _ => "quiet" };
        return Markup.Of($"<td>{Layout.State(text, tone)}</td>");
    }
}
