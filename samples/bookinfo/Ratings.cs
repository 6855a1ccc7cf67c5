using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Bookinfo;

/// <summary>Stars for books, by reviewer. What is posted is kept until the process ends.</summary>
internal sealed class Ratings
{
    private readonly ConcurrentDictionary<int, JsonObject> _posted = new();

    public void Map(WebApplication app)
    {
        app.MapGet("/health", context => context.JsonTextAsync("""{"status":"Ratings is healthy"}"""));
        app.MapGet("/ratings/{id}", context => context.TryId(out int id)
            ? context.JsonAsync(Of(id))
            : context.JsonTextAsync("""{"error":"please provide numeric product ID"}""", 400));
        app.MapPost("/ratings/{id}", PostAsync);
    }

    private async Task PostAsync(HttpContext context)
    {
        if (!context.TryId(out int id))
        {
            await context.JsonTextAsync("""{"error":"please provide numeric product ID"}""", 400);
            return;
        }
        try
        {
            JsonNode? body = await JsonNode.ParseAsync(context.Request.Body, cancellationToken: context.RequestAborted);
            _posted[id] = body as JsonObject ?? throw new JsonException("not an object");
            await context.JsonAsync(Of(id));
        }
        catch (JsonException)
        {
            await context.JsonTextAsync("""{"error":"please provide valid ratings JSON"}""", 400);
        }
    }

    private JsonObject Of(int id) => new()
    {
        ["id"] = id,
        ["ratings"] = _posted.TryGetValue(id, out JsonObject? posted)
            ? posted.DeepClone() : new JsonObject { ["Reviewer1"] = 5, ["Reviewer2"] = 4 },
    };
}
