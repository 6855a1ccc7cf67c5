using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Bookinfo;

/// <summary>How the services answer.</summary>
internal static class Answers
{
    // Quotes and tags stay readable: the answers are JSON for programs and for eyes at a terminal, never part of a page.
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Task JsonAsync(this HttpContext context, JsonNode body, int status = 200) =>
        JsonTextAsync(context, body.ToJsonString(Plain), status);

    public static Task JsonTextAsync(this HttpContext context, string body, int status = 200) =>
        WriteAsync(context, body, "application/json", status);

    public static Task HtmlAsync(this HttpContext context, string body, int status = 200) =>
        WriteAsync(context, body, "text/html; charset=utf-8", status);

    public static Task TextAsync(this HttpContext context, string body, int status = 200) =>
        WriteAsync(context, body, "text/plain; charset=utf-8", status);

    /// <summary>The {id} of the path, or nothing where it is not a whole number.</summary>
    public static bool TryId(this HttpContext context, out int id) => int.TryParse(context.Request.RouteValues["id"] as string, out id);

    private static Task WriteAsync(HttpContext context, string body, string type, int status)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = type;
        context.Response.ContentLength = System.Text.Encoding.UTF8.GetByteCount(body);
        return context.Response.WriteAsync(body);
    }
}
