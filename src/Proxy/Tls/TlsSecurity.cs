using Lateen.Proxy.Clusters;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Listeners;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Tls;

/// <summary>A context that may be renewed while it serves (certificates rotate): new connections take the newest, open ones keep theirs.
/// Published by the main loop, read by workers.</summary>
public sealed class TlsSource
{
    private volatile TlsContext? _current;

    /// <summary>The newest context; null while its secrets have not come.</summary>
    public TlsContext? Current
    {
        get => _current;
        set => _current = value;
    }

    /// <summary>Why there is no context; empty where there is one or it is still awaited.</summary>
    public string Failure { get; set; } = "";
}

/// <summary>TLS towards upstreams.</summary>
public sealed class TlsUpstream(TlsSource source) : UpstreamSecurity
{
    /// <summary>The server name is the endpoint's own name, where it has one and the request gives none.</summary>
    public bool AutoHostSni { get; init; }

    /// <summary>The server's certificate must be for the server name that is sent.</summary>
    public bool AutoSanFromSni { get; init; }

    /// <summary>Where its context comes from.</summary>
    public TlsSource Source => source;

    /// <inheritdoc/>
    public override Transport Connect(EventLoop loop, in ConnectOptions options, in SecurityWishes wishes, TransportHandler handler)
    {
        if (source.Current is not { } context)
        {
            // Without its secret nothing can be sent safely: the connection fails on a later turn, as any other does. Nobody listens under
            // this name.
            return loop.Connect(options with { Remote = Address.Internal("\0no secret") }, new Absent(handler));
        }
        string? sni = wishes.ServerName ?? (AutoHostSni && wishes.HostName is { Length: > 0 } host ? host : null);
        string? subject = wishes.SubjectName ?? (AutoSanFromSni ? sni ?? context.Options.Sni : null);
        var tls = new TlsConnectOptions
        {
            Sni = sni,
            Alpn = wishes.Alpn ?? (context.Options.Alpn.Count == 0 ? wishes.OtherwiseAlpn : null),
            Sans = subject is { Length: > 0 } ? [subject] : null,
            SansAreConfigured = wishes.SubjectName is null,
            HandshakeMicros = options.TimeoutMicros,
        };
        return TlsTransport.Connect(loop, options, context, tls, handler);
    }

    /// <inheritdoc/>
    public override string Words
    {
        get
        {
            if (source.Current is not { Options: var options })
                return "TLS whose secrets have not come";
            string peer = options.Validation switch
            {
                null => "the peer is not verified",
                { Sans.Count: > 0 } asked => $"the peer must be {string.Join(" or ", asked.Sans.Select(san => san.Match.ToString()))}",
                _ => "the peer may be anyone whom the roots vouch for",
            };
            return $"{(options.Certificates.Count > 0 ? "mutual TLS" : "TLS")}, {peer}";
        }
    }

    /// <inheritdoc/>
    public override string AgreedProtocol(Transport transport) => (transport as TlsTransport)?.Peer?.Alpn ?? "";

    /// <inheritdoc/>
    public override TlsFacts? FactsOf(Transport transport) => (transport as TlsTransport)?.Peer;

    /// <inheritdoc/>
    public override string FailureOf(Transport transport) => transport is TlsTransport tls ? tls.FailureReason : TlsFailures.NoSecret;

    private sealed class Absent(TransportHandler handler) : TransportHandler
    {
        public override void OnData(Transport transport, ReadOnlySpan<byte> bytes)
        {
        }

        public override void OnClosed(Transport transport, CloseReason reason) => handler.OnClosed(transport, CloseReason.Tls);
    }
}

/// <summary>TLS of accepted connections.</summary>
public sealed class TlsDownstream(TlsSource source, bool requireSni) : DownstreamSecurity
{
    /// <summary>Where its context comes from.</summary>
    public TlsSource Source => source;

    /// <summary>Connections without SNI are refused.</summary>
    public bool RequireSni => requireSni;

    /// <inheritdoc/>
    public override bool Permits(Transport transport) => !requireSni || transport is TlsTransport { Peer.ServerName.Length: > 0 };

    /// <inheritdoc/>
    public override Transport Accept(Transport transport, ReadOnlySpan<byte> early, TransportHandler handler)
    {
        if (source.Current is not { } context)
        {
            transport.Handler = handler;
            transport.Close(abort: true);
            return transport;
        }
        TlsTransport tls = TlsTransport.Accept(transport, context);
        tls.Handler = handler;
        if (!early.IsEmpty)
            transport.Handler.OnData(transport, early);
        return tls;
    }

    /// <inheritdoc/>
    public override string AgreedProtocol(Transport transport) => (transport as TlsTransport)?.Peer?.Alpn ?? "";

    /// <inheritdoc/>
    public override TlsFacts? FactsOf(Transport transport) => (transport as TlsTransport)?.Peer;

    /// <inheritdoc/>
    public override string FailureOf(Transport transport) => (transport as TlsTransport)?.FailureReason ?? TlsFailures.NoSecret;
}
