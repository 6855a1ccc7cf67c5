// Heads: what is done to a request's head before it is routed, and to a response's head before it leaves: who the client is, what it may
// say, one form of the path, ids and marks of the proxy. Pure functions on the exchange's head; the order is Envoy's connection manager's.
// No state.
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Exchanges.Heads;

/// <summary>Admits a request's head, or answers it.</summary>
internal static class Admission
{
    /// <summary>Refuses a request in overload: as the overload manager says, or because the worker is behind by more than it may be. False
    /// where it is to be served.</summary>
    public static bool GivesWay(Exchange exchange)
    {
        if (!exchange.Connection.Context.GivesWay)
            return false;
        bool switched = exchange.Options.Overload.Refuses(exchange.RequestHead, exchange.Worker);
        QueueAge age = exchange.Worker.Loop.Age;
        if (!switched && !(age.IsLate && ComesTooLate(exchange, age)))
        {
            age.OnServed();
            return false;
        }
        if (exchange.Connection.Transport is { IsClosed: true })
            return true;
        exchange.Connection.Stats.Count(HttpStat.DownstreamRqOverloadClose);
        exchange.CloseConnection();
        if (switched)
            Replies.Overload(exchange);
        else
            Replies.TooLate(exchange);
        return true;
    }

    private static bool ComesTooLate(Exchange exchange, QueueAge age)
    {
        if (exchange.Stream.Version == HttpVersion.Http2)
            return age.Refuses(exchange.Worker.Loop.Chance);
        if (exchange.Connection.Transport is { IsPeerLeaving: true } transport)
        {
            // Who hung up while the request waited is gone: the work is better done for somebody else.
            transport.Close();
            return true;
        }
        if (age.Refuses(exchange.Worker.Loop.Chance))
            return true;
        if (age.Intake.Rotates(exchange.Worker.Loop.Now))
        {
            exchange.Connection.Stats.Count(HttpStat.DownstreamCxOverloadDisableKeepalive);
            exchange.Stream.CloseAfterResponse();
        }
        return false;
    }

    /// <summary>False where the request was answered.</summary>
    public static bool Admit(Exchange exchange)
    {
        HeaderMap head = exchange.RequestHead;
        HttpOptions options = exchange.Options;
        bool connect = head[KnownHeader.Method].SequenceEqual("CONNECT"u8);
        if (!head.Has(KnownHeader.Authority))
        {
            Replies.MissingHost(exchange);
            return false;
        }
        if (!options.EarlyMutations.IsEmpty)
            RouteHeaders.Apply(options.EarlyMutations, head, exchange);
        if (!AdmitPath(exchange, connect))
            return false;
        Authority.Strip(head, options, exchange.Connection.Context.Local.Port);
        DropConnection(head);
        head.Remove(KnownHeader.XEnvoyInternal);
        if (!ClientIdentity.Establish(exchange))
            return false;
        RequestIds.Ensure(exchange);
        ClientCertificates.Write(exchange);
        if (options.Via.Length > 0)
            AppendVia(head, options.Via);
        return true;
    }

    // What the client says of its own connection goes no further (RFC 9110 7.6.1); an upgrade is for both sides.
    private static void DropConnection(HeaderMap head)
    {
        if (!head.Has(KnownHeader.Upgrade) || !HeaderRules.HasToken(head[KnownHeader.Connection], "upgrade"u8))
        {
            head.Remove(KnownHeader.Connection);
            head.Remove(KnownHeader.Upgrade);
        }
        head.Remove(KnownHeader.KeepAlive);
        head.Remove(KnownHeader.ProxyConnection);
        head.Remove(KnownHeader.TransferEncoding);
    }

    /// <summary>Adds to <c>via</c>.</summary>
    public static void AppendVia(HeaderMap head, string via)
    {
        Span<byte> text = stackalloc byte[via.Length];
        System.Text.Encoding.Latin1.GetBytes(via, text);
        if (!head.TryGet(KnownHeader.Via, out ReadOnlySpan<byte> before) || before.IsEmpty)
        {
            head.Set(KnownHeader.Via, text);
            return;
        }
        Span<byte> joined = stackalloc byte[before.Length + 2 + text.Length];
        before.CopyTo(joined);
        ", "u8.CopyTo(joined[before.Length..]);
        text.CopyTo(joined[(before.Length + 2)..]);
        head.Set(KnownHeader.Via, joined);
    }

    private static bool AdmitPath(Exchange exchange, bool connect)
    {
        HeaderMap head = exchange.RequestHead;
        bool hasPath = head.TryGet(KnownHeader.Path, out ReadOnlySpan<byte> path);
        if (connect && !hasPath)
            return true;
        if (path.IsEmpty)
        {
            Replies.BadPath(exchange, "missing_path_rejected");
            return false;
        }
        if (path[0] != '/')
        {
            Replies.BadPath(exchange, "absolute_path_rejected");
            return false;
        }
        switch (PathNormalization.Apply(head, exchange.Options, exchange.Connection.Scratch))
        {
            case PathOutcome.Reject:
                Replies.BadPath(exchange, "path_normalization_failed");
                return false;
            case PathOutcome.Redirect:
                Redirect(exchange);
                return false;
            default:
                return true;
        }
    }

    private static void Redirect(Exchange exchange)
    {
        if (exchange.IsGrpc)
            exchange.Stream.CloseAfterResponse();
        exchange.Connection.Stats.Count(exchange.IsGrpc
            ? HttpStat.DownstreamRqFailedPathNormalization : HttpStat.DownstreamRqRedirectedWithNormalizedPath);
        var headers = new HeaderMap();
        headers.Add(KnownHeader.Location, exchange.RequestHead[KnownHeader.Path]);
        exchange.Reply(new LocalReply(307, "path_normalization_failed") { Headers = exchange.IsGrpc ? null : headers, GrpcStatus = 13 });
    }
}

/// <summary>The Host of a request.</summary>
internal static class Authority
{
    /// <summary>Cuts port and trailing dot as configured.</summary>
    public static void Strip(HeaderMap head, HttpOptions options, int listenerPort)
    {
        if (!options.StripAnyPort && !options.StripMatchingPort && !options.StripTrailingDot)
            return;
        ReadOnlySpan<byte> host = head[KnownHeader.Authority];
        int colon = PortColon(host);
        ReadOnlySpan<byte> name = colon < 0 ? host : host[..colon], port = colon < 0 ? default : host[colon..];
        if (options.StripTrailingDot && name.Length > 1 && name[^1] == '.')
            name = name[..^1];
        if (port.Length > 0 && (options.StripAnyPort
            || (options.StripMatchingPort && System.Buffers.Text.Utf8Parser.TryParse(port[1..], out int n, out _) && n == listenerPort)))
            port = default;
        if (name.Length + port.Length == host.Length)
            return;
        Span<byte> result = stackalloc byte[name.Length + port.Length];
        name.CopyTo(result);
        port.CopyTo(result[name.Length..]);
        head.Set(KnownHeader.Authority, result);
    }

    /// <summary>The colon of a port of digits; -1 for none.</summary>
    public static int PortColon(ReadOnlySpan<byte> host)
    {
        int colon = host.LastIndexOf((byte)':');
        if (colon < 0 || colon == host.Length - 1 || host[colon..].Contains((byte)']'))
            return -1;
        return host[(colon + 1)..].IndexOfAnyExceptInRange((byte)'0', (byte)'9') < 0 ? colon : -1;
    }
}
