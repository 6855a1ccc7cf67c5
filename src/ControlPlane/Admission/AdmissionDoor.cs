using System.Text;
using Lateen.Config.Resources;
using Lateen.ControlPlane.Hosting;
using Lateen.ControlPlane.Injection;
using Lateen.Injector.Templates;
using Microsoft.AspNetCore.Http;

namespace Lateen.ControlPlane.Admission;

/// <summary>What API servers call over HTTPS (istiod's 15017).</summary>
public sealed class AdmissionDoor(WriterLoop writer, TimeProvider time)
{
    // The API server sends objects of at most 3 MiB, twice when they change.
    private const int ReviewBytesMax = 8 << 20;

    private InjectorConfigMap? _injector;

    /// <summary>Serves one request.</summary>
    public Task AnswerAsync(HttpContext context) => context.Request.Path.Value switch
    {
        "/validate" => ReviewAsync(context, JudgeAsync),
        { } path when path == "/inject" || path.StartsWith("/inject/", StringComparison.Ordinal) => ReviewAsync(context, InjectAsync),
        "/ready" => WriteAsync(context, StatusCodes.Status200OK, ""),
        _ => WriteAsync(context, StatusCodes.Status404NotFound, "404 page not found\n"),
    };

    private async Task ReviewAsync(HttpContext context, Func<HttpContext, string, Task> answer)
    {
        (string body, bool isWhole) = await BodyAsync(context);
        if (!isWhole) await UnreadAsync(context, StatusCodes.Status413PayloadTooLarge, $"a review has at most {ReviewBytesMax} bytes\n");
        else if (body.Length == 0) await UnreadAsync(context, StatusCodes.Status400BadRequest, "no body found\n");
        else if (context.Request.ContentType != "application/json")
            await UnreadAsync(context, StatusCodes.Status415UnsupportedMediaType, "invalid Content-Type, want `application/json`\n");
        else await answer(context, body);
    }

    private async Task UnreadAsync(HttpContext context, int status, string text)
    {
        if (context.Request.Path.Value == "/validate")
            await writer.PostAsync((loop, _) => loop.Metrics.Webhooks.Unread(status), context.RequestAborted);
        await WriteAsync(context, status, text);
    }

    private async Task JudgeAsync(HttpContext context, string body)
    {
        AdmissionVerdict verdict = AdmissionReviews.Answer(body);
        if (verdict.Kind is { } kind)
            await writer.PostAsync((loop, _) => loop.Metrics.Webhooks.Validated(kind, verdict.Allowed), context.RequestAborted);
        await WriteAsync(context, StatusCodes.Status200OK, verdict.Body);
    }

    // Settings are the loop's; the pod is rendered here, so that a large one holds nobody up.
    private async Task InjectAsync(HttpContext context, string body)
    {
        var asked = new TaskCompletionSource<(MeshInjection? Mesh, Func<string, IReadOnlyDictionary<string, string>> Namespaces,
            string Mistake)>(TaskCreationOptions.RunContinuationsAsynchronously);
        await writer.PostAsync((loop, _) => asked.SetResult(Settings(loop)), context.RequestAborted);
        var (mesh, namespaces, mistake) = await asked.Task.WaitAsync(context.RequestAborted);
        if (mesh is null) await WriteAsync(context, StatusCodes.Status500InternalServerError, mistake);
        else
        {
            long started = time.GetTimestamp();
            (string answer, InjectionOutcome outcome) = InjectionReviews.Answer(body, context.Request.Path.Value!, mesh, namespaces);
            TimeSpan took = time.GetElapsedTime(started);
            await writer.PostAsync((loop, _) => loop.Metrics.Webhooks.Injected(outcome, took), context.RequestAborted);
            await WriteAsync(context, StatusCodes.Status200OK, answer);
        }
    }

    private (MeshInjection? Mesh, Func<string, IReadOnlyDictionary<string, string>> Namespaces, string Mistake) Settings(ControlLoop loop)
    {
        var view = loop.Configuration.View;
        IReadOnlyDictionary<string, string> Annotations(string ns) =>
            view.Find(Kinds.Namespace, "", ns)?.Annotations ?? new Dictionary<string, string>();
        if (loop.Hub.Snapshot is not { } snapshot) return (null, Annotations, "the control plane is starting");
        try
        {
            return ((_injector ??= new InjectorConfigMap(loop.RootNamespace, loop.OwnRevision)).Injection(view, snapshot), Annotations, "");
        }
        catch (TemplateException malformed)
        {
            return (null, Annotations, $"the injector's ConfigMap can't be read: {malformed.Message}\n");
        }
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
