using System.Net;
using Lateen.ControlPlane.Ads;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Lateen.ControlPlane.Hosting;

/// <summary>A control loop behind its ports: what `lateen controlplane` is, and what a test with real sockets holds.</summary>
public sealed class ProcessHost : IAsyncDisposable
{
    private readonly WriterLoop writer;
    private readonly KestrelDoors doors = new();

    /// <summary>Begins to run <paramref name="loop"/>; ports open with <see cref="OpenAsync"/>.</summary>
    public ProcessHost(ControlLoop loop, TimeProvider time) => writer = new WriterLoop(loop, time);

    /// <summary>The loop's single writer.</summary>
    public WriterLoop Writer => writer;

    /// <summary>Opens every port.</summary>
    /// <returns>Where they are, ports chosen.</returns>
    /// <exception cref="IOException">One cannot be opened; the message names it.</exception>
    public async Task<ControlPlaneAddress> OpenAsync(ControlPlaneOptions options, RequestDelegate http, RequestDelegate monitoring, string token, CancellationToken cancel)
    {
        var ads = new AdsDoor(writer, options.RequestBytesMax);
        var wanted = new List<Door>
        {
            new("--http-addr", Endpoint("--http-addr", options.HttpAddress), HttpProtocols.Http1AndHttp2, http),
            new("--grpc-addr", Endpoint("--grpc-addr", options.GrpcAddress), HttpProtocols.Http2, ads.AnswerAsync),
            new("--monitoring-addr", Endpoint("--monitoring-addr", options.MonitoringAddress), HttpProtocols.Http1AndHttp2, monitoring),
        };
        if (options.GrpcSocket is { } path)
        {
            File.Delete(path); // what a killed predecessor left behind
            wanted.Add(new("--grpc-socket", new System.Net.Sockets.UnixDomainSocketEndPoint(path), HttpProtocols.Http2, ads.AnswerAsync));
        }
        IReadOnlyList<EndPoint> bound = await doors.OpenAsync(wanted, cancel);
        return new ControlPlaneAddress(Reachable(bound[0]), Reachable(bound[1]), Reachable(bound[2]), token, Environment.ProcessId);
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        await doors.DisposeAsync();
        await writer.DisposeAsync();
    }

    private static IPEndPoint Endpoint(string flag, string text) =>
        ListenAddress.Parse(text) ?? throw new IOException($"{flag} {text} is not an address: write [host]:port, as in :8080 or 127.0.0.1:8080");

    private static string Reachable(EndPoint bound) => ListenAddress.ForThisMachine((IPEndPoint)bound);
}
