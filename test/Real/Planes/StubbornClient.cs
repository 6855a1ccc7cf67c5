using Envoy.Service.Discovery.V3;
using Google.Rpc;
using Lateen.Test.Rigs.Discovery;

namespace Lateen.Test.Real.Planes;

/// <summary>What a client does with what it is told.</summary>
internal enum Manner
{
    /// <summary>Takes all.</summary>
    Takes,

    /// <summary>Says no to all.</summary>
    Refuses,

    /// <summary>Asks, and reads nothing.</summary>
    Stalls,

    /// <summary>Takes one response, leaves and comes again.</summary>
    Flaps,
}

/// <summary>A sidecar that asks for clusters and listeners, and behaves in one manner until it is ended.</summary>
internal sealed class StubbornClient : IAsyncDisposable
{
    /// <summary>What a refusal says.</summary>
    public const string Reason = "Didn't find a registered implementation for 'none.such'";

    private const string Cluster = "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        Listener = "type.googleapis.com/envoy.config.listener.v3.Listener";
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;
    private int _comings;

    public StubbornClient(string grpc, string name, Manner manner) => _running = RunAsync(grpc, name, manner);

    /// <summary>How often it connected.</summary>
    public int Comings => Volatile.Read(ref _comings);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }

    private async Task RunAsync(string grpc, string name, Manner manner)
    {
        do
        {
            await using AdsClient client = await AdsClient.OpenAsync(grpc, AdsClient.Delta);
            client.Send(new DeltaDiscoveryRequest { Node = AdsClient.Sidecar(name, "default"), TypeUrl = Cluster });
            client.Send(new DeltaDiscoveryRequest { TypeUrl = Listener });
            Interlocked.Increment(ref _comings);
            await (manner switch
            {
                Manner.Stalls => UntilStoppedAsync(),
                Manner.Flaps => client.ReadAsync(DeltaDiscoveryResponse.Parser),
                _ => AnswerAsync(client, manner == Manner.Refuses),
            });
        }
        while (manner == Manner.Flaps && !_stop.IsCancellationRequested);
    }

    private async Task AnswerAsync(AdsClient client, bool refuses)
    {
        while (!_stop.IsCancellationRequested)
        {
            Task<DeltaDiscoveryResponse?> reading = client.ReadAsync(DeltaDiscoveryResponse.Parser);
            if (await Task.WhenAny(reading, UntilStoppedAsync()) != reading || await reading is not { } response) return;
            var answer = new DeltaDiscoveryRequest { TypeUrl = response.TypeUrl, ResponseNonce = response.Nonce };
            if (refuses) answer.ErrorDetail = new Status { Code = 13, Message = Reason };
            client.Send(answer);
        }
    }

    private Task UntilStoppedAsync()
    {
        var stopped = new TaskCompletionSource();
        _stop.Token.Register(stopped.SetResult);
        return stopped.Task;
    }
}
