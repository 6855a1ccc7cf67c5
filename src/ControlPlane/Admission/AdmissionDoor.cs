using System.Text;
using Lateen.ControlPlane.Hosting;
using Microsoft.AspNetCore.Http;

namespace Lateen.ControlPlane.Admission;

/// <summary>What API servers call over HTTPS (istiod's 15017).</summary>
public sealed class AdmissionDoor(WriterLoop writer)
{
    // The API server sends objects of at most 3 MiB, twice when they change.
    private const int ReviewBytesMax = 8 << 20;

    /// <summary>Serves one request.</summary>
    public Task AnswerAsync(HttpContext context) => context.Request.Path.Value switch
    {
        "/validate" => ValidateAsync(context),
        "/ready" => WriteAsync(context, StatusCodes.Status200OK, ""),
        _ => WriteAsync(context, StatusCodes.Status404NotFound, "404 page not found\n"),
    };

    private async Task ValidateAsync(HttpContext context)
    {
        (string body, bool isWhole) = await BodyAsync(context);
        if (!isWhole) await WriteAsync(context, StatusCodes.Status413PayloadTooLarge, $"a review has at most {ReviewBytesMax} bytes\n");
        else if (body.Length == 0) await WriteAsync(context, StatusCodes.Status400BadRequest, "no body found\n");
        else if (context.Request.ContentType != "application/json") await WriteAsync(context, StatusCodes.Status415UnsupportedMediaType, "invalid Content-Type, want `application/json`\n");
        else await JudgeAsync(context, body);
    }

    private async Task JudgeAsync(HttpContext context, string body)
    {
        AdmissionVerdict verdict = AdmissionReviews.Answer(body);
        if (verdict.Kind is { } kind) await writer.PostAsync((loop, _) => loop.Metrics.Validated(kind, verdict.Allowed), context.RequestAborted);
        await WriteAsync(context, StatusCodes.Status200OK, verdict.Body);
    }

    private static async Task<(string Body, bool IsWhole)> BodyAsync(HttpContext context)
    {
        using var bytes = new MemoryStream();
        byte[] part = new byte[16 << 10];
        for (int read; (read = await context.Request.Body.ReadAsync(part, context.RequestAborted)) > 0;)
        {
            bytes.Write(part, 0, read);
            if (bytes.Length > ReviewBytesMax) return ("", false);
        }
        return (Encoding.UTF8.GetString(bytes.GetBuffer(), 0, (int)bytes.Length), true);
    }

    private static Task WriteAsync(HttpContext context, int status, string text)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/plain; charset=utf-8";
        return context.Response.WriteAsync(text, context.RequestAborted);
    }
}
