using Kubernetes.Gateway.V1;

namespace Lateen.Pilot.Meaning.GatewayApi;

/// <summary>Which listeners of one Gateway can't be told apart: the first that came stays, and a loser is in nobody's way.</summary>
internal static class ListenerConflicts
{
    /// <summary>Whether connections to two listeners can be told apart.</summary>
    public static bool AreDistinct(Listener a, Listener b)
    {
        if (a.Port != b.Port) return true;
        if (IsNamed(a) && IsNamed(b)) return HostOf(a) != HostOf(b);
        return !(IsNamed(a) || IsPlain(a)) || !(IsNamed(b) || IsPlain(b)) ? a.Protocol != b.Protocol : false;
    }

    /// <summary>The API's word for why they can't.</summary>
    public static string ReasonOf(Listener a, Listener b) =>
        (IsPlain(a) && IsPlain(b)) || a.Protocol != b.Protocol ? "ProtocolConflict" : "HostnameConflict";

    /// <summary>Reasons by listener; listeners that win are absent.</summary>
    /// <param name="inOrder">The Gateway's own listeners, then those of its ListenerSets, older sets first.</param>
    public static IReadOnlyDictionary<Listener, string> Of(IEnumerable<Listener> inOrder)
    {
        var losers = new Dictionary<Listener, string>(ReferenceEqualityComparer.Instance);
        var winners = new List<Listener>();
        foreach (var listener in inOrder)
        {
            if (winners.Find(prior => !AreDistinct(listener, prior)) is { } prior) losers[listener] = ReasonOf(listener, prior);
            else winners.Add(listener);
        }
        return losers;
    }

    private static string HostOf(Listener listener) => listener.Hostname.Length > 0 ? listener.Hostname : "*";

    private static bool IsPlain(Listener listener) => listener.Protocol is "TCP" or "UDP";

    private static bool IsNamed(Listener listener) => listener.Protocol is "HTTP" or "HTTPS" or "TLS";
}
