using System.Globalization;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Exchanges.Heads;

/// <summary>What every response gets last: date, server, via, the request's id where asked for, and the end of a connection that
/// drains.</summary>
internal static class ResponseFinishing
{
    [ThreadStatic]
    private static byte[]? t_date;

    [ThreadStatic]
    private static long t_dateSecond;

    /// <summary>Finishes the head in place.</summary>
    public static void Finish(Exchange exchange)
    {
        HeaderMap head = exchange.ResponseHead;
        HttpOptions options = exchange.Options;
        head.Remove(KnownHeader.ProxyConnection);
        head.Remove(KnownHeader.TransferEncoding);
        if (exchange.Upgrade.Length == 0 || exchange.Status is not (101 or 200))
        {
            head.Remove(KnownHeader.Connection);
            head.Remove(KnownHeader.Upgrade);
        }
        options.Tracer?.OnResponse(exchange, head);
        if (!head.Has(KnownHeader.Date))
            head.Add(KnownHeader.Date, Date(exchange.Worker.Loop));
        SetServer(exchange, head, options);
        if (options.Via.Length > 0)
            Admission.AppendVia(head, options.Via);
        if ((options.AlwaysSetRequestId || exchange.RequestHead.Has(KnownHeader.XEnvoyForceTrace))
            && exchange.RequestHead.TryGet(KnownHeader.XRequestId, out ReadOnlySpan<byte> id))
            head.Set(KnownHeader.XRequestId, id);
        if (options.ProxyStatus is { } told)
            ProxyStatus.Tell(exchange, head, told);
        exchange.Connection.EndAfter(exchange);
    }

    private static void SetServer(Exchange exchange, HeaderMap head, HttpOptions options)
    {
        switch (options.ServerHeader)
        {
            case ServerHeaderMode.Overwrite:
            case ServerHeaderMode.AppendIfAbsent when !head.Has(KnownHeader.Server):
                head.Set(KnownHeader.Server, exchange.Connection.ServerName);
                break;
        }
    }

    private static ReadOnlySpan<byte> Date(EventLoop loop)
    {
        long second = loop.WallClock / 1_000_000;
        if (t_date is null || t_dateSecond != second)
        {
            t_date ??= new byte[29];
            t_dateSecond = second;
            DateTimeOffset.FromUnixTimeSeconds(second).TryFormat(t_date, out _, "R", CultureInfo.InvariantCulture);
        }
        return t_date;
    }
}
