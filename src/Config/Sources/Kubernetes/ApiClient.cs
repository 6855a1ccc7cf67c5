// Kubernetes: an API server as a source of resources. Four steps, each of which knows only the one before it: Access (who asks, over which
// connection), `ApiClient` (one request), Watching (one kind followed for ever: list, watch, resume, list anew) and `KubernetesSource` (all
// kinds as one stream of changes into the store). What comes out is the same as from a folder: resources, checked by the store.
//
// An API server that is away changes nothing: what was known stays in force until it is back, and one log line tells each of the two. The
// connection, the watches and the clock belong to this folder alone; `ListWatch` has the protocol as a state machine without any of them.
// Refused: polling, a cache with its own resync period (the watch is complete, or it is begun anew), and an informer per consumer.
using System.Buffers;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Lateen.Config.Sources.Kubernetes.Access;
using Lateen.Config.Sources.Kubernetes.Watching;

namespace Lateen.Config.Sources.Kubernetes;

/// <summary>Single requests to one API server. Thread-safe.</summary>
/// <param name="handler">The way there, as <see cref="ApiConnection.Open"/> makes it, or an API server in memory.</param>
/// <param name="server">The address that paths are put behind.</param>
public sealed class ApiClient(HttpMessageHandler handler, Uri server) : IDisposable
{
    public const string Json = "application/json";
    public const string MergePatch = "application/merge-patch+json";
    public const string ApplyPatch = "application/apply-patch+yaml";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private const int PageBytes = 256 << 10;
    private readonly HttpMessageInvoker _http = new(handler);
    private readonly string _prefix = server.AbsoluteUri.TrimEnd('/');

    /// <summary>A client of the server that an access names.</summary>
    public static ApiClient Open(ClusterAccess access) => new(ApiConnection.Open(access), access.Server);

    /// <summary>Only the envelopes of objects, for who wants to know what there is.</summary>
    public const string MetadataOnly = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

    public Task<ApiResult<JsonDocument>> GetAsync(string path, CancellationToken cancel, string accept = Json) =>
        SendAsync(HttpMethod.Get, path, null, Json, cancel, accept);

    /// <summary>A part of a list.</summary>
    public Task<ApiResult<ListPage>> ListAsync(string path, CancellationToken cancel, string accept = Json) =>
        AskAsync(HttpMethod.Get, path, null, Json, accept, PageAsync, cancel);

    /// <summary>One request and its whole answer.</summary>
    /// <param name="method">GET, POST, PUT, PATCH or DELETE.</param>
    /// <param name="path">With the query, as <c>/api/v1/pods?limit=500</c>.</param>
    /// <param name="body">JSON; null for none.</param>
    /// <param name="contentType">Of the body.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <param name="accept">The form of the answer.</param>
    public Task<ApiResult<JsonDocument>> SendAsync(HttpMethod method, string path, string? body, string contentType,
        CancellationToken cancel, string accept = Json) =>
        AskAsync(method, path, body, contentType, accept, static (stream, cancel) => JsonDocument.ParseAsync(stream, default, cancel),
            cancel);

    private async Task<ApiResult<T>> AskAsync<T>(HttpMethod method, string path, string? body, string contentType, string accept,
        Func<Stream, CancellationToken, Task<T>> read, CancellationToken cancel)
        where T : class
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        patience.CancelAfter(Patience);
        try
        {
            using var request = Request(method, path, accept);
            request.Content = body is null ? null : new StringContent(body, Encoding.UTF8, new MediaTypeHeaderValue(contentType));
            using var answer = await _http.SendAsync(request, patience.Token).ConfigureAwait(false);
            if (!answer.IsSuccessStatusCode) return await FailureAsync(answer, patience.Token).ConfigureAwait(false);
            var stream = await answer.Content.ReadAsStreamAsync(patience.Token).ConfigureAwait(false);
            return await read(stream, patience.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (IsOfThePeer(e, cancel))
        {
            return Unreached(e);
        }
    }

    // Its bytes are read into one piece of memory that is used again, and cleaned before: Secrets come this way, too.
    private static async Task<ListPage> PageAsync(Stream stream, CancellationToken cancel)
    {
        var bytes = ArrayPool<byte>.Shared.Rent(PageBytes);
        try
        {
            var filled = 0;
            for (int read; (read = await stream.ReadAsync(bytes.AsMemory(filled), cancel).ConfigureAwait(false)) > 0; filled += read)
            {
                if (filled + read < bytes.Length) continue;
                var larger = ArrayPool<byte>.Shared.Rent(bytes.Length * 2);
                bytes.CopyTo(larger, 0);
                ArrayPool<byte>.Shared.Return(bytes, clearArray: true);
                bytes = larger;
            }

            return ListPage.Of(bytes.AsSpan(0, filled));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes, clearArray: true);
        }
    }

    /// <summary>Begins to watch; the clock is that of the rests between reads.</summary>
    public async Task<ApiResult<WatchStream>> WatchAsync(string path, TimeProvider time, CancellationToken cancel, string accept = Json)
    {
        HttpResponseMessage? answer = null;
        try
        {
            using var request = Request(HttpMethod.Get, path, accept);
            answer = await _http.SendAsync(request, cancel).ConfigureAwait(false);
            if (answer.IsSuccessStatusCode)
                return new WatchStream(answer, await answer.Content.ReadAsStreamAsync(cancel).ConfigureAwait(false), time);
            var failure = await FailureAsync(answer, cancel).ConfigureAwait(false);
            answer.Dispose();
            return failure;
        }
        catch (Exception e) when (IsOfThePeer(e, cancel))
        {
            answer?.Dispose();
            return Unreached(e);
        }
    }

    public void Dispose() => _http.Dispose();

    /// <summary>What an exception of the transport says; everything in it, since the reason stands in the innermost.</summary>
    internal static ApiFailure Unreached(Exception e)
    {
        var text = new StringBuilder(e is OperationCanceledException ? $"no answer within {Patience.TotalSeconds:0} s" : e.Message);
        for (var inner = e.InnerException; inner is not null; inner = inner.InnerException)
        {
            if (!text.ToString().Contains(inner.Message, StringComparison.Ordinal)) text.Append(": ").Append(inner.Message);
        }

        return new ApiFailure(0, "", text.ToString());
    }

    /// <summary>Whether the peer or the network is at fault, and not we or whoever cancelled.</summary>
    internal static bool IsOfThePeer(Exception e, CancellationToken cancel) =>
        e is HttpRequestException or IOException or JsonException or System.Security.Authentication.AuthenticationException
        || (e is OperationCanceledException && !cancel.IsCancellationRequested);

    private HttpRequestMessage Request(HttpMethod method, string path, string accept)
    {
        // HTTP/2 where the server has it: one connection carries all watches.
        var request = new HttpRequestMessage(method, _prefix + path)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
        };
        request.Headers.TryAddWithoutValidation("Accept", accept);
        request.Headers.UserAgent.ParseAdd("lateen");
        return request;
    }

    /// <summary>The API answers with a Status object; what stands before it (a proxy) may not.</summary>
    private static async Task<ApiFailure> FailureAsync(HttpResponseMessage answer, CancellationToken cancel)
    {
        var text = await answer.Content.ReadAsStringAsync(cancel).ConfigureAwait(false);
        var after = answer.Headers.RetryAfter?.Delta;
        try
        {
            using var status = JsonDocument.Parse(text);
            return OfStatus(status.RootElement, (int)answer.StatusCode) with { RetryAfter = after };
        }
        catch (JsonException)
        {
            return new ApiFailure((int)answer.StatusCode, "", text.Length > 200 ? text[..200] : text.Trim(), after);
        }
    }

    /// <summary>A Status object as a failure.</summary>
    internal static ApiFailure OfStatus(JsonElement status, int code)
    {
        if (status.ValueKind != JsonValueKind.Object) return new ApiFailure(code, "", "");
        var said = status.TryGetProperty("code", out var number) && number.TryGetInt32(out var value) ? value : code;
        return new ApiFailure(said, Text("reason"), Text("message"));

        string Text(string name) =>
            status.TryGetProperty(name, out var text) && text.ValueKind == JsonValueKind.String ? text.GetString()! : "";
    }
}
