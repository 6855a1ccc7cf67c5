// Debug: istiod's /debug pages, under its paths and in its shapes, for the tools that read them. Every page is a function of the control
// loop that runs on its writer and returns text; none changes anything but `adsz?push=true`, which asks every proxy to be looked at again.
//
// Shapes come from recorded answers; keys are istiod's, some of them in Go's spelling, because scripts look for them.
using Lateen.ControlPlane.Hosting;
using Lateen.ControlPlane.Operator;
using Microsoft.AspNetCore.Http;

namespace Lateen.ControlPlane.Debug;

/// <summary>A finished page.</summary>
public readonly record struct DebugPage(int Status, string ContentType, string Text)
{
    /// <summary>A JSON page.</summary>
    public static DebugPage Json(string text) => new(StatusCodes.Status200OK, "application/json", text);

    /// <summary>A refusal in plain text.</summary>
    public static DebugPage Refusal(int status, string text) => new(status, "text/plain; charset=utf-8", text + "\n");
}

/// <summary>Serves /debug and what is below.</summary>
public sealed class DebugDoor(WriterLoop writer, DebugAccess access)
{
    private delegate DebugPage Maker(ControlLoop loop, QueryFields query, bool pretty, DateTimeOffset now);

    private static readonly SortedDictionary<string, (string About, Maker Make)> Pages = new(StringComparer.Ordinal)
    {
        ["adsz"] = ("Connected proxies, with what they watch", ConnectionPages.Adsz),
        ["ambientz"] = ("What node proxies are told", (loop, query, pretty, _) => ScopePages.Ambientz(loop, query, pretty)),
        ["authorizationz"] = ("AuthorizationPolicies by namespace",
            (loop, query, pretty, _) => ConfigPages.Authorizationz(loop, query, pretty)),
        ["cachez"] = ("Cached resources", (_, query, _, _) => Cachez(query)),
        ["clusterz"] = ("Clusters that are read", (loop, query, pretty, _) => ConfigPages.Clusterz(loop, query, pretty)),
        ["config_dump"] = ("What a proxy is sent, in the form of Envoy's config_dump (?proxyID=)",
            (loop, query, pretty, _) => ProxyPages.ConfigDump(loop, query, pretty)),
        ["configz"] = ("Every resource of configuration", (loop, query, pretty, _) => ConfigPages.Configz(loop, query, pretty)),
        ["connections"] = ("Connected proxies", (loop, query, pretty, _) => ConnectionPages.Connections(loop, query, pretty)),
        ["ecdsz"] = ("Extension configurations of a proxy (?proxyID=)", (loop, query, pretty, _) => ProxyPages.Ecdsz(loop, query, pretty)),
        ["edsz"] = ("Endpoints of a proxy (?proxyID=)", (loop, query, pretty, _) => ProxyPages.Edsz(loop, query, pretty)),
        ["endpointShardz"] = ("Endpoints by service", (loop, query, pretty, _) => RegistryPages.Endpointz(loop, query, pretty)),
        ["endpointz"] = ("Endpoints by service", (loop, query, pretty, _) => RegistryPages.Endpointz(loop, query, pretty)),
        ["inject"] = ("The templates of injection", (loop, query, pretty, _) => ScopePages.Inject(loop, query, pretty)),
        ["instancesz"] = ("Service instances of each proxy", (loop, query, pretty, _) => RegistryPages.Instancesz(loop, query, pretty)),
        ["list"] = ("The names of these pages", (_, _, _, _) => DebugPage.Json(Names())),
        ["mcsz"] = ("Multi-cluster services", (_, _, _, _) => DebugPage.Json("null")),
        ["mesh"] = ("The mesh configuration", (loop, query, pretty, _) => ConfigPages.Mesh(loop, query, pretty)),
        ["ndsz"] = ("Name table of a proxy (?proxyID=)", (loop, query, pretty, _) => ProxyPages.Ndsz(loop, query, pretty)),
        ["networkz"] = ("Gateways of other networks", (loop, query, pretty, _) => RegistryPages.Networkz(loop, query, pretty)),
        ["push_status"] = ("The last push", (loop, query, pretty, _) => ConfigPages.PushStatus(loop, query, pretty)),
        ["pushcontext"] = ("What holds for the whole mesh", (loop, query, pretty, _) => ScopePages.PushContext(loop, query, pretty)),
        ["registryz"] = ("Services", (loop, query, pretty, _) => RegistryPages.Registryz(loop, query, pretty)),
        ["resourcesz"] = ("Kinds that are read", (loop, query, pretty, _) => ConfigPages.Resourcesz(loop, query, pretty)),
        ["sidecarz"] = ("What a proxy may see (?proxyID=)", (loop, query, pretty, _) => ScopePages.Sidecarz(loop, query, pretty)),
        ["syncz"] = ("What each proxy was sent and has acknowledged",
            (loop, query, pretty, _) => ConnectionPages.Syncz(loop, query, pretty)),
        ["telemetryz"] = ("Telemetry resources", (loop, query, pretty, _) => ConfigPages.Telemetryz(loop, query, pretty)),
    };

    /// <summary>Serves one request whose path is /debug or below it.</summary>
    public async Task AnswerAsync(HttpContext context)
    {
        DebugPage page = await PageAsync(context);
        context.Response.StatusCode = page.Status;
        context.Response.ContentType = page.ContentType;
        await context.Response.WriteAsync(page.Text, context.RequestAborted);
    }

    private async Task<DebugPage> PageAsync(HttpContext context)
    {
        string name = context.Request.Path.Value!["/debug".Length..].Trim('/');
        if (await access.RefusalAsync(context, name) is { } refusal) return refusal;
        if (name.Length == 0) return new DebugPage(StatusCodes.Status200OK, "text/html; charset=utf-8", Contents());
        IQueryCollection query = context.Request.Query;
        return await writer.AskAsync(
            (loop, now) => Page(loop, name, query, now) ?? DebugPage.Refusal(StatusCodes.Status404NotFound, "404 page not found"),
            context.RequestAborted);
    }

    /// <summary>A page by its name; null where there is none.</summary>
    public static DebugPage? Page(ControlLoop loop, string name, IQueryCollection query, DateTimeOffset now) =>
        Pages.TryGetValue(name, out var page) ? page.Make(loop, new QueryFields(query), query.ContainsKey("pretty"), now) : null;

    // Queries that do something of their own are listed as pages are.
    private static readonly string[] Queries = ["adsz?push=true", "cachez?clear=true", "cachez?sizes=true"];

    private static string Names() =>
        "["
            + string.Join(",", Pages.Keys.Where(name => name != "list").Concat(Queries).Order(StringComparer.Ordinal)
                .Select(name => $"\"{name}\"")) + "]";

    // What two proxies share is kept as long as it is served, and nothing of it is stale.
    private static DebugPage Cachez(QueryFields query) =>
        query["clear"] is not null ? new(StatusCodes.Status200OK, "text/plain; charset=utf-8", "Cache cleared\n")
            : DebugPage.Json(query["sizes"] is null ? "{}" : """{"total":"0B"}""");

    private static string Contents() => "<!DOCTYPE html><html><head><title>Lateen debug pages</title></head><body><table>"
        + string.Concat(Pages.Select(page => $"<tr><td><a href=\"/debug/{page.Key}\">{page.Key}</a></td><td>{page.Value.About}</td></tr>"))
        + "</table></body></html>\n";
}
