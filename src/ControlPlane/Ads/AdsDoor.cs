using System.Net;
using System.Threading.Channels;
using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Lateen.Api.Grpc;
using Lateen.ControlPlane.Hosting;
using Microsoft.AspNetCore.Http;

namespace Lateen.ControlPlane.Ads;

/// <summary>The aggregated discovery service: both of its methods, state of the world and delta.</summary>
public sealed class AdsDoor(WriterLoop writer, int requestBytesMax)
{
    // The loop has counted and told what it was; the client is told to come again.
    private static readonly GrpcEnding OurFault = new(GrpcStatus.Internal, "internal error");
    private const string Service = "/envoy.service.discovery.v3.AggregatedDiscoveryService/";

    /// <summary>Serves one gRPC call.</summary>
    public Task AnswerAsync(HttpContext context) => context.Request.Path.Value switch
    {
        _ when !IsGrpc(context.Request) => NotGrpcAsync(context),
        Service + "StreamAggregatedResources" => ServeAsync(context, DiscoveryRequest.Parser),
        Service + "DeltaAggregatedResources" => ServeAsync(context, DeltaDiscoveryRequest.Parser),
        var path => RefuseAsync(context, Unknown(path ?? "")),
    };

    private async Task ServeAsync<TRequest>(HttpContext context, MessageParser<TRequest> parser) where TRequest : class, IMessage<TRequest>
    {
        // Headers go out before the first read: a client that waits for them before it sends would wait for ever. StartAsync alone keeps them back.
        context.Response.ContentType = "application/grpc";
        await context.Response.BodyWriter.FlushAsync(context.RequestAborted);

        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        var wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
        AdsStream stream = await writer.AskAsync((loop, now) => loop.Streams.Connect(Peer(context), () => wake.Writer.TryWrite(true), now), ended.Token);
        try
        {
            Task<GrpcEnding?> sending = SendAsync(context, stream, wake.Reader, ended);
            GrpcEnding received = await ReceiveAsync(context, stream, parser, ended.Token);
            await ended.CancelAsync();
            GrpcEnding ending = await sending ?? received;
            if (!context.RequestAborted.IsCancellationRequested) ending.WriteTo(context.Response);
        }
        finally
        {
            await writer.PostAsync((loop, _) => loop.Streams.Disconnect(stream), CancellationToken.None);
        }
    }

    private async Task<GrpcEnding> ReceiveAsync<TRequest>(HttpContext context, AdsStream stream, MessageParser<TRequest> parser, CancellationToken ended)
        where TRequest : class, IMessage<TRequest>
    {
        try
        {
            while (true)
            {
                GrpcRead<TRequest> frame = await GrpcFrames.ReadAsync(context.Request.BodyReader, parser, requestBytesMax, ended);
                if (frame.Message is null) return frame.Ended ? GrpcEnding.Ok : frame.Refusal;
                string? rejection = await writer.AskAsync((loop, now) => loop.Streams.Receive(stream, frame.Message, now), ended);
                if (rejection is not null) return new(GrpcStatus.InvalidArgument, rejection);
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

    private async Task<GrpcEnding?> SendAsync(HttpContext context, AdsStream stream, ChannelReader<bool> wake, CancellationTokenSource ended)
    {
        try
        {
            while (await wake.WaitToReadAsync(ended.Token))
            {
                wake.TryRead(out _);
                while (await writer.AskAsync((loop, now) => loop.Streams.Next(stream, now), ended.Token) is { } response)
                {
                    if (!await GrpcFrames.WriteAsync(context.Response.BodyWriter, response, ended.Token)) return null;
                }
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

    private static bool IsGrpc(HttpRequest request) => request.ContentType?.StartsWith("application/grpc", StringComparison.Ordinal) == true;

    private static string Peer(HttpContext context) =>
        context.Connection.RemoteIpAddress is { } address ? new IPEndPoint(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address, context.Connection.RemotePort).ToString() : "unix";

    private static GrpcEnding Unknown(string path)
    {
        int slash = path.LastIndexOf('/');
        string service = slash > 0 ? path[1..slash] : path.Trim('/');
        return new(GrpcStatus.Unimplemented, path.StartsWith(Service, StringComparison.Ordinal)
            ? $"unknown method {path[(slash + 1)..]} for service {service}"
            : $"unknown service {service}");
    }

    private static Task NotGrpcAsync(HttpContext context)
    {
        context.Response.StatusCode = StatusCodes.Status415UnsupportedMediaType;
        return context.Response.WriteAsync("This port speaks gRPC.\n");
    }

    private static Task RefuseAsync(HttpContext context, GrpcEnding status)
    {
        context.Response.ContentType = "application/grpc";
        status.WriteTo(context.Response);
        return context.Response.CompleteAsync();
    }
}
