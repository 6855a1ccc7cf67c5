using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Lateen.ControlPlane.Hosting;
using Microsoft.AspNetCore.Http;

namespace Lateen.ControlPlane.Operator;

/// <summary>Serves /lateen/v1/: who has read the token out of the state folder may read and change the mesh.</summary>
public sealed class OperatorDoor(WriterLoop writer, string token) : IDisposable
{
    /// <summary>What every path of the API begins with.</summary>
    public const string Root = "/lateen/v1/";

    private const int RequestBytesMax = 64 << 20;
    private readonly ProxyAdmin _admin = new();

    /// <summary>Serves one request whose path begins with <see cref="Root"/>.</summary>
    public Task AnswerAsync(HttpContext context)
    {
        string path = context.Request.Path.Value![Root.Length..];
        if (!IsAllowed(context.Request))
            return RefuseAsync(context, StatusCodes.Status401Unauthorized,
                new("the operator's API needs the token of the state folder",
                    $"Send it as `Authorization: Bearer`; it stands in {ControlPlaneAddress.FileName}."));
        bool reads = HttpMethods.IsGet(context.Request.Method);
        return (path, reads) switch
        {
            ("apply", false) => ChangeAsync(context, OperatorJson.Default.ApplyRequest, OperatorJson.Default.ChangeAnswer,
                (loop, asked, now) => loop.Configuration.Apply(asked, now)),
            ("delete", false) => ChangeAsync(context, OperatorJson.Default.DeleteRequest, OperatorJson.Default.ChangeAnswer,
                (loop, asked, now) => loop.Configuration.Delete(asked, now)),
            ("rollback", false) => ChangeAsync(context, OperatorJson.Default.RollbackRequest, OperatorJson.Default.ChangeAnswer,
                (loop, asked, now) => loop.Configuration.Rollback(asked, now)),
            ("diff", false) => ChangeAsync(context, OperatorJson.Default.ApplyRequest, OperatorJson.Default.DiffAnswer,
                (loop, asked, now) => loop.Configuration.DiffOf(asked, now)),
            ("objects", true) => ReadAsync(context, OperatorJson.Default.ObjectList,
                (loop, query, _) => loop.Configuration.Objects(query["kind"] ?? "all", query["namespace"], query["name"],
                    query["selector"])),
            ("kinds", true) => ReadAsync(context, OperatorJson.Default.IReadOnlyListKindRow,
                (_, _, _) => new(ObjectRows.Kinds, null, StatusCodes.Status200OK)),
            ("history", true) => ReadAsync(context, OperatorJson.Default.RevisionList,
                (loop, query, _) => loop.Configuration.History(query["kind"], query["namespace"], query["name"],
                    query.Number("most") ?? 20)),
            ("diff", true) => ReadAsync(context, OperatorJson.Default.DiffAnswer,
                (loop, query, _) => loop.Configuration.Diff(query.Number("from") ?? -1, query.Number("to"))),
            ("proxies", true) => ReadAsync(context, OperatorJson.Default.ProxyList, (loop, _, now) => ProxyRows.Of(loop, now)),
            ("wait", true) => WaitAsync(context),
            _ when reads && path.StartsWith("proxies/", StringComparison.Ordinal) => AdminAsync(context, path["proxies/".Length..]),
            _ => RefuseAsync(context, StatusCodes.Status404NotFound,
                new($"the operator's API has no {context.Request.Method} {Root}{path}", null)),
        };
    }

    /// <inheritdoc />
    public void Dispose() => _admin.Dispose();

    private async Task ChangeAsync<TRequest, TAnswer>(HttpContext context, JsonTypeInfo<TRequest> requestType,
        JsonTypeInfo<TAnswer> answerType, Func<ControlLoop, TRequest, DateTimeOffset, Answer<TAnswer>> work)
        where TRequest : class where TAnswer : class
    {
        TRequest? asked = await BodyAsync(context, requestType);
        if (asked is null) return;
        await WriteAsync(context, answerType, await writer.AskAsync((loop, now) => work(loop, asked, now), context.RequestAborted));
    }

    private async Task ReadAsync<TAnswer>(HttpContext context, JsonTypeInfo<TAnswer> type,
        Func<ControlLoop, QueryFields, DateTimeOffset, Answer<TAnswer>> work) where TAnswer : class =>
        await WriteAsync(context, type,
            await writer.AskAsync((loop, now) => work(loop, new QueryFields(context.Request.Query), now), context.RequestAborted));

    private async Task WaitAsync(HttpContext context)
    {
        var query = new QueryFields(context.Request.Query);
        TimeSpan timeout = query.Duration("timeout") ?? TimeSpan.FromSeconds(30);
        var answer = new TaskCompletionSource<WaitAnswer>(TaskCreationOptions.RunContinuationsAsynchronously);
        await writer.PostAsync((loop, now) =>
            loop.Waits.Add(loop.Configuration.Revision, loop.Generation, now + timeout, answer.SetResult, now), context.RequestAborted);
        await WriteAsync<WaitAnswer>(context, OperatorJson.Default.WaitAnswer, await answer.Task.WaitAsync(context.RequestAborted));
    }

    // proxies/NAME/admin/PAGE?QUERY
    private async Task AdminAsync(HttpContext context, string rest)
    {
        string[] parts = rest.Split('/', 3);
        if (parts is not [var name, "admin", var page])
        {
            await RefuseAsync(context, StatusCodes.Status404NotFound, new($"the operator's API has no {Root}proxies/{rest}", null));
            return;
        }
        string? address = await writer.AskAsync((loop, _) => ProxyRows.AdminOf(loop, Uri.UnescapeDataString(name)), context.RequestAborted);
        Answer<AdminPage> answer = address is null
            ? No.NotFound($"proxy {name} is not connected, or did not say where its admin pages are",
                "`lateen proxy-status` lists the proxies that are connected.")
            : await _admin.GetAsync(address, page + context.Request.QueryString, context.RequestAborted);
        if (answer.Value is not { } found)
        {
            await RefuseAsync(context, answer.HttpStatus, answer.Refusal!);
            return;
        }
        found = await writer.AskAsync((loop, _) => OriginPlaces.Named(found, loop.Configuration.View, loop.Hub.Snapshot),
            context.RequestAborted);
        context.Response.ContentType = found.ContentType;
        await context.Response.WriteAsync(found.Text, context.RequestAborted);
    }

    // The token keeps web pages and other users of the machine out: a page can post to a loopback port, but cannot read a file of mode
    // 0600.
    private bool IsAllowed(HttpRequest request)
    {
        const string Scheme = "Bearer ";
        string? said = request.Headers.Authorization;
        return said?.StartsWith(Scheme, StringComparison.Ordinal) == true
            && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(said[Scheme.Length..]), Encoding.UTF8.GetBytes(token));
    }

    private static async Task<T?> BodyAsync<T>(HttpContext context, JsonTypeInfo<T> type) where T : class
    {
        string problem = "it is empty";
        try
        {
            if (context.Request.ContentLength is > RequestBytesMax) problem = $"it is larger than {RequestBytesMax} bytes";
            else if (await JsonSerializer.DeserializeAsync(context.Request.Body, type, context.RequestAborted) is { } body) return body;
        }
        catch (JsonException malformed)
        {
            problem = malformed.Message;
        }
        await RefuseAsync(context, StatusCodes.Status400BadRequest, new($"the request is not a {typeof(T).Name}: {problem}", null));
        return null;
    }

    private static Task WriteAsync<T>(HttpContext context, JsonTypeInfo<T> type, Answer<T> answer) where T : class =>
        answer.Value is { } value ? SendAsync(context, type, value) : RefuseAsync(context, answer.HttpStatus, answer.Refusal!);

    private static Task RefuseAsync(HttpContext context, int status, Refusal refusal)
    {
        context.Response.StatusCode = status;
        return SendAsync(context, OperatorJson.Default.Refusal, refusal);
    }

    // With its length said, head and body leave together; written as it is made, an answer would take a chunk and an end as well.
    private static Task SendAsync<T>(HttpContext context, JsonTypeInfo<T> type, T value)
    {
        byte[] body = JsonSerializer.SerializeToUtf8Bytes(value, type);
        (context.Response.ContentType, context.Response.ContentLength) = ("application/json", body.Length);
        return context.Response.Body.WriteAsync(body, context.RequestAborted).AsTask();
    }
}
