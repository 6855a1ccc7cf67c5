using System.Net;

namespace Lateen.Citadel.Callers;

/// <summary>Peers whose word about others is believed: those on this machine, and those of the networks named.</summary>
internal static class TrustedPeers
{
    /// <summary>Tells whether the peer at "address:port" is one.</summary>
    /// <param name="peer">Address and port; without a port it is no peer.</param>
    /// <param name="networks">Networks in CIDR notation; those that can't be read count for nothing.</param>
    public static bool Contains(string peer, IEnumerable<string> networks)
    {
        // A bare IPv6 address parses as an end point too: it has no port.
        if (!IPEndPoint.TryParse(peer, out var end) || !HasPort(peer)) return false;
        return IPAddress.IsLoopback(end.Address)
            || networks.Any(n => IPNetwork.TryParse(n, out var network) && network.Contains(end.Address));
    }

    private static bool HasPort(string peer) =>
        peer.StartsWith('[') ? peer.Contains("]:", StringComparison.Ordinal) : peer.Count(static c => c == ':') == 1;
}
