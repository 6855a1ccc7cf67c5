using Lateen.Proxy.Clusters;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Listeners;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Tls;

/// <summary>Where a context is found that may come late and change (secrets of SDS): whoever made it puts new ones in, any thread reads.</summary>
public sealed class TlsContextSlot(TlsContext? first = null)
{
    private volatile TlsContext? _current = first;

    /// <summary>The context for new connections; null until its secrets have come.</summary>
    public TlsContext? Current
    {
        get => _current;
        set => _current = value;
    }
}

/// <summary>TLS of accepted connections.</summary>
public sealed class DownstreamTls(TlsContextSlot slot) : DownstreamSecurity
{
    /// <summary>Where its context is.</summary>
    public TlsContextSlot Slot => slot;

    /// <inheritdoc/>
    public override Transport Accept(Transport transport, ReadOnlySpan<byte> early, TransportHandler handler)
    {
        if (slot.Current is not { } context)
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
    public override string FailureOf(Transport transport) => transport is TlsTransport tls ? tls.FailureReason : TlsFailures.NoSecret;
}

/// <summary>TLS of connections to upstreams.</summary>
public sealed class UpstreamTls(TlsContextSlot slot) : UpstreamSecurity
{
    /// <summary>Where its context is.</summary>
    public TlsContextSlot Slot => slot;

    /// <inheritdoc/>
    public override Transport Connect(EventLoop loop, in ConnectOptions options, in SecurityWishes wishes, TransportHandler handler)
    {
        // Without its secrets the connect fails, on a later turn as any other: nobody listens under this name.
        if (slot.Current is not { } context)
            return loop.Connect(options with { Remote = Address.Internal("\0no secret") }, new Unready(handler));
        TlsConnectOptions own = wishes == default ? TlsConnectOptions.None : new TlsConnectOptions
        {
            Sni = wishes.ServerName,
            Alpn = wishes.Alpn,
            Sans = wishes.SubjectName is { } name ? [name] : null,
        };
        return TlsTransport.Connect(loop, options, context, own, handler);
    }

    /// <inheritdoc/>
    public override string AgreedProtocol(Transport transport) => (transport as TlsTransport)?.Peer?.Alpn ?? "";

    /// <inheritdoc/>
    public override TlsFacts? FactsOf(Transport transport) => (transport as TlsTransport)?.Peer;

    /// <inheritdoc/>
    public override string FailureOf(Transport transport) => transport is TlsTransport tls ? tls.FailureReason : TlsFailures.NoSecret;

    private sealed class Unready(TransportHandler handler) : TransportHandler
    {
        public override void OnData(Transport transport, ReadOnlySpan<byte> bytes)
        {
        }

        public override void OnClosed(Transport transport, CloseReason reason) => handler.OnClosed(transport, CloseReason.Tls);
    }
}
