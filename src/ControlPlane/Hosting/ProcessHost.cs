using System.Net;
using Lateen.ControlPlane.Grpc;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Lateen.ControlPlane.Hosting;

/// <summary>Who answers at which port.</summary>
/// <param name="Http">Readiness, debug pages, the operator's API.</param>
/// <param name="Grpc">xDS in clear text.</param>
/// <param name="SecureGrpc">xDS and certificates over TLS.</param>
/// <param name="Monitoring">Metrics and version.</param>
/// <param name="Webhooks">What an API server calls; null where there is none.</param>
public sealed record DoorAnswers(RequestDelegate Http, Func<GrpcCall, Task> Grpc, Func<GrpcCall, Task> SecureGrpc,
    RequestDelegate Monitoring, Webhooks? Webhooks = null);

/// <summary>The door of an API server.</summary>
/// <param name="Answer">Serves one request.</param>
/// <param name="Security">Shakes hands with it.</param>
public sealed record Webhooks(RequestDelegate Answer, SecureConnections Security);

/// <summary>A control loop behind its ports: what `lateen controlplane` is, and what a test with real sockets holds.</summary>
public sealed class ProcessHost : IAsyncDisposable
{
    private readonly WriterLoop _writer;
    private readonly KestrelDoors _doors = new();

    /// <summary>Begins to run <paramref name="loop"/>; ports open with <see cref="OpenAsync"/>.</summary>
    public ProcessHost(ControlLoop loop, TimeProvider time) => _writer = new WriterLoop(loop, time);

    /// <summary>The loop's single writer.</summary>
    public WriterLoop Writer => _writer;

    /// <summary>Opens every port.</summary>
    /// <returns>Where they are, ports chosen.</returns>
    /// <exception cref="IOException">One cannot be opened; the message names it.</exception>
    public async Task<ControlPlaneAddress> OpenAsync(ControlPlaneOptions options, DoorAnswers answers, SecureConnections security,
        string token, CancellationToken cancel)
    {
        var wanted = new List<Door>
        {
            new("--http-addr", Endpoint("--http-addr", options.HttpAddress), HttpProtocols.Http1AndHttp2, answers.Http),
            Door.OfCalls("--grpc-addr", Endpoint("--grpc-addr", options.GrpcAddress), answers.Grpc),
            Door.OfCalls("--secure-grpc-addr", Endpoint("--secure-grpc-addr", options.SecureGrpcAddress), answers.SecureGrpc, security),
            new("--monitoring-addr", Endpoint("--monitoring-addr", options.MonitoringAddress), HttpProtocols.Http1AndHttp2,
                answers.Monitoring),
        };
        if (answers.Webhooks is { } webhooks)
            wanted.Add(new("--https-addr", Endpoint("--https-addr", options.HttpsAddress), HttpProtocols.Http1, webhooks.Answer,
                webhooks.Security));
        if (options.GrpcSocket is { } path) wanted.Add(Door.OfCalls("--grpc-socket", Fresh(path), answers.Grpc));
        if (options.SecureGrpcSocket is { } secure)
            wanted.Add(Door.OfCalls("--secure-grpc-socket", Fresh(secure), answers.SecureGrpc, security));
        IReadOnlyList<EndPoint> bound = await _doors.OpenAsync(wanted, cancel);
        return new ControlPlaneAddress(Reachable(bound[0]), Reachable(bound[1]), Reachable(bound[2]), Reachable(bound[3]), token,
            Environment.ProcessId) { Https = answers.Webhooks is null ? null : Reachable(bound[4]) };
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        await _doors.DisposeAsync();
        await _writer.DisposeAsync();
    }

    private static System.Net.Sockets.UnixDomainSocketEndPoint Fresh(string path)
    {
        File.Delete(path); // what a killed predecessor left behind
        return new(path);
    }

    private static IPEndPoint Endpoint(string flag, string text) =>
        ListenAddress.Parse(text)
            ?? throw new IOException($"{flag} {text} is not an address: write [host]:port, as in :8080 or 127.0.0.1:8080");

    private static string Reachable(EndPoint bound) => ListenAddress.ForThisMachine((IPEndPoint)bound);
}
