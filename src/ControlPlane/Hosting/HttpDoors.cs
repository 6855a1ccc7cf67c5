using Lateen.ControlPlane.Debug;
using Lateen.ControlPlane.Metrics;
using Lateen.ControlPlane.Operator;
using Microsoft.AspNetCore.Http;

namespace Lateen.ControlPlane.Hosting;

/// <summary>Who answers which path on the two HTTP addresses.</summary>
public sealed class HttpDoors(WriterLoop writer, OperatorDoor operators, DebugAccess access, CitadelMetrics citadel, CallMetrics calls,
    TimeProvider time)
{
    private readonly DebugDoor _debug = new(writer, access);

    /// <summary>Version of this build, as `/version` and the metrics have it.</summary>
    public static string Version { get; } = typeof(HttpDoors).Assembly.GetName().Version?.ToString(3) ?? "unknown";

    /// <summary>Readiness, debug pages, the operator's API (istiod's 8080).</summary>
    public Task AnswerHttpAsync(HttpContext context)
    {
        string path = context.Request.Path.Value ?? "";
        if (path.StartsWith(OperatorDoor.Root, StringComparison.Ordinal)) return operators.AnswerAsync(context);
        if (path == "/ready") return ReadyAsync(context);
        if (access.IsOnHttp && IsDebug(path)) return _debug.AnswerAsync(context);
        return path == "/version" ? VersionAsync(context) : NotFoundAsync(context);
    }

    /// <summary>Metrics, version, debug pages (istiod's 15014).</summary>
    public Task AnswerMonitoringAsync(HttpContext context) => context.Request.Path.Value switch
    {
        "/metrics" => MetricsAsync(context),
        "/version" => VersionAsync(context),
        { } path when access.IsOnHttp && IsDebug(path) => _debug.AnswerAsync(context),
        _ => NotFoundAsync(context),
    };

    private async Task ReadyAsync(HttpContext context)
    {
        bool ready = await writer.AskAsync((loop, _) => loop.IsReady, context.RequestAborted);
        context.Response.StatusCode = ready ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
    }

    private async Task MetricsAsync(HttpContext context)
    {
        string text = await writer.AskAsync((loop, _) => loop.MetricsText(time.GetUtcNow()), context.RequestAborted);
        context.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
        await context.Response.WriteAsync(text + citadel.Text() + calls.Text(), context.RequestAborted);
    }

    private static Task VersionAsync(HttpContext context)
    {
        context.Response.ContentType = "text/plain; charset=utf-8";
        return context.Response.WriteAsync($"lateen-{Version}-clean");
    }

    private static Task NotFoundAsync(HttpContext context)
    {
        context.Response.StatusCode = StatusCodes.Status404NotFound;
        context.Response.ContentType = "text/plain; charset=utf-8";
        return context.Response.WriteAsync("404 page not found\n");
    }

    private static bool IsDebug(string path) => path == "/debug" || path.StartsWith("/debug/", StringComparison.Ordinal);
}
