using System.Text.Json.Nodes;
using Lateen.Console.Html;
using Lateen.Console.Remote;
using Lateen.Console.Traffic;

namespace Lateen.Console.Pages;

/// <summary>The first page: is anything broken, what changed, who calls whom.</summary>
internal sealed class OverviewPage(MeshApi mesh, TrafficReadings traffic, TimeProvider time)
{
    public async Task<Markup> RenderAsync(CancellationToken cancel) => Markup.Of($"<div id=live>{await LiveAsync(cancel)}</div>");

    /// <summary>The part that is fetched again.</summary>
    public async Task<Markup> LiveAsync(CancellationToken cancel)
    {
        Told proxies = await mesh.GetAsync("proxies", cancel);
        if (proxies.Problem is { } problem) return Layout.Problem(problem);
        Told objects = await mesh.GetAsync("objects", cancel);
        Told history = await mesh.GetAsync("history?most=6", cancel);
        IReadOnlyList<TrafficEdge> edges = await traffic.EdgesAsync(cancel);
        return Markup.Of($"""
            {Cards(proxies, objects, edges)}
            {Attention(proxies, objects)}
            <h2>Calls</h2>{GraphPicture.Of(edges)}
            <h2>What changed</h2>{HistoryPage.Rows(history, time)}
            """);
    }

    private static Markup Cards(Told proxies, Told objects, IReadOnlyList<TrafficEdge> edges)
    {
        long revision = (long?)proxies["revision"] ?? 0;
        JsonNode?[] all = ProxiesPage.Items(proxies);
        int behind = all.Count(proxy => !ProxiesPage.IsSettled(proxy, revision));
        double rate = edges.Sum(edge => edge.PerSecond ?? 0);
        double failed = rate > 0 ? edges.Sum(edge => (edge.PerSecond ?? 0) * edge.FailedShare) / rate : 0;
        return Markup.Of($"""
            <div class=cards>
            <div class=card><span>Proxies</span><b>{all.Length}</b>{(behind == 0 ? Layout.State("all run the newest configuration", "good") : Layout.State($"{behind} behind", "doubt"))}</div>
            <div class=card><span>Requests now</span><b>{rate:0.#}/s</b>{(failed > 0.001 ? Layout.State($"{failed:0.#%} fail", "bad") : Layout.State("none fails", "good"))}</div>
            <div class=card><span>Configuration</span><b>revision {revision}</b><span>{ProxiesPage.Items(objects).Length} objects</span></div>
            </div>
            """);
    }

    private static Markup Attention(Told proxies, Told objects)
    {
        var notes = new List<Markup>();
        foreach (JsonNode? item in ProxiesPage.Items(objects))
        {
            foreach (JsonNode? finding in (item?["findings"]?.AsArray() ?? []).Where(finding => finding?["level"]?.ToString() != "info"))
                notes.Add(ConfigurationPage.Note(finding, Link(item!)));
        }
        foreach (JsonNode? proxy in ProxiesPage.Items(proxies))
        {
            foreach ((string type, JsonNode? state) in proxy?["types"]?.AsObject() ?? [])
            {
                if (state?["error"]?.ToString() is { } error)
                    notes.Add(
                        Markup.Of($"<div class=\"note bad\"><b>{proxy?["name"]?.ToString()} refused {type}</b><div>{error}</div></div>"));
            }
        }
        return notes.Count == 0 ? Markup.Empty : Markup.Of($"<h2>Needs attention</h2>{Markup.Join(notes)}");
    }

    private static string Link(JsonNode item) =>
        ConfigurationPage.LinkTo(item["resource"]!.ToString(), item["object"]?["metadata"]?["namespace"]?.ToString());
}
