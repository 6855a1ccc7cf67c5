using System.Text;
using Lateen.Proxy.Http;
using Lateen.Proxy.Http.One;
using Lateen.Proxy.Http.Two;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Lateen.Test.Unit.Proxy.Net;

namespace Lateen.Test.Unit.Proxy.Http;

/// <summary>Two ends of an in-memory connection: a codec on one, raw bytes (or the other codec) on the other.</summary>
internal sealed class Wire
{
    public readonly MemoryNetwork Network = new(1);
    public readonly Probe Peer = new() { KeepOpenAtEnd = true };
    private readonly MemoryLoop _near, _far;
    private Transport? _accepted;

    private Wire()
    {
        _near = Network.AddHost("near", Address.V4(0x0a000001, 0)).AddLoop();
        _far = Network.AddHost("far", Address.V4(0x0a000002, 0)).AddLoop();
    }

    /// <summary>The peer's text.</summary>
    public string Text => Encoding.Latin1.GetString(Peer.Received.ToArray());

    /// <summary>The transport that the first codec has.</summary>
    public Transport Accepted => _accepted!;

    /// <summary>A server codec whose client is the peer.</summary>
    public static Wire ToServer(RequestAcceptor acceptor, CodecOptions options, bool http2 = false)
    {
        var wire = new Wire();
        wire.Connect(transport => _ = http2 ? new Http2ServerConnection(transport, acceptor, options)
            : (DownstreamConnection)new Http1ServerConnection(transport, acceptor, options));
        return wire;
    }

    /// <summary>A client codec whose server is the peer.</summary>
    public static (Wire Wire, UpstreamConnection Connection) ToClient(UpstreamConnectionOwner owner, CodecOptions options,
        bool http2 = false)
    {
        var wire = new Wire();
        UpstreamConnection? connection = null;
        wire.Connect(transport => connection = http2
            ? new Http2ClientConnection(transport, owner, options) : new Http1ClientConnection(transport, owner, options));
        return (wire, connection!);
    }

    /// <summary>A client codec and a server codec, joined.</summary>
    public static (Wire Wire, UpstreamConnection Client) Both(RequestAcceptor acceptor, UpstreamConnectionOwner owner, CodecOptions options,
        bool http2)
    {
        var wire = new Wire();
        wire.Connect(transport => _ = http2 ? new Http2ServerConnection(transport, acceptor, options)
            : (DownstreamConnection)new Http1ServerConnection(transport, acceptor, options));
        UpstreamConnection client = http2 ? new Http2ClientConnection(wire.Peer.Transport!, owner, options)
            : new Http1ClientConnection(wire.Peer.Transport!, owner, options);
        return (wire, client);
    }

    public void Send(string text) => Send(Encoding.Latin1.GetBytes(text));

    public void Send(ReadOnlySpan<byte> bytes)
    {
        Peer.Transport!.Send(bytes);
        Run();
    }

    public void Run(long micros = 2000) => Network.Advance(micros);

    private void Connect(Action<Transport> wrap)
    {
        var acceptor = new Taker(transport =>
        {
            _accepted = transport;
            wrap(transport);
        });
        Address address = _far.Listen(new ListenOptions(Address.V4(0x0a000002, 80)), acceptor).Address;
        _near.Connect(new ConnectOptions(address), Peer);
        Network.RunUntil(() => _accepted is not null && Peer.Connected, 1_000_000);
    }

    private sealed class Taker(Action<Transport> take) : Acceptor
    {
        public override void OnAccepted(Transport transport) => take(transport);
    }
}
