using System.Net;
using Lateen.ControlPlane.Grpc;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Lateen.ControlPlane.Hosting;

/// <summary>One listening address and who answers there.</summary>
/// <param name="Flag">The option that set the address, for messages.</param>
/// <param name="Address">Where: an <see cref="IPEndPoint"/> or a unix socket.</param>
/// <param name="Protocols">What is spoken there.</param>
/// <param name="Answer">Serves one request; null where <see cref="Calls"/> does.</param>
/// <param name="Security">Shakes hands with whoever connects; null for clear text.</param>
public sealed record Door(string Flag, EndPoint Address, HttpProtocols Protocols, RequestDelegate? Answer,
    SecureConnections? Security = null)
{
    /// <summary>Serves calls instead, where only gRPC is spoken.</summary>
    public Func<GrpcCall, Task>? Calls { get; init; }

    /// <summary>A door where only gRPC is spoken.</summary>
    public static Door OfCalls(string flag, EndPoint address, Func<GrpcCall, Task> answer, SecureConnections? security = null) =>
        new(flag, address, HttpProtocols.Http2, null, security) { Calls = answer };
}

/// <summary>Kestrel without a web host round it: listening addresses, each with one function that serves its requests.</summary>
public sealed class KestrelDoors : IHttpApplication<HttpContext>, IAsyncDisposable
{
    // A frame must fit, head and payload.
    private const int ReadAheadBytes = 17 << 10;
    private readonly List<KestrelServer> _servers = [];

    /// <summary>Binds every door, in order.</summary>
    /// <returns>The addresses as bound (a port 0 has become a number).</returns>
    /// <exception cref="IOException">One of them cannot be bound; the message names it.</exception>
    public async Task<IReadOnlyList<EndPoint>> OpenAsync(IEnumerable<Door> doors, CancellationToken cancel)
    {
        var bound = new List<EndPoint>();
        foreach (Door door in doors) bound.Add(await OpenAsync(door, cancel));
        return bound;
    }

    /// <inheritdoc />
    public HttpContext CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

    /// <inheritdoc />
    public Task ProcessRequestAsync(HttpContext context) => context.Features.GetRequiredFeature<Door>().Answer!(context);

    /// <inheritdoc />
    public void DisposeContext(HttpContext context, Exception? exception)
    {
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromMilliseconds(500));
        foreach (KestrelServer server in _servers)
        {
            await server.StopAsync(patience.Token);
            server.Dispose();
        }
    }

    private async Task<EndPoint> OpenAsync(Door door, CancellationToken cancel)
    {
        // TLS ends below Kestrel, which therefore expects the scheme of clear text; callers rightly say https.
        var options = new KestrelServerOptions { AddServerHeader = false, AllowAlternateSchemes = door.Security is not null };
        Limit(options.Limits);
        ListenOptions? listening = null;
        options.Listen(door.Address, listen =>
        {
            listen.Protocols = door.Protocols;
            listen.Use(next => connection =>
            {
                connection.Features.Set(door);
                ConnectionDelegate serve = door.Calls is { } calls
                    ? inside => Http2Connection.ServeAsync(inside, calls, TimeProvider.System) : next;
                return door.Security is { } security ? security.ServeAsync(connection, serve) : serve(connection);
            });
            listening = listen;
        });
        var transport = new SocketTransportFactory(Options.Create(TransportOf(door)), NullLoggerFactory.Instance);
        var server = new KestrelServer(Options.Create(options), transport, NullLoggerFactory.Instance);
        try
        {
            await server.StartAsync(this, cancel);
        }
        catch (IOException refused)
        {
            server.Dispose();
            throw new IOException($"cannot listen on {door.Address}: {Reason(refused)}; choose another address with {door.Flag}", refused);
        }
        _servers.Add(server);
        return listening!.EndPoint;
    }

    // What is asked is short and answered where it was read: to hand it to another thread, and its answer to a third, would cost more.
    // Nothing here may block a thread. Calls are read from as there is room for what they say; what is read ahead of that would lie in
    // memory for each connection.
    private static SocketTransportOptions TransportOf(Door door)
    {
        var options = new SocketTransportOptions { UnsafePreferInlineScheduling = true };
        if (door.Calls is not null) options.MaxReadBufferSize = ReadAheadBytes;
        return options;
    }

    // An xDS stream is idle for hours: Kestrel's minimum data rates would reset it, and a size limit of the whole request would end it.
    private static void Limit(KestrelServerLimits limits)
    {
        limits.MinRequestBodyDataRate = null;
        limits.MinResponseDataRate = null;
        limits.MaxRequestBodySize = null;
        limits.Http2.MaxStreamsPerConnection = 100_000;
        limits.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(30);
        limits.Http2.KeepAlivePingTimeout = TimeSpan.FromSeconds(10);
    }

    private static string Reason(IOException refused) =>
        refused.InnerException is AddressInUseException ? "another process listens there" : refused.Message;
}
