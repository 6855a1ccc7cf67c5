using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Lateen.Cli.Up;

/// <summary>The ports on which a proxy and its agent serve those who look after them.</summary>
/// <param name="Admin">The proxy's admin pages.</param>
/// <param name="Agent">The agent's health and merged metrics.</param>
/// <param name="Status">The proxy's health.</param>
/// <param name="Metrics">The proxy's own metrics.</param>
internal sealed record ProxyPorts(int Admin, int Agent, int Status, int Metrics)
{
    /// <summary>Istio's numbers.</summary>
    public static ProxyPorts Istio { get; } = new(15000, 15020, 15021, 15090);

    /// <summary>Istio's numbers where nothing of this machine listens there, others where something does.</summary>
    /// <param name="address">The address they are served on; null for all.</param>
    public static ProxyPorts Free(IPAddress? address) => address is not null
        ? Istio
        : new(Free(Istio.Admin), Free(Istio.Agent), Free(Istio.Status), Free(Istio.Metrics));

    /// <summary>As the agent reads them.</summary>
    public IReadOnlyDictionary<string, string> Environment() => new Dictionary<string, string>
    {
        ["LATEEN_ADMIN_PORT"] = Text(Admin),
        ["LATEEN_AGENT_PORT"] = Text(Agent),
        ["ENVOY_STATUS_PORT"] = Text(Status),
        ["ENVOY_PROMETHEUS_PORT"] = Text(Metrics),
    };

    /// <summary>True where this process could listen on the port.</summary>
    public static bool IsFree(int port, out SocketError reason)
    {
        try
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(IPAddress.Any, port));
            socket.Listen();
            reason = SocketError.Success;
            return true;
        }
        catch (SocketException taken)
        {
            reason = taken.SocketErrorCode;
            return false;
        }
    }

    private static int Free(int preferred)
    {
        if (IsFree(preferred, out _)) return preferred;
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Any, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    private static string Text(int port) => port.ToString(CultureInfo.InvariantCulture);
}
