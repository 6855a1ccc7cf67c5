// Remote: the console's only sources: the control plane's operator API, and through it the admin pages of the proxies. The console keeps
// nothing but the last readings of counters, which rates are made of.
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Lateen.Console.Remote;

/// <summary>What the console was told, or why it was not.</summary>
public readonly record struct Told(JsonNode? Json, string Text, string? Problem)
{
    /// <summary>A field of the answer.</summary>
    public JsonNode? this[string field] => (Json as JsonObject)?[field];
}

/// <summary>Asks the operator's API of one control plane.</summary>
public sealed class MeshApi : IDisposable
{
    private readonly HttpClient _http;

    /// <summary>A client of the API at host:port, with the token of its state folder.</summary>
    public MeshApi(string address, string token)
    {
        _http = new HttpClient(new SocketsHttpHandler { UseProxy = false, ConnectTimeout = TimeSpan.FromSeconds(2) })
        {
            BaseAddress = new Uri($"http://{address}/lateen/v1/"),
            Timeout = TimeSpan.FromSeconds(10),
        };
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
    }

    /// <summary>Reads.</summary>
    public Task<Told> GetAsync(string pathAndQuery, CancellationToken cancel) =>
        SendAsync(new HttpRequestMessage(HttpMethod.Get, pathAndQuery), cancel);

    /// <summary>Changes.</summary>
    public Task<Told> PostAsync(string path, JsonObject body, CancellationToken cancel) =>
        SendAsync(new HttpRequestMessage(HttpMethod.Post,
            path) { Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json") }, cancel);

    /// <inheritdoc />
    public void Dispose() => _http.Dispose();

    private async Task<Told> SendAsync(HttpRequestMessage request, CancellationToken cancel)
    {
        try
        {
            using HttpResponseMessage response = await _http.SendAsync(request, cancel);
            string text = await response.Content.ReadAsStringAsync(cancel);
            JsonNode? json = response.Content.Headers.ContentType?.MediaType == "application/json" ? JsonNode.Parse(text) : null;
            string? problem = response.IsSuccessStatusCode
                ? null : (json as JsonObject)?["message"]?.ToString() ?? $"the control plane answered {(int)response.StatusCode}";
            return new Told(json, text, problem);
        }
        catch (Exception unreachable) when (unreachable is HttpRequestException or JsonException
            || (unreachable is TaskCanceledException && !cancel.IsCancellationRequested))
        {
            return new Told(null, "", "the control plane cannot be reached: " + unreachable.Message);
        }
    }
}
