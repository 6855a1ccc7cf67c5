using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Threading.Channels;
using Envoy.Config.Core.V3;
using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Grpc;
using Lateen.Config.Resources;
using Lateen.Config.Sources.Kubernetes.Watching;
using Lateen.Config.Store;
using Resource = Lateen.Config.Resources.Resource;

namespace Lateen.Config.Sources.Discovery;

/// <summary>Takes Istio's kinds from another control plane's xDS, and follows them. While it is not reached, what it said last
/// stays.</summary>
public sealed class ConfigStreamSource : IAsyncDisposable
{
    private const string Method = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";
    private const int MessageBytesMax = 256 << 20;

    private readonly string _address;
    private readonly ResourceStore _store;
    private readonly TimeProvider _time;
    private readonly Action<string> _say;
    private readonly Backoff _backoff;
    private readonly Func<SslClientAuthenticationOptions>? _security;
    private readonly HttpMessageInvoker _http;
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _synced = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Dictionary<ResourceKind, HashSet<ResourceKey>> _known = [];
    private readonly Task _running;

    /// <summary>Begins to follow.</summary>
    /// <param name="address">host:port of xDS.</param>
    /// <param name="store">Where objects go.</param>
    /// <param name="time">The clock of waits.</param>
    /// <param name="chance">Spreads retries.</param>
    /// <param name="say">Takes a line for the log; called by any thread.</param>
    /// <param name="security">Says before each connection how TLS is spoken on it: files may have changed since the last one. Null for
    /// clear text.</param>
    public ConfigStreamSource(string address, ResourceStore store, TimeProvider time, Random chance, Action<string> say,
        Func<SslClientAuthenticationOptions>? security = null)
    {
        _security = security;
        (_address, _store, _time, _say, _backoff) = (address, store, time, say, Backoff.Default(chance));
        _http = new HttpMessageInvoker(new SocketsHttpHandler
        {
            UseProxy = false,
            KeepAlivePingDelay = TimeSpan.FromSeconds(30),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(10),
            ConnectCallback = ConnectAsync,
        });
        _running = RunAsync(_stop.Token);
    }

    /// <summary>Completes when every kind was told once.</summary>
    public Task Synced => _synced.Task;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _http.Dispose();
        _stop.Dispose();
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext to, CancellationToken cancel)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(to.DnsEndPoint, cancel).ConfigureAwait(false);
            var wire = new NetworkStream(socket, ownsSocket: true);
            if (_security is null) return wire;
            var inside = new SslStream(wire);
            await inside.AuthenticateAsClientAsync(_security(), cancel).ConfigureAwait(false);
            return inside;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private async Task RunAsync(CancellationToken stop)
    {
        while (true)
        {
            try
            {
                await StreamAsync(stop).ConfigureAwait(false);
                _say($"warn\txds\tconfiguration from {_address} ended; what is known stays in force");
            }
            catch (Exception e) when ((e is HttpRequestException or IOException or OperationCanceledException)
                && !stop.IsCancellationRequested)
            {
                _say($"warn\txds\tconfiguration from {_address} is not reached ({e.Message}); what is known stays in force");
            }

            await Task.Delay(_backoff.Next(), _time, stop).ConfigureAwait(false);
        }
    }

    private async Task StreamAsync(CancellationToken stop)
    {
        var requests = Channel.CreateUnbounded<IMessage>();
        using var request = new HttpRequestMessage(HttpMethod.Post, $"http://{_address}{Method}")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new Frames(requests.Reader),
        };
        request.Headers.TE.ParseAdd("trailers");
        foreach (var kind in CarriedResources.Carried)
            requests.Writer.TryWrite(new DiscoveryRequest { Node = Node(), TypeUrl = CarriedResources.TypeOf(kind) });
        using var answer = await _http.SendAsync(request, stop).ConfigureAwait(false);
        var body = await answer.Content.ReadAsStreamAsync(stop).ConfigureAwait(false);
        var frames = new GrpcFrameReader(MessageBytesMax);
        var buffer = new byte[64 << 10];
        for (int read; (read = await body.ReadAsync(buffer, stop).ConfigureAwait(false)) > 0;)
        {
            foreach (var response in Messages(frames, buffer.AsMemory(0, read)))
            {
                Take(response);
                _backoff.Succeeded();
                requests.Writer.TryWrite(new DiscoveryRequest
                {
                    TypeUrl = response.TypeUrl,
                    VersionInfo = response.VersionInfo,
                    ResponseNonce = response.Nonce,
                });
            }
        }

        requests.Writer.TryComplete();
        if (answer.TrailingHeaders.TryGetValues("grpc-message", out var said))
            _say($"warn\txds\t{_address} says: {GrpcMessageText.Decode(said.First())}");
    }

    private static List<DiscoveryResponse> Messages(GrpcFrameReader frames, ReadOnlyMemory<byte> bytes)
    {
        var all = new List<DiscoveryResponse>();
        ReadOnlySpan<byte> input = bytes.Span;
        while (true)
        {
            var result = frames.Read(ref input, out var message);
            if (result == GrpcFrameResult.Message) all.Add(DiscoveryResponse.Parser.ParseFrom(message));
            else if (result == GrpcFrameResult.NeedMore) return all;
            else throw new IOException($"what came is no gRPC ({result})");
        }
    }

    /// <summary>All objects of a kind: what was there before and is not now is gone.</summary>
    private void Take(DiscoveryResponse response)
    {
        if (CarriedResources.KindOf(response.TypeUrl) is not { } kind) return;
        Resource[] put = [.. response.Resources.Select(any => CarriedResources.Read(kind, any)).OfType<Resource>()];
        var keys = put.Select(r => r.Key).ToHashSet();
        var before = _known.GetValueOrDefault(kind) ?? [];
        _store.Apply(new ChangeSet
        {
            Put = put,
            Delete = [.. before.Where(k => !keys.Contains(k))],
            Author = $"xds://{_address}",
            IsObserved = true,
        });
        _known[kind] = keys;
        if (_known.Count == CarriedResources.Carried.Count && _synced.TrySetResult())
            _say($"info\txds\tconfiguration from {_address}: {_known.Values.Sum(k => k.Count)} objects");
    }

    private static Node Node() => new()
    {
        Id = "sidecar~127.0.0.1~config.istio-system~istio-system.svc.cluster.local",
        Metadata = new Struct { Fields =
        {
            ["GENERATOR"] = Value.ForString("api"),
            ["NAMESPACE"] = Value.ForString("istio-system"),
            ["CLUSTER_ID"] = Value.ForString("Kubernetes"),
        } },
    };

    private sealed class Frames : HttpContent
    {
        private readonly ChannelReader<IMessage> _messages;

        public Frames(ChannelReader<IMessage> messages)
        {
            _messages = messages;
            Headers.ContentType = new("application/grpc");
        }

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.FlushAsync().ConfigureAwait(false);
            await foreach (var message in _messages.ReadAllAsync().ConfigureAwait(false))
            {
                await stream.WriteAsync(GrpcFrame.ToArray(message)).ConfigureAwait(false);
                await stream.FlushAsync().ConfigureAwait(false);
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
