using Lateen.Console.Html;
using Lateen.Console.Remote;
using Lateen.Console.Traffic;
using Microsoft.AspNetCore.Http;

namespace Lateen.Console.Pages;

/// <summary>Which path is which page.</summary>
internal sealed class PageDirectory(MeshApi mesh, TrafficReadings traffic, string secret, TimeProvider time)
{
    private readonly OverviewPage _overview = new(mesh, traffic, time);
    private readonly ProxiesPage _proxies = new(mesh, time);
    private readonly ConfigurationPage _configuration = new(mesh, time);
    private readonly HistoryPage _history = new(mesh, secret, time);
    private readonly ExplainPage _explain = new(mesh);

    public async Task AnswerAsync(HttpContext context)
    {
        string[] path = (context.Request.Path.Value ?? "/").Split('/', StringSplitOptions.RemoveEmptyEntries);
        CancellationToken cancel = context.RequestAborted;
        if (HttpMethods.IsPost(context.Request.Method))
        {
            await ChangeAsync(context, path);
            return;
        }
        Markup? page = path switch
        {
            [] => Layout.Page("Overview", await _overview.RenderAsync(cancel), live: true),
            ["live"] => await _overview.LiveAsync(cancel),
            ["proxies"] => Layout.Page("Proxies", await _proxies.RenderAsync(cancel)),
            ["configuration"] => Layout.Page("Configuration", await _configuration.ListAsync(cancel)),
            ["configuration", var kind, var inNamespace, var name] =>
                Layout.Page(name, await _configuration.OneAsync(kind, inNamespace, name, cancel)),
            ["history"] => Layout.Page("History", await _history.ListAsync(cancel)),
            ["history", var number] when long.TryParse(number, out long revision) =>
                Layout.Page($"Revision {revision}", await _history.OneAsync(revision, cancel)),
            ["explain"] => Layout.Page("Explain", await _explain.RenderAsync(context.Request.Query, cancel)),
            _ => null,
        };
        if (page is null) context.Response.StatusCode = StatusCodes.Status404NotFound;
        context.Response.ContentType = "text/html; charset=utf-8";
        await context.Response.WriteAsync((page ?? Layout.Page("Not found", Markup.Of($"<p>There is no such page.</p>"))).ToString(),
            cancel);
    }

    private async Task ChangeAsync(HttpContext context, string[] path)
    {
        IFormCollection form = await context.Request.ReadFormAsync(context.RequestAborted);
        if (form["secret"] != secret || path is not ["history", var number, "rollback"] || !long.TryParse(number, out long revision))
        {
            context.Response.StatusCode = StatusCodes.Status403Forbidden;
            return;
        }
        string? problem = await _history.RollbackAsync(revision, context.RequestAborted);
        context.Response.Redirect(problem is null ? "/history" : $"/history/{revision}?problem={Uri.EscapeDataString(problem)}");
        // 303: the browser asks for the page, and a reload does not press the button again.
        context.Response.StatusCode = StatusCodes.Status303SeeOther;
    }
}
