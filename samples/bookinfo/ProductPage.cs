using System.Net.Mime;
using System.Text.Json.Nodes;

namespace Bookinfo;

/// <summary>The page, and the same in JSON. It asks details and reviews at once; what is missing is said in its place, the rest is
/// shown.</summary>
internal sealed class ProductPage(Backends backends)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);
    private const string NoSuchProduct = """{"error":"no such product"}""";

    public void Map(WebApplication app)
    {
        app.MapGet("/", context => context.HtmlAsync(Pages.Index()));
        app.MapGet("/index.html", context => context.HtmlAsync(Pages.Index()));
        app.MapGet("/health", context => context.TextAsync("Product page is healthy"));
        app.MapGet("/productpage", PageAsync);
        app.MapPost("/login", LoginAsync);
        app.MapGet("/logout", LogoutAsync);
        app.MapGet("/static/{name}", StaticAsync);
        app.MapGet("/api/v1/products", context => context.JsonAsync(new JsonArray(Book.Json())));
        app.MapGet("/api/v1/products/{id}", context => ProxyAsync(context, DetailsAsync));
        app.MapGet("/api/v1/products/{id}/reviews", context => ProxyAsync(context, ReviewsAsync));
        app.MapGet("/api/v1/products/{id}/ratings", context => ProxyAsync(context, RatingsAsync));
    }

    private async Task PageAsync(HttpContext context)
    {
        string? user = Session.User(context) ?? (context.Request.Query["u"] is [{ Length: > 0 } said] ? said : null);
        Task<Backends.Answer> details = DetailsAsync(context, Book.Id, user), reviews = ReviewsAsync(context, Book.Id, user);
        await context.HtmlAsync(Pages.Product(user, Parsed(await details), (await details).Status, Parsed(await reviews),
            (await reviews).Status));
    }

    private async Task ProxyAsync(HttpContext context, Func<HttpContext, int, string?, Task<Backends.Answer>> ask)
    {
        if (!context.TryId(out int id) || id != Book.Id)
        {
            await context.JsonTextAsync(NoSuchProduct, 404);
            return;
        }
        Backends.Answer answer = await ask(context, id, Session.User(context));
        await context.JsonTextAsync(answer.Body, answer.Status);
    }

    private async Task<Backends.Answer> DetailsAsync(HttpContext context, int id, string? user) =>
        Said(await backends.GetAsync(context, "details", $"/details/{id}", Patience, user), "product details");

    // Asked twice: the demo shows what two layers of patience do to each other, see its delay of seven seconds.
    private async Task<Backends.Answer> ReviewsAsync(HttpContext context, int id, string? user)
    {
        Backends.Answer answer = default;
        for (int attempt = 0; attempt < 2 && !answer.Good; attempt++)
            answer = await backends.GetAsync(context, "reviews", $"/reviews/{id}", Patience, user);
        return Said(answer, "product reviews");
    }

    private async Task<Backends.Answer> RatingsAsync(HttpContext context, int id, string? user) =>
        Said(await backends.GetAsync(context, "ratings", $"/ratings/{id}", Patience, user), "product ratings");

    private static Backends.Answer Said(Backends.Answer answer, string what) => answer.Good
        ? answer
        : new Backends.Answer(answer.Status is 0 or 200 ? 500 : answer.Status,
            new JsonObject { ["error"] = $"Sorry, {what} are currently unavailable for this book." }.ToJsonString());

    private static JsonNode? Parsed(Backends.Answer answer)
    {
        try { return JsonNode.Parse(answer.Body); }
        catch (System.Text.Json.JsonException) { return null; }
    }

    private static async Task LoginAsync(HttpContext context)
    {
        IFormCollection form = await context.Request.ReadFormAsync(context.RequestAborted);
        if (form["username"] is [{ Length: > 0 and < 64 } user] && !user.Any(char.IsControl)) Session.SignIn(context, user);
        context.Response.Redirect("/productpage");
    }

    private static Task LogoutAsync(HttpContext context)
    {
        Session.SignOut(context);
        context.Response.Redirect("/productpage");
        return Task.CompletedTask;
    }

    private static async Task StaticAsync(HttpContext context)
    {
        await using Stream? file = typeof(ProductPage).Assembly.GetManifestResourceStream($"static/{context.Request.RouteValues["name"]}");
        if (file is null)
        {
            await context.TextAsync("not found", 404);
            return;
        }
        context.Response.ContentType = Path.GetExtension(context.Request.Path.Value) switch
        {
            ".css" => MediaTypeNames.Text.Css,
            ".svg" => "image/svg+xml",
            _ => MediaTypeNames.Application.Octet,
        };
        context.Response.Headers.CacheControl = "max-age=3600";
        await file.CopyToAsync(context.Response.Body, context.RequestAborted);
    }
}
