using System.Text.Json.Nodes;
using Lateen.Console.Html;
using Lateen.Console.Remote;
using Microsoft.AspNetCore.Http;

namespace Lateen.Console.Pages;

/// <summary>What would happen to a request, station by station; or what happened to one.</summary>
internal sealed class ExplainPage(MeshApi mesh)
{
    public async Task<Markup> RenderAsync(IQueryCollection query, CancellationToken cancel)
    {
        Told proxies = await mesh.GetAsync("proxies", cancel);
        string[] names = [.. ProxiesPage.Items(proxies).Select(proxy => proxy?["name"]?.ToString() ?? "")];
        string from = query["from"].ToString(), url = query["url"].ToString(), id = query["id"].ToString();
        Markup answer = url.Length > 0 && from.Length > 0 ? await AskAsync(from, ExplainQuery(query), cancel)
            : id.Length > 0 ? await WhyAsync(names, id, cancel) : Markup.Empty;
        return Markup.Of($"""
            <form class=line><label>From<select name=from>{Markup.Each(names, name => Markup.Of($"<option{(name == from ? Markup.Raw(" selected") : Markup.Empty)}>{name}</option>"))}</select></label>
            <label>Method<input name=method size=6 value="{Or(query["method"], "GET")}"></label><label>URL<input name=url size=40 value="{Or(url, "http://reviews:9080/reviews/0")}"></label>
            <label>Header<input name=header size=24 placeholder="end-user: jason" value="{query["header"].ToString()}"></label><button>Explain</button></form>
            <form class=line><label>Request id (x-request-id)<input name=id size=40 value="{id}"></label><button>Why?</button></form>
            {answer}
            """);
    }

    private async Task<Markup> AskAsync(string proxy, string page, CancellationToken cancel)
    {
        Told told = await mesh.GetAsync($"proxies/{Uri.EscapeDataString(proxy)}/admin/{page}", cancel);
        return told.Problem is { } problem ? Layout.Problem(problem) : Record(told);
    }

    private async Task<Markup> WhyAsync(string[] proxies, string id, CancellationToken cancel)
    {
        var found = new List<Markup>();
        foreach (string proxy in proxies)
        {
            Told told = await mesh.GetAsync($"proxies/{Uri.EscapeDataString(proxy)}/admin/why?id={Uri.EscapeDataString(id)}", cancel);
            if (told.Problem is null) found.Add(Markup.Of($"<h2>{proxy}</h2>{Record(told)}"));
        }
        return found.Count == 0 ? Layout.Problem("No proxy remembers this request. A proxy keeps the last requests only.")
            : Markup.Join(found);
    }

    private static Markup Record(Told told)
    {
        if (told["stations"] is not JsonArray stations) return Markup.Of($"<pre>{told.Text}</pre>");
        Markup[] rows = [.. stations.Select(
            step =>
                Markup.Of($"<tr><td><b>{step?["station"]?.ToString()}</b></td><td>{step?["decision"]?.ToString()}</td><td "
                    + $"class=mono>{step?["origin"]?.ToString()}</td></tr>"))];
        Markup table = Layout.Table(["Station", "Decision", "Because of"], rows, "Nothing was decided.");
        return Markup.Of($"{table}<p><b>{told["outcome"]?.ToString()}</b></p>");
    }

    private static string ExplainQuery(IQueryCollection query)
    {
        string page =
            $"explain?method={Uri.EscapeDataString(Or(query["method"], "GET"))}&url={Uri.EscapeDataString(query["url"].ToString())}";
        return query["header"].ToString() is { Length: > 0 } header ? $"{page}&header={Uri.EscapeDataString(header)}" : page;
    }

    private static string Or(string? text, string otherwise) => string.IsNullOrEmpty(text) ? otherwise : text;
}
