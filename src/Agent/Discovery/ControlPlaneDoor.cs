// Discovery: the way to the control plane. The proxy's stream goes through the agent byte for byte (`XdsRelay`), so that the proxy knows
// one address for ever, whatever the way out is; the agent's own stream (`NameTableStream`) asks for what the agent alone needs. Outside,
// all of it is TLS with the workload's own certificate (`DoorSecurity`), but on the control plane's clear port.
//
// All of this lives on the proxy's main loop. Refused: threads that block, one a connection (a stack each, and no virtual clock), and a TLS
// of its own.
//
// Never here: reading or changing what the proxy and the control plane say to each other.
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Lateen.Proxy.Net;
using Lateen.Proxy.Tls;

namespace Lateen.Agent.Discovery;

/// <summary>Opens connections to the control plane, or to an authority.</summary>
/// <param name="loop">Where they live.</param>
/// <param name="target">Where to.</param>
/// <param name="security">TLS as it is now; null for a door in clear text.</param>
public sealed class ControlPlaneDoor(EventLoop loop, DoorTarget target, DoorSecurity? security)
{
    private const long PatienceMicros = 10_000_000;

    /// <summary>TLS of this door; null in clear text.</summary>
    public DoorSecurity? Security => security;

    /// <summary>The control plane is on this machine: asking often costs nobody anything.</summary>
    public bool IsLocal => target.Address is { Kind: AddressKind.Unix };

    /// <summary>There is somebody to trust behind it, or no need to.</summary>
    public bool CanOpen => security is null || security.Current is not null;

    /// <summary>Connects; <paramref name="handler"/> hears of success or failure on a later turn.</summary>
    public void Connect(TransportHandler handler)
    {
        if (target.Address is { } known) Connect(known, handler);
        else Task.Run(() => loop.Post(new Resolved(this, Resolve(target.Host), handler)));
    }

    /// <summary>Why a connection ended, for a person.</summary>
    public static string FailureOf(Transport transport, CloseReason reason) =>
        transport is TlsTransport { FailureReason.Length: > 0 } tls ? tls.FailureReason : transport.ConnectFailure is { Length: > 0 } why
            ? why : reason.ToString();

    // Who has no address, or nobody to trust yet, fails as a connection does that nobody takes.
    private void Connect(Address address, TransportHandler handler)
    {
        var options = new ConnectOptions(address, TimeoutMicros: PatienceMicros, KeepAlive: address.IsIp);
        if (security is null) loop.Connect(options, handler);
        else if (security.Current is { } context)
            TlsTransport.Connect(loop, options, context, new TlsConnectOptions { HandshakeMicros = PatienceMicros }, handler);
        else loop.Connect(options with { Remote = Address.Internal("\0nobody to trust yet") }, handler);
    }

    private static Address? Resolve(string host)
    {
        try { return System.Net.Dns.GetHostAddresses(host) is [{ } first, ..] ? Address.From(first, 0) : null; }
        catch (SocketException) { return null; }
    }

    private sealed class Resolved(ControlPlaneDoor door, Address? found, TransportHandler handler) : Letter
    {
        protected override void Deliver() =>
            door.Connect(found is { } address ? address.WithPort(door.Port) : Address.Internal("\0name without an address"), handler);
    }

    private int Port => target.Port;
}

/// <summary>Where a door leads.</summary>
/// <param name="Host">The host, or a path.</param>
/// <param name="Port">The port; 0 for a path.</param>
/// <param name="IsSecure">TLS is spoken there.</param>
/// <param name="Address">The address, where no name has to be asked for.</param>
public sealed record DoorTarget(string Host, int Port, bool IsSecure, Address? Address)
{
    private const string Clear = "unix:", Secure = "tls+unix:";
    private const int ClearPort = 15010;

    /// <summary>Reads host:port, unix:PATH, or tls+unix:PATH. Port 15010 is istiod's clear one; all others speak TLS.</summary>
    public static DoorTarget Parse(string text)
    {
        if (text.StartsWith(Clear, StringComparison.Ordinal))
            return new(text[Clear.Length..], 0, false, Proxy.Net.Address.Unix(text[Clear.Length..]));
        if (text.StartsWith(Secure, StringComparison.Ordinal))
            return new(text[Secure.Length..], 0, true, Proxy.Net.Address.Unix(text[Secure.Length..]));
        int colon = text.LastIndexOf(':');
        string host = text[..Math.Max(0, colon)].Trim('[', ']');
        int port = int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : 15012;
        return new(host, port, port != ClearPort, Proxy.Net.Address.TryParse(host, port, out Address literal) ? literal : null);
    }
}
