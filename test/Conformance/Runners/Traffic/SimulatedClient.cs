using System.Text;
using Lateen.Proxy.Http;
using Lateen.Proxy.Http.One;
using Lateen.Proxy.Http.Two;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Lateen.Proxy.Tls;
using Lateen.Test.Rigs.Stage;

namespace Lateen.Test.Conformance.Runners.Traffic;

/// <summary>The side that calls: connects, shakes hands where it is to, sends one request or a few bytes, and waits for what comes
/// back.</summary>
internal sealed class SimulatedClient : ResponseReceiver
{
    private readonly SimulatedCall _call;
    private readonly Transport _transport;
    private bool _connected;

    public SimulatedClient(MemoryLoop loop, Address to, SimulatedCall call, Authority authority)
    {
        _call = call;
        _transport = call.IsPlaintext
            ? loop.Connect(new ConnectOptions(to), new Opening(this))
            : TlsTransport.Connect(loop, new ConnectOptions(to), Context(call, authority), new TlsConnectOptions { Sni = call.Sni },
                new Opening(this));
    }

    public bool IsOver { get; private set; }

    /// <summary>Nobody listens there.</summary>
    public bool IsRefused { get; private set; }

    /// <summary>The connection stood, but no TLS came about.</summary>
    public bool HandshakeFailed { get; private set; }

    /// <summary>TLS came about.</summary>
    public bool ShookHands => _connected && !_call.IsPlaintext;

    public void Leave() => _transport.Close(abort: true);

    public override void OnInformational()
    {
    }

    public override void OnResponseHead(bool end) => IsOver |= end;

    public override void OnResponseBody(ReadOnlySpan<byte> body, bool end) => IsOver |= end;

    public override void OnResponseTrailers() => IsOver = true;

    public override void OnResponseReset(ResetReason reason, string detail) => IsOver = true;

    public override void OnSendable()
    {
    }

    // A client of the mesh shows its identity and trusts the mesh alone; any other shows nothing and asks nothing.
    private static TlsContext Context(SimulatedCall call, Authority authority)
    {
        bool isMutual = call.Tls == "mtls";
        (string chain, string key) = isMutual ? authority.Workload("default", "client") : ("", "");
        var options = new TlsOptions
        {
            IsServer = false,
            Alpn = call.Alpn.Length > 0 ? [call.Alpn] : [],
            Certificates = isMutual ? [new TlsCertificate(Encoding.ASCII.GetBytes(chain), Encoding.ASCII.GetBytes(key))] : [],
            Validation = isMutual ? new TlsValidation { TrustedCa = Encoding.ASCII.GetBytes(authority.RootPem) } : null,
        };
        return TlsContext.Create(options, out string error) ?? throw new InvalidOperationException(error);
    }

    private void Opened(Transport transport)
    {
        _connected = true;
        if (!_call.IsHttp)
        {
            transport.Handler = new Plain(this);
            // No HTTP, and enough of it that nobody waits for more.
            transport.Send("\0\0\0\x2asome opaque bytes of a protocol of its own\r\n"u8);
            return;
        }
        UpstreamConnection connection = _call.Protocol == "http2"
            ? new Http2ClientConnection(transport, new Owner(this), new CodecOptions())
            : new Http1ClientConnection(transport, new Owner(this), new CodecOptions());
        string authority = _call.Host.Length > 0 ? _call.Host : "unnamed.invalid";
        connection.Begin(this).SendHead(
            Headers.Write([(":method", "GET"), (":scheme", _call.IsPlaintext ? "http" : "https"), (":authority", authority),
                (":path", _call.Path)]), end: true);
    }

    private void Closed(CloseReason reason)
    {
        IsRefused |= reason == CloseReason.Refused;
        HandshakeFailed |= !_connected && !_call.IsPlaintext && !IsRefused;
        IsOver = true;
    }

    private sealed class Opening(SimulatedClient client) : TransportHandler
    {
        public override void OnConnected(Transport transport) => client.Opened(transport);

        public override void OnData(Transport transport, ReadOnlySpan<byte> bytes)
        {
        }

        public override void OnClosed(Transport transport, CloseReason reason) => client.Closed(reason);
    }

    private sealed class Plain(SimulatedClient client) : TransportHandler
    {
        public override void OnData(Transport transport, ReadOnlySpan<byte> bytes) => client.IsOver = true;

        public override void OnClosed(Transport transport, CloseReason reason) => client.Closed(reason);
    }

    private sealed class Owner(SimulatedClient client) : UpstreamConnectionOwner
    {
        public override void OnFree(UpstreamConnection connection)
        {
        }

        public override void OnDraining(UpstreamConnection connection)
        {
        }

        public override void OnClosed(UpstreamConnection connection, CloseReason reason, string detail) => client.Closed(reason);
    }
}
