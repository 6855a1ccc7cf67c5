using Lateen.Proxy.Clusters;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Http;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Filters.Router;

/// <summary>Redirects of an upstream that the proxy follows itself: the request is sent again to where the location says, through the whole
/// chain.</summary>
internal static class InternalRedirects
{
    /// <summary>True where the redirect is followed; the attempt is then given up.</summary>
    public static bool Follow(RouterSlot slot, Attempt attempt, RouterFilter router, bool abandoned)
    {
        InternalRedirectPolicy? policy = slot.Action.InternalRedirect;
        if (policy is null || !policy.Statuses.Contains((uint)attempt.Status))
            return false;
        Exchange exchange = slot.Exchange;
        bool followed = !abandoned && exchange.RequestComplete && Rewrite(slot, policy, attempt);
        slot.Cluster.Counters.Count(followed
            ? ClusterCounter.UpstreamInternalRedirectSucceededTotal : ClusterCounter.UpstreamInternalRedirectFailedTotal);
        if (!followed)
            return false;
        slot.Retire(attempt, ResetReason.Local);
        exchange.InternalRedirects++;
        exchange.Restart(attempt.Status, attempt.Status == 303 ? default : slot.Kept);
        return true;
    }

    private static bool Rewrite(RouterSlot slot, InternalRedirectPolicy policy, Attempt attempt)
    {
        Exchange exchange = slot.Exchange;
        if (!attempt.ResponseHead.TryGet(KnownHeader.Location, out ReadOnlySpan<byte> location))
            return false;
        if (!Split(location, out bool secure, out ReadOnlySpan<byte> host, out ReadOnlySpan<byte> path))
            return PassOn(exchange, HttpStat.PassthroughInternalRedirectBadLocation);
        // What came in plain text is http, whatever a header calls it.
        bool wasSecure = exchange.Connection.Context.Tls is not null && exchange.RequestHead[KnownHeader.Scheme].SequenceEqual("https"u8);
        if (secure != wasSecure && !policy.AllowCrossScheme)
            return PassOn(exchange, HttpStat.PassthroughInternalRedirectUnsafeScheme);
        if (exchange.InternalRedirects >= policy.RedirectsMax)
            return PassOn(exchange, HttpStat.PassthroughInternalRedirectTooManyRedirects);
        var asked = new HeaderMap();
        asked.AddAll(exchange.RequestHead);
        CopyHeaders(policy, attempt.ResponseHead, exchange.RequestHead);
        if (Redirect(slot, policy, wasSecure, secure, host, path))
        {
            Settle(exchange.RequestHead, asked, attempt.Status, wasSecure);
            return true;
        }
        exchange.RequestHead.Clear();
        exchange.RequestHead.AddAll(asked);
        return false;
    }

    // The client gets the redirect itself.
    private static bool PassOn(Exchange exchange, HttpStat why)
    {
        exchange.Connection.Stats.Count(why);
        return false;
    }

    private static void CopyHeaders(InternalRedirectPolicy policy, HeaderMap from, HeaderMap to)
    {
        foreach (string name in policy.CopyHeaders)
        {
            byte[] bytes = System.Text.Encoding.Latin1.GetBytes(name);
            to.Remove(bytes);
            for (int at = from.IndexOf(bytes, 0); at >= 0; at = from.IndexOf(bytes, at + 1))
            {
                from.At(at, out _, out _, out ReadOnlySpan<byte> value);
                to.Add(bytes, value);
            }
        }
    }

    private static bool Redirect(RouterSlot slot, InternalRedirectPolicy policy, bool wasSecure, bool secure, ReadOnlySpan<byte> host,
        ReadOnlySpan<byte> path)
    {
        Exchange exchange = slot.Exchange;
        HeaderMap head = exchange.RequestHead;
        head.Set(KnownHeader.Scheme, secure ? "https"u8 : "http"u8);
        head.Set(KnownHeader.Authority, host);
        head.Set(KnownHeader.Path, path.IsEmpty ? "/"u8 : path);
        RouteDecision target = exchange.Options.Routes.Current?.Find(head, new RouteFacts(exchange.Random, IsInternal: exchange.IsInternal))
            ?? default;
        bool found = target.Route?.Action is ForwardAction or DirectResponseAction or RedirectAction;
        bool allowed = found && (policy.AllowedRoutes is null || policy.AllowedRoutes.Contains(target.Route!.Name))
            && !(policy.PreviousRoutes && exchange.HasVisited(target.Route!)) && !(policy.SafeCrossScheme && secure && !wasSecure);
        if (!allowed)
        {
            slot.Refused = target;
            return PassOn(exchange, found
                ? HttpStat.PassthroughInternalRedirectPredicate : HttpStat.PassthroughInternalRedirectNoRoute);
        }
        exchange.Visit(target.Route!);
        return true;
    }

    private static void Settle(HeaderMap head, HeaderMap asked, int status, bool wasSecure)
    {
        head.Set("x-envoy-original-url"u8,
            [.. wasSecure ? "https://"u8 : "http://"u8, .. asked[KnownHeader.Authority], .. asked[KnownHeader.Path]]);

        // 303 turns any method but GET and HEAD into a GET without a body (RFC 9110 15.4.4).
        ReadOnlySpan<byte> method = head[KnownHeader.Method];
        if (status == 303 && !method.SequenceEqual("GET"u8) && !method.SequenceEqual("HEAD"u8))
        {
            head.Set(KnownHeader.Method, "GET"u8);
            head.Remove(KnownHeader.ContentLength);
            head.Remove(KnownHeader.TransferEncoding);
        }
    }

    private static bool Split(ReadOnlySpan<byte> location, out bool secure, out ReadOnlySpan<byte> host, out ReadOnlySpan<byte> path)
    {
        secure = location.StartsWith("https://"u8);
        host = path = default;
        if (!secure && !location.StartsWith("http://"u8))
            return false;
        ReadOnlySpan<byte> rest = location[(secure ? 8 : 7)..];
        int slash = rest.IndexOfAny((byte)'/', (byte)'?', (byte)'#');
        host = slash < 0 ? rest : rest[..slash];
        path = slash < 0 ? default : rest[slash..];
        return !host.IsEmpty;
    }
}
