using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Lateen.ControlPlane;
using Lateen.ControlPlane.Operator;

namespace Lateen.Cli.Remote;

/// <summary>Asks the control plane's operator API; every "no" becomes a <see cref="CommandException"/> with its remedy.</summary>
public sealed class OperatorClient : IDisposable
{
    private readonly HttpClient _http;
    private readonly ControlPlaneAddress _address;

    /// <summary>A client of the control plane that the state folder names.</summary>
    /// <exception cref="CommandException">There is none.</exception>
    public static OperatorClient Of(string? stateFolder) => new(StateFolder.Locate(stateFolder));

    /// <summary>A client of one control plane.</summary>
    public OperatorClient(ControlPlaneAddress address)
    {
        _address = address;
        _http = new HttpClient(new SocketsHttpHandler { UseProxy = false, ConnectTimeout = TimeSpan.FromSeconds(5) })
        {
            BaseAddress = new Uri($"http://{address.Http}/lateen/v1/"),
            Timeout = Timeout.InfiniteTimeSpan,
        };
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", address.Token);
    }

    /// <summary>Creates or changes resources.</summary>
    public Task<ChangeAnswer> ApplyAsync(ApplyRequest request, CancellationToken cancel) =>
        PostAsync("apply", request, OperatorJson.Default.ApplyRequest, OperatorJson.Default.ChangeAnswer, cancel);

    /// <summary>Removes resources.</summary>
    public Task<ChangeAnswer> DeleteAsync(DeleteRequest request, CancellationToken cancel) =>
        PostAsync("delete", request, OperatorJson.Default.DeleteRequest, OperatorJson.Default.ChangeAnswer, cancel);

    /// <summary>Makes an earlier revision hold again.</summary>
    public Task<ChangeAnswer> RollbackAsync(RollbackRequest request, CancellationToken cancel) =>
        PostAsync("rollback", request, OperatorJson.Default.RollbackRequest, OperatorJson.Default.ChangeAnswer, cancel);

    /// <summary>Resources of one kind (or "all"), of one namespace or (null) of all, of one name or of any.</summary>
    public Task<ObjectList> ObjectsAsync(string kind, string? inNamespace, string? name, string? selector, CancellationToken cancel) =>
        GetAsync("objects" + Query(("kind", kind), ("namespace", inNamespace), ("name", name), ("selector", selector)),
            OperatorJson.Default.ObjectList, cancel);

    /// <summary>The kinds the mesh knows.</summary>
    public Task<IReadOnlyList<KindRow>> KindsAsync(CancellationToken cancel) =>
        GetAsync("kinds", OperatorJson.Default.IReadOnlyListKindRow, cancel);

    /// <summary>The newest revisions, of one resource or of all.</summary>
    public Task<RevisionList> HistoryAsync(string? kind, string? inNamespace, string? name, int most, CancellationToken cancel) =>
        GetAsync("history" + Query(("kind", kind), ("namespace", inNamespace), ("name", name), ("most", most.ToString())),
            OperatorJson.Default.RevisionList, cancel);

    /// <summary>What differs between two revisions; a negative one counts back from the newest.</summary>
    public Task<DiffAnswer> DiffAsync(long from, long? to, CancellationToken cancel) =>
        GetAsync("diff" + Query(("from", from.ToString()), ("to", to?.ToString())), OperatorJson.Default.DiffAnswer, cancel);

    /// <summary>What an apply of these texts would change.</summary>
    public Task<DiffAnswer> DiffAsync(ApplyRequest request, CancellationToken cancel) =>
        PostAsync("diff", request, OperatorJson.Default.ApplyRequest, OperatorJson.Default.DiffAnswer, cancel);

    /// <summary>Waits until every connected proxy has taken up <paramref name="revision"/>, or the time is over.</summary>
    public Task<WaitAnswer> WaitAsync(long revision, TimeSpan timeout, CancellationToken cancel) =>
        GetAsync("wait" + Query(("revision", revision.ToString()), ("timeout", $"{timeout.TotalMilliseconds:0}ms")),
            OperatorJson.Default.WaitAnswer, cancel);

    /// <summary>Every connected proxy and how far it is.</summary>
    public Task<ProxyList> ProxiesAsync(CancellationToken cancel) => GetAsync("proxies", OperatorJson.Default.ProxyList, cancel);

    /// <summary>A page of a proxy's admin address, through the control plane.</summary>
    /// <returns>Its content type and text.</returns>
    public async Task<(string ContentType, string Text)> AdminPageAsync(string proxy, string pageAndQuery, CancellationToken cancel)
    {
        using HttpResponseMessage response =
            await SendAsync(new HttpRequestMessage(HttpMethod.Get, $"proxies/{Uri.EscapeDataString(proxy)}/admin/{pageAndQuery}"), cancel);
        return (response.Content.Headers.ContentType?.MediaType ?? "text/plain", await response.Content.ReadAsStringAsync(cancel));
    }

    /// <inheritdoc />
    public void Dispose() => _http.Dispose();

    private async Task<TAnswer> PostAsync<TRequest, TAnswer>(string path, TRequest request, JsonTypeInfo<TRequest> requestType,
        JsonTypeInfo<TAnswer> answerType, CancellationToken cancel)
    {
        using HttpResponseMessage response =
            await SendAsync(new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(request, requestType) }, cancel);
        return await ReadAsync(response, answerType, cancel);
    }

    private async Task<TAnswer> GetAsync<TAnswer>(string path, JsonTypeInfo<TAnswer> answerType, CancellationToken cancel)
    {
        using HttpResponseMessage response = await SendAsync(new HttpRequestMessage(HttpMethod.Get, path), cancel);
        return await ReadAsync(response, answerType, cancel);
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancel)
    {
        HttpResponseMessage response;
        try
        {
            response = await _http.SendAsync(request, cancel);
        }
        catch (HttpRequestException unreachable)
        {
            string why = unreachable.InnerException is SocketException socket
                ? socket.SocketErrorCode == SocketError.ConnectionRefused ? "nothing listens there" : socket.Message : unreachable.Message;
            throw new CommandException($"the control plane at {_address.Http} cannot be reached: {why}",
                "Is it running? Start a mesh with `lateen up`.", CommandException.Unreachable);
        }
        if (response.IsSuccessStatusCode) return response;
        using (response) throw await RefusedAsync(response, cancel);
    }

    private async Task<CommandException> RefusedAsync(HttpResponseMessage response, CancellationToken cancel)
    {
        if (response.StatusCode == HttpStatusCode.Unauthorized)
            return new CommandException($"the control plane at {_address.Http} is not the one that wrote this state folder",
                "It was started with another --state folder: name that one.", CommandException.Unreachable);
        string body = await response.Content.ReadAsStringAsync(cancel);
        try
        {
            if (JsonSerializer.Deserialize(body, OperatorJson.Default.Refusal) is { Message: not null } refusal)
                return new CommandException(refusal.Message, refusal.Remedy);
        }
        catch (JsonException)
        {
            // Not one of ours: say what came instead.
        }
        return new CommandException($"the control plane answered {(int)response.StatusCode}: {body.Trim()}");
    }

    private static async Task<T> ReadAsync<T>(HttpResponseMessage response, JsonTypeInfo<T> type, CancellationToken cancel) =>
        await response.Content.ReadFromJsonAsync(type, cancel) ?? throw new CommandException("the control plane sent an empty answer");

    private static string Query(params ReadOnlySpan<(string Name, string? Value)> fields)
    {
        var query = new System.Text.StringBuilder();
        foreach ((string name, string? value) in fields)
        {
            if (value is null) continue;
            query.Append(query.Length == 0 ? '?' : '&').Append(name).Append('=').Append(Uri.EscapeDataString(value));
        }
        return query.ToString();
    }
}
