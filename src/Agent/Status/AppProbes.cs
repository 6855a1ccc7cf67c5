using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Lateen.Agent.Status;

/// <summary>One probe of the application, as Kubernetes has it: exactly one of the three is set.</summary>
/// <param name="Http">GET this.</param>
/// <param name="Tcp">Connect there.</param>
/// <param name="Grpc">Ask its health service.</param>
/// <param name="Timeout">How long it may take.</param>
public sealed record AppProbe(HttpProbe? Http, TcpProbe? Tcp, GrpcProbe? Grpc, TimeSpan Timeout);

/// <summary>A request.</summary>
public sealed record HttpProbe(string Path, int Port, string Scheme, string Host);

/// <summary>A connection.</summary>
public sealed record TcpProbe(int Port, string Host);

/// <summary>A call of the health service.</summary>
public sealed record GrpcProbe(int Port, string Service);

/// <summary>
/// The application's probes, which the injector turned to the agent (ISTIO_KUBE_APP_PROBERS): a kubelet has no certificate of the mesh and
/// could not ask the application itself where mutual TLS is demanded. The agent asks on the same machine and hands the answer on.
/// </summary>
public sealed partial class AppProbes : IDisposable
{
    private const string ProberTypes = "invalid prober type, must be one of type httpGet, tcpSocket or gRPC";
    private static readonly TimeSpan TimeoutOtherwise = TimeSpan.FromSeconds(10);
    private static readonly string[] OfConnection = ["connection", "content-length", "transfer-encoding", "upgrade", "keep-alive", "te",
        "host"];

    private readonly Dictionary<string, AppProbe> _probes;
    private readonly string _destination;
    // The certificate is not looked at, as the kubelet does not: a probe asks whether something answers.
#pragma warning disable CA5359 // see above
    private readonly Lazy<HttpMessageInvoker> _http = new(() => new HttpMessageInvoker(new SocketsHttpHandler
    {
        UseProxy = false,
        AllowAutoRedirect = false,
        UseCookies = false,
        PooledConnectionLifetime = TimeSpan.Zero,
        SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = static (_, _, _, _) => true },
    }));
#pragma warning restore CA5359

    private AppProbes(Dictionary<string, AppProbe> probes, string destination) => (_probes, _destination) = (probes, destination);

    /// <summary>Reads the probes.</summary>
    /// <param name="json">Paths to probes; empty for none.</param>
    /// <param name="destination">Where the application listens.</param>
    /// <returns>The probes, or what is wrong with the text.</returns>
    public static (AppProbes? Probes, string Error) Read(string json, string destination)
    {
        var probes = new Dictionary<string, AppProbe>(StringComparer.Ordinal);
        JsonObject? root;
        try
        {
            root = json.Length == 0 ? [] : JsonNode.Parse(json, new JsonNodeOptions { PropertyNameCaseInsensitive = true }) as JsonObject;
        }
        catch (JsonException malformed)
        {
            return (null, $"failed to decode app prober: {malformed.Message}");
        }
        if (root is null) return (null, "failed to decode app prober: it is no object");
        foreach ((string path, JsonNode? written) in root)
        {
            (AppProbe? probe, string error) = Read(path, written as JsonObject ?? []);
            if (probe is null) return (null, error);
            probes[path] = probe;
        }
        return (new AppProbes(probes, destination), "");
    }

    private static (AppProbe? Probe, string Error) Read(string path, JsonObject written)
    {
        if (!ProbePath().IsMatch(path)) return (null, $"invalid path, must be in form of regex pattern {ProbePath()}");
        var (http, tcp, grpc) = (written["httpGet"] as JsonObject, written["tcpSocket"] as JsonObject, written["grpc"] as JsonObject);
        if (new[] { http, tcp, grpc }.Count(one => one is not null) != 1) return (null, ProberTypes);
        if ((http ?? tcp ?? grpc)!["port"] is not JsonValue value || !value.TryGetValue(out int port))
            return (null, $"invalid prober config for {path}, the port must be int type");
        TimeSpan timeout = written["timeoutSeconds"] is JsonValue told && told.TryGetValue(out int seconds) && seconds > 0
            ? TimeSpan.FromSeconds(seconds) : TimeoutOtherwise;
        return (new AppProbe(
            http is null ? null : new HttpProbe(Text(http, "path"), port, Text(http, "scheme"), Text(http, "host")), tcp is null
                ? null : new TcpProbe(port, Text(tcp, "host")),
            grpc is null ? null : new GrpcProbe(port, Text(grpc, "service")), timeout), "");
    }

    /// <summary>Headers of a probe that go on to the application; the connection is for this one request.</summary>
    public static IEnumerable<(string Name, string Value)> Forwarded(IEnumerable<(string Name, string Value)> received) =>
        received.Where(header => !OfConnection.Contains(header.Name, StringComparer.OrdinalIgnoreCase)).Append(("connection", "close"));

    /// <summary>Whether the path is one of a probe, known or not.</summary>
    public static bool IsProbe(string path) =>
        path.StartsWith("/app-health/", StringComparison.Ordinal) || path.StartsWith("/app-lifecycle/", StringComparison.Ordinal);

    /// <summary>Asks the application.</summary>
    public LocalAnswer Ask(string path, IReadOnlyList<(string Name, string Value)> headers)
    {
        if (!_probes.TryGetValue(path, out AppProbe? probe)) return Text(404, $"no application probe is known for {path}\n");
        try
        {
            using var limit = new CancellationTokenSource(probe.Timeout);
            return probe switch
            {
                { Http: { } http } => AskHttp(http, headers, limit.Token),
                { Tcp: { } tcp } => AskTcp(tcp, limit.Token),
                _ => AskGrpc(probe.Grpc!, limit.Token),
            };
        }
        catch (Exception silent) when (silent is HttpRequestException or SocketException or OperationCanceledException or IOException)
        {
            return Text(500, $"the application does not answer: {silent.Message}\n");
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_http.IsValueCreated) _http.Value.Dispose();
    }

    private LocalAnswer AskHttp(HttpProbe probe, IReadOnlyList<(string Name, string Value)> headers, CancellationToken limit)
    {
        bool isSecure = probe.Scheme.Equals("HTTPS", StringComparison.OrdinalIgnoreCase);
        using var request = new HttpRequestMessage(HttpMethod.Get,
            $"{(isSecure ? "https" : "http")}://{HostOf(probe.Host)}:{probe.Port.ToString(CultureInfo.InvariantCulture)}/{probe.Path.TrimStart('/')}")
        {
            // Over TLS the server chooses; in the clear nothing but HTTP/1.1 can be expected.
            Version = isSecure ? HttpVersion.Version20 : HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
        };
        foreach ((string name, string value) in Forwarded(headers)) request.Headers.TryAddWithoutValidation(name, value);
        if (headers.FirstOrDefault(header => header.Name.Equals("host", StringComparison.OrdinalIgnoreCase)).Value is { Length: > 0 } host)
            request.Headers.Host = host;
        using HttpResponseMessage response = _http.Value.SendAsync(request, limit).GetAwaiter().GetResult();
        return Text((int)response.StatusCode, "");
    }

    private LocalAnswer AskTcp(TcpProbe probe, CancellationToken limit)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        socket.ConnectAsync(HostOf(probe.Host), probe.Port, limit).AsTask().GetAwaiter().GetResult();
        return Text(200, "");
    }

    private LocalAnswer AskGrpc(GrpcProbe probe, CancellationToken limit)
    {
        // HealthCheckRequest has one field, the service's name; HealthCheckResponse one, the status, of which 1 is SERVING.
        const byte nameField = 0x0a, statusField = 0x08, serving = 1;
        byte[] name = System.Text.Encoding.UTF8.GetBytes(probe.Service);
        byte[] message = name.Length == 0 ? [] : [nameField, .. Varint(name.Length), .. name];
        using var request = new HttpRequestMessage(HttpMethod.Post,
            $"http://{HostOf("")}:{probe.Port.ToString(CultureInfo.InvariantCulture)}/grpc.health.v1.Health/Check")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent([0, 0, 0, (byte)(message.Length >> 8), (byte)message.Length,
                .. message]) { Headers = { { "content-type", "application/grpc" } } },
        };
        request.Headers.TryAddWithoutValidation("te", "trailers");
        using HttpResponseMessage response = _http.Value.SendAsync(request, limit).GetAwaiter().GetResult();
        using var body = new MemoryStream();
        response.Content.ReadAsStream(limit).CopyTo(body);
        bool isServing = response.TrailingHeaders.TryGetValues("grpc-status", out var status) && status.First() == "0"
            && body.ToArray() is [0, 0, 0, 0, 2, statusField, serving];
        return isServing ? Text(200, "") : Text(500, "the application's health service does not say that it serves\n");
    }

    private static byte[] Varint(int number)
    {
        using var written = new MemoryStream();
        using (var writer = new BinaryWriter(written)) writer.Write7BitEncodedInt(number);
        return written.ToArray();
    }

    private string HostOf(string written) => written.Length > 0 ? written : _destination;

    private static string Text(JsonObject probe, string name) =>
        probe[name]?.GetValueKind() == JsonValueKind.String ? probe[name]!.GetValue<string>() : "";

    private static LocalAnswer Text(int status, string text) => new(status, "text/plain", text);

    [GeneratedRegex("^/app-(health|lifecycle)/[^/]+/(livez|readyz|startupz|prestopz|poststartz)$")]
    private static partial Regex ProbePath();
}
