// Mcp: configuration served over xDS to other control planes and tools (istiod's `api` generator, "MCP over xDS"). A stream is one whose
// node says GENERATOR api; it asks for types by group/version/kind and gets all objects of each, again whenever one of them changed. It has
// nothing to do with proxies: no scope, no session, no push order. The translation stands in Config/Sources/Discovery.
using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Threading.Channels;
using Envoy.Service.Discovery.V3;
using Lateen.Api.Grpc;
using Lateen.Config.Resources;
using Lateen.Config.Sources.Discovery;
using Lateen.Config.Store;
using Lateen.ControlPlane.Grpc;

namespace Lateen.ControlPlane.Mcp;

/// <summary>Serves configuration to who may have it: control planes by their proven identity, and programs of this machine.</summary>
public sealed class ConfigStreams(ResourceStore store, string rootNamespace, int requestBytesMax)
{
    private static readonly GrpcEnding Stranger =
        new(GrpcStatus.Unauthenticated, "the api generator requires an authenticated control-plane identity");

    private sealed class Asked(ResourceKind? kind)
    {
        public ResourceKind? Kind { get; } = kind;

        public string Nonce { get; set; } = "";
    }

    /// <summary>Whether the first request of a stream asks for configuration.</summary>
    public static bool IsAsked(DiscoveryRequest first) =>
        first.Node?.Metadata?.Fields.TryGetValue("GENERATOR", out Google.Protobuf.WellKnownTypes.Value? generator) == true
            && generator.StringValue == "api";

    /// <summary>Serves one stream until it ends.</summary>
    /// <param name="call">The call, its headers sent.</param>
    /// <param name="first">Its first request.</param>
    /// <param name="identities">What the other side has proved; null on a door that asks nobody.</param>
    /// <param name="ended">The call is over.</param>
    public async Task<GrpcEnding> ServeAsync(GrpcCall call, DiscoveryRequest first, IReadOnlyList<string>? identities,
        CancellationToken ended)
    {
        if (!MayRead(call, identities)) return Stranger;
        Channel<DiscoveryRequest?> inbox = Channel.CreateBounded<DiscoveryRequest?>(64);
        var changed = new ConcurrentDictionary<ResourceKind, bool>();
        void Note(StoreChange change)
        {
            foreach (ResourceKey key in change.Keys) changed[key.Kind] = true;
            inbox.Writer.TryWrite(null);
        }
        store.Changed += Note;
        try
        {
            await inbox.Writer.WriteAsync(first, ended);
            Task reading = ReadAsync(call, inbox.Writer, ended);
            var asked = new Dictionary<string, Asked>();
            await foreach (DiscoveryRequest? request in inbox.Reader.ReadAllAsync(ended))
            {
                if (request is not null) await ReceiveAsync(call, asked, request, ended);
                await PushAsync(call, asked, changed, ended);
            }
            await reading;
            return GrpcEnding.Ok;
        }
        catch (Exception gone) when (gone is OperationCanceledException or IOException)
        {
            return new(GrpcStatus.Unavailable, "the stream was cut");
        }
        finally
        {
            store.Changed -= Note;
        }
    }

    // Names of services are no secret inside of a machine; over a network they are told to the mesh's own namespace alone.
    private bool MayRead(GrpcCall call, IReadOnlyList<string>? identities) => identities is null
        ? call.Peer == "unix" || IPEndPoint.TryParse(call.Peer, out IPEndPoint? peer) && IPAddress.IsLoopback(peer.Address)
        : identities.Any(identity => identity.Contains($"/ns/{rootNamespace}/", StringComparison.Ordinal));

    private async Task ReadAsync(GrpcCall call, ChannelWriter<DiscoveryRequest?> inbox, CancellationToken ended)
    {
        try
        {
            while ((await call.ReadAsync(DiscoveryRequest.Parser, requestBytesMax, ended)).Message is { } request)
                await inbox.WriteAsync(request, ended);
        }
        catch (Exception gone) when (gone is OperationCanceledException or IOException)
        {
            // The other end of the channel ends with it.
        }
        inbox.TryComplete();
    }

    private async Task ReceiveAsync(GrpcCall call, Dictionary<string, Asked> asked, DiscoveryRequest request, CancellationToken ended)
    {
        // Answers to what was sent, good or bad, change nothing: there is nothing else to send.
        if (request.ResponseNonce.Length > 0 && asked.ContainsKey(request.TypeUrl)) return;
        if (asked.Count > 256) return;
        var type = new Asked(CarriedResources.KindOf(request.TypeUrl));
        asked[request.TypeUrl] = type;
        await SendAsync(call, request.TypeUrl, type, ended);
    }

    private async Task PushAsync(GrpcCall call, Dictionary<string, Asked> asked, ConcurrentDictionary<ResourceKind, bool> changed,
        CancellationToken ended)
    {
        // Two versions of one kind may be asked for.
        HashSet<ResourceKind> now = [.. changed.Keys.Where(kind => changed.TryRemove(kind, out _))];
        foreach ((string typeUrl, Asked type) in asked)
        {
            if (type.Kind is { } kind && now.Contains(kind)) await SendAsync(call, typeUrl, type, ended);
        }
    }

    // A type that nobody knows is answered with nothing, so that who waits for all of his types does not wait for ever.
    private async Task SendAsync(GrpcCall call, string typeUrl, Asked type, CancellationToken ended)
    {
        ResourceView view = store.Current;
        string version = view.Generation.ToString(CultureInfo.InvariantCulture);
        type.Nonce = $"{version}/{typeUrl}";
        var response = new DiscoveryResponse { TypeUrl = typeUrl, VersionInfo = version, Nonce = type.Nonce };
        if (type.Kind is { } kind)
            response.Resources.Add(view.Untyped(kind).OrderBy(resource => resource.Namespace, StringComparer.Ordinal)
                .ThenBy(resource => resource.Name, StringComparer.Ordinal).Select(CarriedResources.Of));
        await call.WriteAsync(response, ended);
    }
}
