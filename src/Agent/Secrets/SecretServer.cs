using Lateen.Proxy;
using Lateen.Proxy.Http;
using Lateen.Proxy.Http.Two;
using Lateen.Proxy.Net;

namespace Lateen.Agent.Secrets;

/// <summary>Serves secrets to the proxy beside us (SDS) on a unix socket, which is guarded by the folder that it lies in.</summary>
/// <param name="shelf">What there is to serve.</param>
public sealed class SecretServer(SecretShelf shelf) : Acceptor
{
    private const int SocketMode = 0x1b6; // 0666: the proxy may run as another user, as in Istio

    /// <summary>Begins to listen. On the loop.</summary>
    /// <exception cref="ListenException">The socket can't be made.</exception>
    public void Listen(EventLoop loop, Address at) => loop.Listen(new ListenOptions(at, ReusePort: false, Mode: SocketMode), this);

    /// <inheritdoc/>
    public override void OnAccepted(Transport transport) =>
        _ = new Http2ServerConnection(transport, new Streams(shelf), new CodecOptions());

    private sealed class Streams(SecretShelf shelf) : RequestAcceptor
    {
        public override RequestReceiver OnRequest(DownstreamStream stream) => new SecretStream(stream, shelf);

        public override void OnConnectionError(string detail, FailureKind kind)
        {
        }
    }
}
