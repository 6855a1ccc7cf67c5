using System.Threading.Channels;
using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Lateen.Api.Grpc;
using Lateen.Api.Texts;
using Lateen.ControlPlane.Grpc;
using Lateen.ControlPlane.Hosting;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Push;

namespace Lateen.ControlPlane.Ads;

/// <summary>The aggregated discovery service: both of its methods, state of the world and delta.</summary>
/// <param name="writer">The loop that knows what each stream is to have.</param>
/// <param name="requestBytesMax">Longest request.</param>
/// <param name="configs">Serves those who ask for configuration; null where nobody does.</param>
/// <param name="features">Settings from the environment; all defaults when null.</param>
/// <param name="time">Tells who reads too slowly for others to wait for; the system's when null.</param>
public sealed class AdsDoor(WriterLoop writer, int requestBytesMax, Mcp.ConfigStreams? configs = null, Features? features = null,
    TimeProvider? time = null)
{
    /// <summary>How the requests of a method are read.</summary>
    private sealed record RequestForm(string Type, Func<BorrowedMessage, ArrivedRequest> Read);

    // The loop has counted and told what it was; the client is told to come again.
    private static readonly GrpcEnding GoElsewhere = new(GrpcStatus.Unavailable, "connect again: another replica may be nearer");
    private static readonly GrpcEnding OurFault = new(GrpcStatus.Internal, "internal error");
    private static readonly SemaphoreSlim Reading = new(Math.Max(2, Environment.ProcessorCount));
    private readonly TextPool _names = new();
    private readonly PushThrottle _throttle = new(PushThrottle.MostOf(features ?? Features.Default), time ?? TimeProvider.System);

    // What says no more than that something was accepted, or asks for a few names.
    private const int ShortBytes = 4096;
    private const string Service = "/envoy.service.discovery.v3.AggregatedDiscoveryService/";

    /// <summary>Serves one gRPC call of somebody who was not asked who he is.</summary>
    public Task AnswerAsync(GrpcCall call) => AnswerAsync(call, identities: null);

    /// <summary>Serves one gRPC call.</summary>
    /// <param name="call">The call.</param>
    /// <param name="identities">Names that the caller has proved; null where nothing was asked of it.</param>
    public Task AnswerAsync(GrpcCall call, IReadOnlyList<string>? identities) => call.Path switch
    {
        Service + "StreamAggregatedResources" => ServeAsync(call, identities, new(nameof(DiscoveryRequest), ArrivedRequest.Whole)),
        Service + "DeltaAggregatedResources" =>
            ServeAsync(call, identities, new(nameof(DeltaDiscoveryRequest), message => ArrivedRequest.Delta(message, _names))),
        var path => Refuse(call, Unknown(path)),
    };

    private static Task Refuse(GrpcCall call, GrpcEnding ending)
    {
        call.End(ending);
        return Task.CompletedTask;
    }

    private async Task ServeAsync(GrpcCall call, IReadOnlyList<string>? identities, RequestForm form)
    {
        // Headers go out before the first read: a client that waits for them before it sends would wait for ever.
        call.Start();
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(call.Aborted);
        var wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
        // Not to be given up half-way: a stream that is connected and that nobody disconnects would stay for ever.
        AdsStream stream = await writer.AskAsync(
            (loop, now) => loop.Streams.Connect(call.Peer, () => wake.Writer.TryWrite(true), now, identities), CancellationToken.None);
        try
        {
            Task<GrpcEnding?> sending = SendAsync(call, stream, wake.Reader, ended);
            GrpcEnding received = await ReceiveAsync(call, stream, identities, form, ended.Token);
            await ended.CancelAsync();
            call.End(await sending ?? received);
        }
        finally
        {
            await writer.PostAsync((loop, now) => loop.Streams.Disconnect(stream, now), CancellationToken.None);
        }
    }

    private async Task<GrpcEnding> ReceiveAsync(GrpcCall call, AdsStream stream, IReadOnlyList<string>? identities, RequestForm form,
        CancellationToken ended)
    {
        try
        {
            while (true)
            {
                // A thousand proxies that come back at once tell all that they hold: as bytes they may wait, as messages few at a time.
                bool isLong = await call.ArrivedAsync(ended) > ShortBytes;
                if (isLong) await Reading.WaitAsync(ended);
                ArrivedRequest request;
                try
                {
                    GrpcRead<ArrivedRequest> read = await call.ReadAsync(form.Read, form.Type, requestBytesMax, ended);
                    if (read.Message is null) return read.Ended ? GrpcEnding.Ok : read.Refusal;
                    request = read.Message;
                    if (!IsForConfigs(stream, request.Message))
                    {
                        if (await writer.AskAsync((loop, now) => Receive(loop, stream, request, now), ended) is { } refused) return refused;
                        continue;
                    }
                }
                finally
                {
                    if (isLong) Reading.Release();
                }
                return await configs!.ServeAsync(call, (DiscoveryRequest)request.Message, identities, ended);
            }
        }
        catch (Exception gone) when (gone is OperationCanceledException or IOException)
        {
            return new(GrpcStatus.Unavailable, "the stream was cut");
        }
        catch (Exception)
        {
            return OurFault;
        }
    }

    private static GrpcEnding? Receive(ControlLoop loop, AdsStream stream, ArrivedRequest request, DateTimeOffset now)
    {
        using (request) return loop.Streams.Receive(stream, request.Message, request.Held, request.Size, now) is { } text
            ? new GrpcEnding(stream.Session.RejectionStatus, text) : null;
    }

    private bool IsForConfigs(AdsStream stream, IMessage request) =>
        configs is not null && stream.Session.Node is null && request is DiscoveryRequest first && Mcp.ConfigStreams.IsAsked(first);

    private async Task<GrpcEnding?> SendAsync(GrpcCall call, AdsStream stream, ChannelReader<bool> wake, CancellationTokenSource ended)
    {
        PushThrottle.Place place = _throttle.NewPlace();
        try
        {
            while (await wake.WaitToReadAsync(ended.Token))
            {
                wake.TryRead(out _);
                if (stream.IsOver) return GoElsewhere;
                if (!await SendAllAsync(call, stream, place, ended.Token)) return null;
            }
            return null;
        }
        catch (Exception gone) when (gone is OperationCanceledException or IOException)
        {
            return null; // The peer left; the reading side sees it too and ends the call.
        }
        catch (Exception)
        {
            return OurFault;
        }
        finally
        {
            await ended.CancelAsync();
        }
    }

    // False when the call is over. A response is made when its turn has come, of what holds then.
    private async ValueTask<bool> SendAllAsync(GrpcCall call, AdsStream stream, PushThrottle.Place place, CancellationToken ended)
    {
        for (bool isMore = true; isMore;)
        {
            await place.EnterAsync(ended);
            try
            {
                (AdsResponse? next, isMore) =
                    await writer.AskAsync((loop, now) => (loop.Streams.Next(stream, now), stream.HasMore), ended);
                if (next is null) return true;
                if (!await call.WriteAsync(next, ended)) return false;
            }
            finally
            {
                place.Leave();
            }
        }
        return true;
    }

    private static GrpcEnding Unknown(string path)
    {
        int slash = path.LastIndexOf('/');
        string service = slash > 0 ? path[1..slash] : path.Trim('/');
        return new(GrpcStatus.Unimplemented, path.StartsWith(Service, StringComparison.Ordinal)
            ? $"unknown method {path[(slash + 1)..]} for service {service}"
            : $"unknown service {service}");
    }
}
