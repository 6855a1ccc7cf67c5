using System.Net.Sockets;

namespace Lateen.ControlPlane.Operator;

/// <summary>A page of a proxy's admin address.</summary>
public sealed record AdminPage(string ContentType, string Text);

/// <summary>Fetches admin pages of proxies: the explanations, which only the proxy that serves can give.</summary>
public sealed class ProxyAdmin : IDisposable
{
    private readonly HttpClient _http =
        new(new SocketsHttpHandler { UseProxy = false, ConnectTimeout = TimeSpan.FromSeconds(2), AllowAutoRedirect = false })
        {
            Timeout = TimeSpan.FromSeconds(10),
            MaxResponseContentBufferSize = 16 << 20,
        };

    /// <summary>Asks for a page.</summary>
    public async Task<Answer<AdminPage>> GetAsync(string address, string pageAndQuery, CancellationToken cancel)
    {
        try
        {
            using HttpResponseMessage response = await _http.GetAsync(new Uri($"http://{address}/{pageAndQuery}"), cancel);
            string text = await response.Content.ReadAsStringAsync(cancel);
            if (!response.IsSuccessStatusCode)
                return new No((int)response.StatusCode,
                    text.Trim() is { Length: > 0 } said ? said : $"the proxy at {address} answered {(int)response.StatusCode}", null);
            return new AdminPage(response.Content.Headers.ContentType?.MediaType ?? "text/plain", text);
        }
        catch (Exception unreachable) when (unreachable is HttpRequestException or SocketException
            || (unreachable is TaskCanceledException && !cancel.IsCancellationRequested))
        {
            return No.Unreachable($"the proxy's admin address {address} cannot be "
                + $"reached: {unreachable.InnerException?.Message ?? unreachable.Message}",
                "It may just have been replaced: look at `lateen proxy-status`.");
        }
    }

    /// <inheritdoc />
    public void Dispose() => _http.Dispose();
}
