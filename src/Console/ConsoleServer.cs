// Console: the operator's window. Pages are rendered here, on request, out of what the control plane's API says; the browser gets HTML, one
// style sheet and a few lines of script that fetch the live parts again each second. It knows no more than the command line does and keeps
// no state.
//
// It listens on loopback by default and asks for no login there, like the command line on the same machine. What changes something is a
// form with a secret that only a page of this console has, so that no other web page can press the button.
using System.Net;
using System.Security.Cryptography;
using Lateen.Console.Pages;
using Lateen.Console.Remote;
using Lateen.Console.Traffic;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Lateen.Console;

/// <summary>A running console.</summary>
public sealed class ConsoleServer : IHttpApplication<HttpContext>, IAsyncDisposable
{
    private readonly MeshApi _mesh;
    private readonly TrafficReadings _traffic;
    private readonly PageDirectory _pages;
    private readonly KestrelServer _server;

    private ConsoleServer(MeshApi mesh, IPEndPoint listen, TimeProvider time)
    {
        _mesh = mesh;
        _traffic = new TrafficReadings(mesh, time);
        string secret = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        _pages = new PageDirectory(mesh, _traffic, secret, time);
        var options = new KestrelServerOptions { AddServerHeader = false };
        options.Limits.MaxRequestBodySize = 1 << 20;
        options.Listen(listen, door => Address = door);
        _server = new KestrelServer(Options.Create(options),
            new SocketTransportFactory(Options.Create(new SocketTransportOptions()), NullLoggerFactory.Instance),
            NullLoggerFactory.Instance);
    }

    /// <summary>Where it listens, once it does.</summary>
    public Uri Url => new($"http://{Address!.IPEndPoint}/");

    private ListenOptions? Address { get; set; }

    /// <summary>Starts a console.</summary>
    /// <param name="controlPlane">host:port of the operator's API.</param>
    /// <param name="token">Its token.</param>
    /// <param name="listen">Where to listen; port 0 takes a free one.</param>
    /// <param name="time">Clock for ages and rates.</param>
    /// <param name="cancel">Ends the start.</param>
    /// <exception cref="IOException">The address cannot be listened on.</exception>
    public static async Task<ConsoleServer> StartAsync(string controlPlane, string token, IPEndPoint listen, TimeProvider time,
        CancellationToken cancel)
    {
        var console = new ConsoleServer(new MeshApi(controlPlane, token), listen, time);
        try
        {
            await console._server.StartAsync(console, cancel);
            return console;
        }
        catch
        {
            await console.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc />
    public HttpContext CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

    /// <inheritdoc />
    public async Task ProcessRequestAsync(HttpContext context)
    {
        // A name that is not this machine's own would be a page elsewhere that points its name here (DNS rebinding).
        if (!IPAddress.TryParse(context.Request.Host.Host.Trim('[', ']'), out _) && context.Request.Host.Host != "localhost")
        {
            context.Response.StatusCode = StatusCodes.Status421MisdirectedRequest;
            return;
        }
        context.Response.Headers.ContentSecurityPolicy =
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; form-action 'self'; "
            + "frame-ancestors 'none'; img-src data:";
        context.Response.Headers.CacheControl = "no-store";
        await _pages.AnswerAsync(context);
    }

    /// <inheritdoc />
    public void DisposeContext(HttpContext context, Exception? exception)
    {
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));
        await _server.StopAsync(patience.Token);
        _server.Dispose();
        _traffic.Dispose();
        _mesh.Dispose();
    }
}
