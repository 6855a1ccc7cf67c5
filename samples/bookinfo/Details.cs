using System.Text.Json.Nodes;

namespace Bookinfo;

/// <summary>What there is to know of a book.</summary>
internal static class Details
{
    public static void Map(WebApplication app)
    {
        app.MapGet("/health", context => context.JsonTextAsync("""{"status":"Details is healthy"}"""));
        app.MapGet("/details/{id}", context => context.TryId(out int id)
            ? context.JsonAsync(Of(id))
            : context.JsonTextAsync("""{"error":"please provide numeric product id"}""", 400));
    }

    private static JsonObject Of(int id) => new()
    {
        ["id"] = id,
        ["author"] = "William Shakespeare",
        ["year"] = 1595,
        ["type"] = "paperback",
        ["pages"] = 200,
        ["publisher"] = "PublisherA",
        ["language"] = "English",
        ["ISBN-10"] = "1234567890",
        ["ISBN-13"] = "123-1234567890",
    };
}
