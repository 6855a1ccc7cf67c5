using System.Text.Json;
using Envoy.Config.Core.V3;
using Envoy.Service.Discovery.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Pilot.Generation;
using Lateen.Test.Conformance.Runners.Names;
using Lateen.Test.Rigs.Discovery;

namespace Lateen.Test.Conformance.Runners.Live;

/// <summary>A proxy as it was recorded: it asks for what it asked for, and takes whatever it is sent.</summary>
internal sealed class LiveProxy : IDisposable
{
    private static readonly string[] Order = [TypeUrls.Cluster, TypeUrls.Endpoint, TypeUrls.Listener, TypeUrls.Route];
    private readonly AdsClient _client;
    private readonly HashSet<string> _answered = [];
    private readonly Task _running;

    private LiveProxy(AdsClient client) => (_client, _running) = (client, TakeAsync(client));

    /// <summary>Every type was answered.</summary>
    public bool HasAll
    {
        get
        {
            lock (_answered) return _answered.Count == Order.Length;
        }
    }

    /// <summary>Connects one from its row of <c>/debug/adsz</c>.</summary>
    public static LiveProxy Open(LiveStand stand, JsonElement recorded)
    {
        AdsClient client = AdsClient.OpenAsync(stand.At.Grpc, AdsClient.Delta).GetAwaiter().GetResult();
        JsonElement watches = recorded.GetProperty("watches");
        foreach (string typeUrl in Order)
        {
            var asked = new DeltaDiscoveryRequest { Node = typeUrl == Order[0] ? NodeOf(recorded) : null, TypeUrl = typeUrl };
            if (typeUrl is TypeUrls.Endpoint or TypeUrls.Route && watches.TryGetProperty(typeUrl, out JsonElement names))
                asked.ResourceNamesSubscribe.Add(names.EnumerateArray().Select(name => name.GetString()!));
            client.Send(asked);
        }
        return new LiveProxy(client);
    }

    public void Dispose()
    {
        _client.DisposeAsync().AsTask().GetAwaiter().GetResult();
        ((IAsyncResult)_running).AsyncWaitHandle.WaitOne(TimeSpan.FromSeconds(5));
    }

    private async Task TakeAsync(AdsClient client)
    {
        try
        {
            while (await client.ReadAsync(DeltaDiscoveryResponse.Parser) is { } response)
            {
                client.Send(new DeltaDiscoveryRequest { TypeUrl = response.TypeUrl, ResponseNonce = response.Nonce });
                lock (_answered) _answered.Add(response.TypeUrl);
            }
        }
        catch (Exception over) when (over is IOException or HttpRequestException or TimeoutException or InvalidOperationException
            or OperationCanceledException)
        {
            // Disposed of, or nothing came for long.
        }
    }

    private static Node NodeOf(JsonElement recorded)
    {
        string id = recorded.Text("connectionId"), workload = id[..id.LastIndexOf('-')];
        JsonElement metadata = recorded.GetProperty("metadata");
        return new Node
        {
            Id =
                $"{(workload.Contains("gateway", StringComparison.Ordinal) ? "router" : "sidecar")}~{metadata.Text("INSTANCE_IPS")}~{workload}~{metadata.Text("NAMESPACE")}.svc.cluster.local",
            Metadata = Struct.Parser.ParseJson(metadata.GetRawText()),
        };
    }
}
