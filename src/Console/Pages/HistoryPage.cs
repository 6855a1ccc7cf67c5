using System.Text.Json.Nodes;
using Lateen.Api.Texts;
using Lateen.Console.Html;
using Lateen.Console.Remote;

namespace Lateen.Console.Pages;

/// <summary>Who changed what, when; and the way back.</summary>
internal sealed class HistoryPage(MeshApi mesh, string secret, TimeProvider time)
{
    public async Task<Markup> ListAsync(CancellationToken cancel)
    {
        Told told = await mesh.GetAsync("history?most=200", cancel);
        return told.Problem is { } problem ? Layout.Problem(problem) : Rows(told, time);
    }

    public async Task<Markup> OneAsync(long revision, CancellationToken cancel)
    {
        Told told = await mesh.GetAsync($"diff?from={Math.Max(0, revision - 1)}&to={revision}", cancel);
        if (told.Problem is { } problem) return Layout.Problem(problem);
        return Markup.Of($"""
            <form method=post action="/history/{revision}/rollback"><input type=hidden name=secret value="{secret}"><button>Return to this revision</button> <span class=quiet>as a new revision; nothing is lost</span></form>
            {Markup.Each(told["objects"]?.AsArray() ?? [], Diff)}
            """);
    }

    /// <summary>Makes a revision hold again.</summary>
    /// <returns>What went wrong, or null.</returns>
    public async Task<string?> RollbackAsync(long revision, CancellationToken cancel)
    {
        Told told = await mesh.PostAsync("rollback", new JsonObject { ["revision"] = revision, ["dryRun"] = false, ["author"] = "console" },
            cancel);
        return told.Problem ?? ((bool?)told["accepted"] == false ? told["findings"]?[0]?["text"]?.ToString() ?? "refused" : null);
    }

    /// <summary>Revisions as a table.</summary>
    public static Markup Rows(Told told, TimeProvider time)
    {
        Markup[] rows = [.. ProxiesPage.Items(told).Select(item => Row(item, time))];
        return Layout.Table(["Revision", "When", "Who", "Why", "Changes"], rows, "Nothing has changed yet.");
    }

    private static Markup Row(JsonNode? item, TimeProvider time)
    {
        string number = item?["revision"]?.ToString() ?? "";
        TimeSpan age = DateTimeOffset.TryParse(item?["at"]?.ToString(), out DateTimeOffset at) ? time.GetUtcNow() - at : default;
        return Markup.Of($"""
            <tr><td><a href="/history/{number}">{number}</a></td><td title="{at:u}">{Layout.Age(age)}</td><td>{item?["author"]?.ToString()}</td><td>{item?["reason"]?.ToString()}</td><td>{Markup.Each(item?["changes"]?.AsArray() ?? [], Change)}</td></tr>
            """);
    }

    private static Markup Change(JsonNode? change)
    {
        string outcome = change?["outcome"]?.ToString() ?? "", resource = change?["resource"]?.ToString() ?? "";
        string tone = outcome switch { "created" => "add", "deleted" => "del", _ => "" };
        return Markup.Of($"<div><span class=\"{tone}\">{outcome}</span> {resource.Split('.', '/')[0]} <a "
            + $"href=\"{ConfigurationPage.LinkTo(resource, change?["namespace"]?.ToString())}\">{resource.Split('/')[^1]}</a></div>");
    }

    private static Markup Diff(JsonNode? changed)
    {
        string before = changed?["before"]?.ToString() ?? "", after = changed?["after"]?.ToString() ?? "";
        return Markup.Of($"<h2>{changed?["resource"]?.ToString()}</h2><pre>{Markup.Each(LineDiff.Whole(before, after), Line)}</pre>");
    }

    private static Markup Line(string line)
    {
        string tone = line.Length == 0 ? "" : line[0] switch { '+' => "add", '-' => "del", _ => "" };
        return Markup.Of($"<span class=\"{tone}\">{line}\n</span>");
    }
}
