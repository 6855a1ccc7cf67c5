using Lateen.Proxy.Http;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Exchanges.Heads;

/// <summary>Whether an upgrade or CONNECT is taken: a route's word beats the connection manager's.</summary>
internal static class Upgrades
{
    /// <summary>False where the request was answered.</summary>
    public static bool Admit(Exchange exchange)
    {
        HeaderMap head = exchange.RequestHead;
        bool connect = head[KnownHeader.Method].SequenceEqual("CONNECT"u8);
        if (connect && exchange.Route is null)
            return true;
        string type;
        if (connect)
            type = head.TryGet(KnownHeader.Protocol, out ReadOnlySpan<byte> protocol) ? Lower(protocol) : "connect";
        else if (head.TryGet(KnownHeader.Upgrade, out ReadOnlySpan<byte> upgrade) && head.Has(KnownHeader.Connection))
            type = Lower(upgrade);
        else
            return true;
        bool listed = exchange.Options.Upgrades.TryGetValue(type, out bool enabled);
        if (exchange.Route?.Action is ForwardAction forward && forward.Upgrades.TryGetValue(type, out bool ofRoute))
            (listed, enabled) = (true, ofRoute);
        if (!listed || !enabled)
        {
            // Without a list of types an unknown upgrade is refused like one that is off (observed: 403 without body).
            // Where no route matches, that is the answer.
            if (exchange.Route is null)
                return true;
            Replies.UpgradeRefused(exchange);
            return false;
        }
        exchange.Upgrade = type;
        exchange.Connection.Stats.Count(HttpStat.DownstreamCxUpgradesTotal);
        exchange.Connection.Stats.Move(HttpStat.DownstreamCxUpgradesActive, 1);
        return true;
    }

    private static string Lower(ReadOnlySpan<byte> text) =>
        System.Text.Ascii.EqualsIgnoreCase(text, "websocket"u8)
            ? "websocket" : System.Text.Encoding.Latin1.GetString(text).ToLowerInvariant();
}
