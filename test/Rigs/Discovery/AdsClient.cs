using System.Buffers.Binary;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Threading.Channels;
using Envoy.Config.Core.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Lateen.Test.Rigs.Discovery;

/// <summary>How a client proves who it is, and whom it believes.</summary>
/// <param name="Roots">The authorities whose servers it speaks to.</param>
/// <param name="Token">A bearer token, or none.</param>
/// <param name="Shown">A certificate with its key, or none.</param>
internal sealed record ClientProof(X509Certificate2Collection Roots, string? Token = null, X509Certificate2? Shown = null);

/// <summary>A gRPC client of one bidirectional stream, over a real HTTP/2 connection with prior knowledge.</summary>
internal sealed class AdsClient : IAsyncDisposable
{
    public const string StateOfTheWorld = "StreamAggregatedResources", Delta = "DeltaAggregatedResources";
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private const string Service = "envoy.service.discovery.v3.AggregatedDiscoveryService";
    private readonly HttpClient _http;
    private readonly Channel<byte[]> _requests = Channel.CreateUnbounded<byte[]>();
    private readonly HttpResponseMessage _response;
    private readonly Stream _body;

    private AdsClient(HttpClient http, HttpResponseMessage response, Stream body, Channel<byte[]> requests) =>
        (_http, _response, _body, _requests) = (http, response, body, requests);

    public static Node Sidecar(string workload, string inNamespace) => new()
    {
        Id = $"sidecar~127.0.0.1~{workload}.{inNamespace}~{inNamespace}.svc.cluster.local",
        Metadata = new Struct { Fields =
        {
            ["CLUSTER_ID"] = Value.ForString("Kubernetes"),
            ["NAMESPACE"] = Value.ForString(inNamespace),
            ["ISTIO_VERSION"] = Value.ForString("1.30.0"),
        } },
    };

    /// <summary>Over TLS, to istiod by its name in a cluster, wherever it is.</summary>
    public static Task<AdsClient> OpenSecureAsync(string address, string method, ClientProof proof)
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.AddRange(proof.Roots);
        var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            SslOptions = new SslClientAuthenticationOptions { CertificateChainPolicy = policy },
        };
        if (proof.Shown is { } shown) handler.SslOptions.ClientCertificates = [shown];
        handler.ConnectCallback = async (_, cancel) =>
        {
            var connection = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await connection.ConnectAsync(IPEndPoint.Parse(address), cancel);
            return new NetworkStream(connection, ownsSocket: true);
        };
        return OpenAsync(handler, "https://istiod.istio-system.svc", method, proof.Token);
    }

    public static Task<AdsClient> OpenAsync(string authority, string method, string? socket = null, string service = Service)
    {
        var handler = new SocketsHttpHandler { UseProxy = false };
        if (socket is not null)
        {
            handler.ConnectCallback = async (_, cancel) =>
            {
                var connection = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await connection.ConnectAsync(new UnixDomainSocketEndPoint(socket), cancel);
                return new NetworkStream(connection, ownsSocket: true);
            };
        }
        return OpenAsync(handler, $"http://{authority}", method, token: null, service);
    }

    private static async Task<AdsClient> OpenAsync(SocketsHttpHandler handler, string origin, string method, string? token,
        string service = Service)
    {
        var http = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
        var requests = Channel.CreateUnbounded<byte[]>();
        var request = new HttpRequestMessage(HttpMethod.Post, $"{origin}/{service}/{method}")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new Frames(requests.Reader),
        };
        request.Headers.TE.ParseAdd("trailers");
        if (token is not null) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        HttpResponseMessage response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead).WaitAsync(Patience);
        return new AdsClient(http, response, await response.Content.ReadAsStreamAsync(), requests);
    }

    public void Send(IMessage request)
    {
        var frame = new byte[5 + request.CalculateSize()];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), frame.Length - 5);
        request.WriteTo(frame.AsSpan(5));
        SendBytes(frame);
    }

    /// <summary>Sends what may be no frame at all.</summary>
    public void SendBytes(byte[] bytes)
    {
        if (!_requests.Writer.TryWrite(bytes)) throw new InvalidOperationException("nothing is sent behind the end of requests");
    }

    public void Complete() => _requests.Writer.Complete();

    /// <summary>The next message, or null when the server ended the stream.</summary>
    public async Task<T?> ReadAsync<T>(MessageParser<T> parser) where T : class, IMessage<T>
    {
        var prefix = new byte[5];
        if (await _body.ReadAtLeastAsync(prefix, 5, throwOnEndOfStream: false).AsTask().WaitAsync(Patience) == 0) return null;
        var message = new byte[BinaryPrimitives.ReadInt32BigEndian(prefix.AsSpan(1))];
        await _body.ReadExactlyAsync(message).AsTask().WaitAsync(Patience);
        return parser.ParseFrom(message);
    }

    /// <summary>grpc-status and grpc-message of an ended stream.</summary>
    public (string Status, string Message) Ending()
    {
        string Of(string name) =>
            _response.TrailingHeaders.TryGetValues(name, out var values) || _response.Headers.TryGetValues(name, out values)
                ? values.First() : "";
        return (Of("grpc-status"), Of("grpc-message"));
    }

    public ValueTask DisposeAsync()
    {
        _requests.Writer.TryComplete();
        _response.Dispose();
        _http.Dispose();
        return ValueTask.CompletedTask;
    }

    private sealed class Frames : HttpContent
    {
        private readonly ChannelReader<byte[]> _messages;

        public Frames(ChannelReader<byte[]> messages)
        {
            _messages = messages;
            Headers.ContentType = new("application/grpc");
        }

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.FlushAsync();
            await foreach (byte[] frame in _messages.ReadAllAsync())
            {
                await stream.WriteAsync(frame);
                await stream.FlushAsync();
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
