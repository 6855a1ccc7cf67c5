using System.Diagnostics.CodeAnalysis;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Filters.Router;

/// <summary>What routes answer without an upstream: nothing found, direct responses, redirects; and what becomes of an upgrade's
/// answer.</summary>
internal static class DirectAnswers
{
    /// <summary>The action to forward by; false where the request was answered.</summary>
    public static bool FindForward(Exchange exchange, [NotNullWhen(true)] out ForwardAction? action)
    {
        action = exchange.Route?.Action as ForwardAction;
        if (action is not null)
            return true;
        if (exchange.Table is null)
            Replies.NoRouteTable(exchange);
        else if (exchange.Decision.Outcome == RouteOutcome.TlsRedirect)
            Redirect(exchange, 301, Location.ToHttps(exchange));
        else
            Answer(exchange, exchange.Route?.Action);
        return false;
    }

    private static void Answer(Exchange exchange, RouteAction? action)
    {
        switch (action)
        {
            case DirectResponseAction direct:
                exchange.Connection.Stats.Count(HttpStat.RqDirectResponse);
                Direct(exchange, direct);
                break;
            case RedirectAction redirect:
                exchange.Connection.Stats.Count(HttpStat.RqDirectResponse);
                Redirect(exchange, redirect.Status, Location.Of(exchange, redirect));
                break;
            default:
                Replies.NoRoute(exchange);
                break;
        }
    }

    private static void Direct(Exchange exchange, DirectResponseAction direct)
    {
        ReadOnlySpan<byte> body = direct.Body;
        if (direct.BodyFormat is { } format)
        {
            ByteBuffer text = exchange.Connection.Scratch;
            text.Clear();
            exchange.LocalBody.Clear();
            exchange.LocalBody.Append(direct.Body);
            format.Write(exchange.Facts, text);
            body = text.Written;
        }
        HeaderMap? headers = null;

        // 201 and 3xx say where: the request's own address (observed).
        if (direct.Status is 201 or (>= 300 and < 400))
        {
            headers = new HeaderMap();
            headers.Add(KnownHeader.Location, Location.Own(exchange));
        }
        exchange.Reply(new LocalReply(direct.Status, "direct_response")
        {
            Body = body,
            Headers = headers,
            ContentType = direct.BodyFormat?.ContentType,
        });
    }

    private static void Redirect(Exchange exchange, int status, byte[] location)
    {
        var headers = new HeaderMap();
        headers.Add(KnownHeader.Location, location);
        exchange.Reply(new LocalReply(status, "direct_response") { Headers = headers });
    }

    /// <summary>An upgrade's answer: only 101 (or 200 to CONNECT) opens the tunnel; false where the rest of another answer is of no
    /// use.</summary>
    public static bool AdmitTunnel(Exchange exchange, int status, HeaderMap head, ref bool end)
    {
        if (exchange.Upgrade.Length == 0 || exchange.Upgrade == "connect" || status != 200
            || exchange.RequestHead[KnownHeader.Method].SequenceEqual("CONNECT"u8))
            return true;
        exchange.Details = "websocket_handshake_unsuccessful";
        head.Remove(KnownHeader.ContentLength);
        end = true;
        return false;
    }
}

/// <summary>Locations that the proxy writes.</summary>
internal static class Location
{
    /// <summary>The same address over https.</summary>
    public static byte[] ToHttps(Exchange exchange) =>
        Build(exchange, "https", exchange.RequestHead[KnownHeader.Authority], exchange.RequestHead[KnownHeader.Path]);

    /// <summary>The request's own address.</summary>
    public static byte[] Own(Exchange exchange) =>
        Build(exchange, Scheme(exchange), exchange.RequestHead[KnownHeader.Authority], exchange.RequestHead[KnownHeader.Path]);

    /// <summary>Where a redirect action sends to.</summary>
    public static byte[] Of(Exchange exchange, RedirectAction action)
    {
        HeaderMap head = exchange.RequestHead;
        string scheme = action.Scheme ?? (action.HttpsRedirect ? "https" : Scheme(exchange));
        ReadOnlySpan<byte> host = head[KnownHeader.Authority];
        var authority = new ByteBuffer(128);
        if (action.Host.Length > 0)
            host = System.Text.Encoding.Latin1.GetBytes(action.Host);
        int colon = Exchanges.Heads.Authority.PortColon(host);
        if (action.Port > 0)
        {
            authority.Append(colon < 0 ? host : host[..colon]);
            authority.Append((byte)':');
            authority.Append(action.Port);
        }
        else
        {
            bool cut = colon >= 0 && action.Host.Length == 0 && CutsPort(host[colon..], scheme, action, Scheme(exchange));
            authority.Append(cut ? host[..colon] : host);
        }
        return Build(exchange, scheme, authority.Written, PathOf(exchange, action, head[KnownHeader.Path]));
    }

    // Where the scheme changes, the other scheme's port makes no sense any more.
    private static bool CutsPort(ReadOnlySpan<byte> port, string scheme, RedirectAction action, string current) =>
        (action.HttpsRedirect && port.SequenceEqual(":80"u8))
        || (!action.HttpsRedirect && action.Scheme is not null && scheme != current
            && ((current == "http" && port.SequenceEqual(":80"u8)) || (current == "https" && port.SequenceEqual(":443"u8))));

    private static ReadOnlySpan<byte> PathOf(Exchange exchange, RedirectAction action, ReadOnlySpan<byte> path)
    {
        ReadOnlySpan<byte> bare = Text.WithoutQuery(path);
        var text = new ByteBuffer(256);
        if (action.Path is { } replaced)
        {
            text.Append(replaced);
            if (!action.StripQuery && !replaced.Contains('?'))
                text.Append(path[bare.Length..]);
            return text.Written;
        }
        if (action.PrefixRewrite is not null || action.RegexRewrite is not null)
        {
            RouteRewrite.WritePath(action.PrefixRewrite, action.RegexRewrite, null, exchange.Route!, action.StripQuery ? bare : path, text);
            return text.Written;
        }
        return action.StripQuery ? bare : path;
    }

    private static string Scheme(Exchange exchange) =>
        exchange.RequestHead[KnownHeader.XForwardedProto].SequenceEqual("https"u8) ? "https" : "http";

    private static byte[] Build(Exchange exchange, string scheme, ReadOnlySpan<byte> authority, ReadOnlySpan<byte> path)
    {
        var text = new ByteBuffer(256);
        text.Append(scheme);
        text.Append("://"u8);
        text.Append(authority);
        text.Append(path);
        return text.Written.ToArray();
    }
}
