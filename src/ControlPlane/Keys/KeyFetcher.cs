using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Lateen.Pilot.Meaning;

namespace Lateen.ControlPlane.Keys;

/// <summary>Fetches key sets over HTTP. An address that a user writes must not lead to what only this process can reach: link-local
/// addresses and those of <c>BLOCKED_CIDRS_IN_JWKS_URIS</c> are not connected to, whatever name stands for them.</summary>
/// <param name="blocked">Networks that must not be asked, besides those that are always refused.</param>
public sealed class KeyFetcher(IReadOnlyList<IPNetwork> blocked) : IDisposable
{
    private const int BytesMax = 1 << 20;

    private static readonly IPNetwork[] AlwaysBlocked = [IPNetwork.Parse("169.254.0.0/16"), IPNetwork.Parse("fe80::/10"),
        IPNetwork.Parse("fd00:ec2::254/128")];

    private readonly HttpClient _client =
        new(new SocketsHttpHandler
        {
            ConnectCallback = (context, cancel) => ConnectAsync(context, [.. AlwaysBlocked, .. blocked], cancel),
            UseProxy = false,
            PooledConnectionLifetime = TimeSpan.FromMinutes(1),
        })
        {
            MaxResponseContentBufferSize = BytesMax,
            Timeout = Timeout.InfiniteTimeSpan,
        };

    /// <summary>The networks that a setting lists, separated by commas; what is none is passed over.</summary>
    public static IReadOnlyList<IPNetwork> Networks(string text) =>
        [.. text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Where(part => IPNetwork.TryParse(part, out _)).Select(IPNetwork.Parse)];

    /// <summary>Fetches a key set; in place of its text comes the reason why it could not be had.</summary>
    public async Task<(string? Text, string Error)> FetchAsync(KeySetRequest request)
    {
        using var limit = new CancellationTokenSource(request.Timeout);
        try
        {
            string address = request.Name.Address.Length > 0
                ? request.Name.Address : await DiscoveredAsync(request.Name.Issuer, limit.Token);
            string text = await _client.GetStringAsync(new Uri(address, UriKind.Absolute), limit.Token);
            return IsKeySet(text) ? (text, "") : (null, "the answer is no JSON web key set");
        }
        catch (OperationCanceledException)
        {
            return (null, $"no answer within {request.Timeout.TotalSeconds:0.###} s");
        }
        catch (Exception failed) when (failed is HttpRequestException or UriFormatException or JsonException or InvalidOperationException
            or NotSupportedException or IOException)
        {
            return (null, failed.Message);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _client.Dispose();

    // OpenID Connect Discovery 1.0, section 4.
    private async Task<string> DiscoveredAsync(string issuer, CancellationToken cancel)
    {
        string text = await _client.GetStringAsync(new Uri(issuer.TrimEnd('/') + "/.well-known/openid-configuration", UriKind.Absolute),
            cancel);
        using JsonDocument document = JsonDocument.Parse(text);
        return document.RootElement.ValueKind == JsonValueKind.Object
            && document.RootElement.TryGetProperty("jwks_uri", out JsonElement uri) && uri.ValueKind == JsonValueKind.String
            ? uri.GetString()! : throw new HttpRequestException("the issuer's OpenID configuration names no jwks_uri");
    }

    // A proxy would refuse its listener for anything else.
    private static bool IsKeySet(string text)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(text);
            return document.RootElement.ValueKind == JsonValueKind.Object
                && document.RootElement.TryGetProperty("keys", out JsonElement keys) && keys.ValueKind == JsonValueKind.Array
                && keys.GetArrayLength() > 0;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, IPNetwork[] blocked, CancellationToken cancel)
    {
        IPAddress[] addresses = await Dns.GetHostAddressesAsync(context.DnsEndPoint.Host, cancel);
        IPAddress[] allowed = [.. addresses.Where(
            address => !blocked.Any(network => network.Contains(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address)))];
        if (allowed.Length == 0) throw new HttpRequestException($"{context.DnsEndPoint.Host} is an address that keys are not fetched from");
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(allowed, context.DnsEndPoint.Port, cancel);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
