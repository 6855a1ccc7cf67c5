using System.Text.Json;
using System.Text.Json.Nodes;

namespace Bookinfo;

/// <summary>What two readers say. v1 shows no stars, v2 black ones, v3 red ones; without ratings the reviews are shown all the
/// same.</summary>
internal sealed class Reviews(Backends backends)
{
    private static readonly string Version = Backends.Setting("SERVICE_VERSION", "v1");
    private static readonly bool Stars = bool.Parse(Backends.Setting("ENABLE_RATINGS", Version == "v1" ? "false" : "true"));
    private static readonly string Colour = Backends.Setting("STAR_COLOR", Version == "v3" ? "red" : "black");
    private static readonly string Pod = Backends.Setting("HOSTNAME", Environment.MachineName);
    private static readonly string Cluster = Backends.Setting("CLUSTER_NAME", "null");

    // v3 came with a shorter one, so that a slow ratings service does not take the page with it: the lesson of the demo's delay.
    private static readonly TimeSpan Patience = Colour == "black" ? TimeSpan.FromSeconds(10) : TimeSpan.FromSeconds(2.5);

    public void Map(WebApplication app)
    {
        app.MapGet("/health", context => context.JsonTextAsync("""{"status": "Reviews is healthy"}"""));
        app.MapGet("/reviews/{id}", AnswerAsync);
    }

    private async Task AnswerAsync(HttpContext context)
    {
        if (!context.TryId(out int id))
        {
            await context.JsonTextAsync("""{"error":"please provide numeric product id"}""", 400);
            return;
        }
        (int First, int Second)? stars = Stars ? await StarsAsync(context, id) : null;
        await context.JsonAsync(new JsonObject
        {
            ["id"] = id.ToString(),
            ["podname"] = Pod,
            ["clustername"] = Cluster,
            ["reviews"] = new JsonArray(
                Review("Reviewer1", "Two pairs of twins, one town, and not a quiet minute: the funniest evening Shakespeare ever wrote.",
                    stars?.First),
                Review("Reviewer2",
                    "Great fun from the first mistake to the last. Whoever looks for the depth of the later plays should read on there.",
                    stars?.Second)),
        });
    }

    private async Task<(int, int)?> StarsAsync(HttpContext context, int id)
    {
        Backends.Answer answer = await backends.GetAsync(context, "ratings", $"/ratings/{id}", Patience);
        if (!answer.Good) return null;
        try
        {
            JsonNode? ratings = JsonNode.Parse(answer.Body)?["ratings"];
            return (ratings?["Reviewer1"]?.GetValue<int>() ?? -1, ratings?["Reviewer2"]?.GetValue<int>() ?? -1);
        }
        catch (Exception odd) when (odd is JsonException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }

    private static JsonObject Review(string reviewer, string text, int? stars)
    {
        var review = new JsonObject { ["reviewer"] = reviewer, ["text"] = text };
        if (!Stars) return review;
        review["rating"] = stars is >= 0
            ? new JsonObject { ["stars"] = stars, ["color"] = Colour }
            : new JsonObject { ["error"] = "Ratings service is currently unavailable" };
        return review;
    }
}
