// Discovery: the way to the control plane. The proxy's stream goes through the agent byte for byte (`XdsRelay`), so that the proxy knows one
// address for ever, whatever the way out is; the agent's own stream (`NameTableStream`) speaks the little of HTTP/2 that one call needs.
// Threads here block: there are a handful for the life of the process, and an event loop of their own would cost more than they do.
//
// Never here: reading or changing what the proxy and the control plane say to each other.
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Lateen.Agent.Discovery;

/// <summary>Opens connections to the control plane.</summary>
/// <param name="address">host:port, or unix:PATH.</param>
public sealed class ControlPlaneDoor(string address)
{
    /// <summary>Connects, blocking.</summary>
    /// <exception cref="SocketException">It cannot be reached.</exception>
    public Socket Connect()
    {
        if (address.StartsWith("unix:", StringComparison.Ordinal))
        {
            var local = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            return Connected(local, new UnixDomainSocketEndPoint(address["unix:".Length..]));
        }
        int colon = address.LastIndexOf(':');
        string host = address[..colon].Trim('[', ']');
        int port = int.Parse(address.AsSpan(colon + 1), CultureInfo.InvariantCulture);
        IPAddress ip = IPAddress.TryParse(host, out IPAddress? literal) ? literal : Dns(host);
        return Connected(new Socket(ip.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true }, new IPEndPoint(ip, port));
    }

    private static IPAddress Dns(string host) =>
        System.Net.Dns.GetHostAddresses(host).FirstOrDefault() ?? throw new SocketException((int)SocketError.HostNotFound);

    private static Socket Connected(Socket socket, EndPoint to)
    {
        try
        {
            socket.Connect(to);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
