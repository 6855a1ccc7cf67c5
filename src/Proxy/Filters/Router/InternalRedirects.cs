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
        bool followed = !abandoned && Rewrite(slot, policy, attempt, out bool complete) && complete;
        slot.Cluster.Counters.Count(followed
            ? ClusterCounter.UpstreamInternalRedirectSucceededTotal : ClusterCounter.UpstreamInternalRedirectFailedTotal);
        if (!followed)
            return false;
        slot.Retire(attempt, ResetReason.Local);
        exchange.InternalRedirects++;
        exchange.Restart(attempt.Status, attempt.Status == 303 ? default : slot.Kept);
        return true;
    }

    private static bool Rewrite(RouterSlot slot, InternalRedirectPolicy policy, Attempt attempt, out bool complete)
    {
        Exchange exchange = slot.Exchange;
        complete = exchange.RequestComplete;
        HeaderMap head = exchange.RequestHead;
        if (!complete || exchange.InternalRedirects >= policy.RedirectsMax
            || !attempt.ResponseHead.TryGet(KnownHeader.Location, out ReadOnlySpan<byte> location))
            return false;
        if (!Split(location, out bool secure, out ReadOnlySpan<byte> host, out ReadOnlySpan<byte> path))
            return false;
        bool wasSecure = head[KnownHeader.Scheme].SequenceEqual("https"u8);
        if (secure != wasSecure && !policy.AllowCrossScheme && !(policy.SafeCrossScheme && wasSecure))
            return false;
        foreach (string name in policy.CopyHeaders)
        {
            byte[] bytes = System.Text.Encoding.Latin1.GetBytes(name);
            head.Remove(bytes);
            for (int at = attempt.ResponseHead.IndexOf(bytes, 0); at >= 0; at = attempt.ResponseHead.IndexOf(bytes, at + 1))
            {
                attempt.ResponseHead.At(at, out _, out _, out ReadOnlySpan<byte> value);
                head.Add(bytes, value);
            }
        }
        return Redirect(slot, policy, attempt, secure, host, path);
    }

    private static bool Redirect(RouterSlot slot, InternalRedirectPolicy policy, Attempt attempt, bool secure, ReadOnlySpan<byte> host,
        ReadOnlySpan<byte> path)
    {
        Exchange exchange = slot.Exchange;
        HeaderMap head = exchange.RequestHead;
        byte[] oldHost = head[KnownHeader.Authority].ToArray(), oldPath = head[KnownHeader.Path].ToArray(),
            oldScheme = head[KnownHeader.Scheme].ToArray();
        byte[] original = [.. oldScheme, .. "://"u8, .. oldHost, .. oldPath];
        head.Set(KnownHeader.Scheme, secure ? "https"u8 : "http"u8);
        head.Set(KnownHeader.Authority, host);
        head.Set(KnownHeader.Path, path.IsEmpty ? "/"u8 : path);
        RouteDecision target = exchange.Options.Routes.Current?.Find(head, new RouteFacts(exchange.Random, IsInternal: exchange.IsInternal))
            ?? default;
        bool allowed = target.Route is { } route && (policy.AllowedRoutes is null || policy.AllowedRoutes.Contains(route.Name))
            && !(policy.PreviousRoutes && exchange.HasVisited(route))
            && target.Route.Action is ForwardAction or DirectResponseAction or RedirectAction;
        if (!allowed)
        {
            slot.Refused = target;
            head.Set(KnownHeader.Scheme, oldScheme);
            head.Set(KnownHeader.Authority, oldHost);
            head.Set(KnownHeader.Path, oldPath);
            return false;
        }
        exchange.Visit(target.Route!);
        head.Set("x-envoy-original-url"u8, original);

        // 303 turns any method but GET and HEAD into a GET without a body (RFC 9110 15.4.4).
        ReadOnlySpan<byte> method = head[KnownHeader.Method];
        if (attempt.Status == 303 && !method.SequenceEqual("GET"u8) && !method.SequenceEqual("HEAD"u8))
        {
            head.Set(KnownHeader.Method, "GET"u8);
            head.Remove(KnownHeader.ContentLength);
            head.Remove(KnownHeader.TransferEncoding);
        }
        return true;
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
