using System.Buffers.Text;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Exchanges.Heads;

/// <summary>Who the client is: x-forwarded-for and -proto, internal or external, and which headers an external one may not bring.</summary>
internal static class ClientIdentity
{
    private static readonly KnownHeader[] EdgeOnly =
        [KnownHeader.XEnvoyDecoratorOperation, KnownHeader.XEnvoyDownstreamServiceCluster, KnownHeader.XEnvoyDownstreamServiceNode, KnownHeader.XEnvoyOriginalHost, KnownHeader.XEnvoyOriginalPath];

    private static readonly KnownHeader[] External =
    [
        KnownHeader.XEnvoyRetriableStatusCodes, KnownHeader.XEnvoyRetriableHeaderNames, KnownHeader.XEnvoyRetryOn, KnownHeader.XEnvoyRetryGrpcOn, KnownHeader.XEnvoyMaxRetries,
        KnownHeader.XEnvoyUpstreamAltStatName, KnownHeader.XEnvoyUpstreamRqTimeoutMs, KnownHeader.XEnvoyUpstreamRqPerTryTimeoutMs, KnownHeader.XEnvoyUpstreamRqTimeoutAltResponse,
        KnownHeader.XEnvoyExpectedRqTimeoutMs, KnownHeader.XEnvoyForceTrace, KnownHeader.XEnvoyHedgeOnPerTryTimeout,
    ];

    /// <summary>Decides, and writes it to the head.</summary>
    public static void Establish(Exchange exchange)
    {
        HeaderMap head = exchange.RequestHead;
        HttpOptions options = exchange.Options;
        ConnectionContext connection = exchange.Connection.Context;
        bool single;
        Address client;
        if (options.UseRemoteAddress)
        {
            single = !head.Has(KnownHeader.XForwardedFor);
            client = options.TrustedHops == 0 || !FromXff(head, options.TrustedHops - 1, out client, out _) ? connection.Remote : client;
            if (!options.SkipXffAppend)
                AppendXff(head, connection.Remote.IsLocalhost && options.LocalAddress.IsIp ? options.LocalAddress : connection.Remote);
            if (options.TrustedHops == 0 || !head.Has(KnownHeader.XForwardedProto))
                head.Set(KnownHeader.XForwardedProto, connection.Tls is null ? "http"u8 : "https"u8);
            if (options.AppendForwardedPort && (options.TrustedHops == 0 || !head.Has(KnownHeader.XForwardedPort)))
                SetNumber(head, KnownHeader.XForwardedPort, connection.Local.Port);
        }
        else if (!FromXff(head, options.TrustedHops, out client, out single))
        {
            client = default;
            single = false;
        }
        SetScheme(head, options, connection.Tls is not null);
        exchange.IsInternal = single && (client.IsIp ? IsInternal(client, options) : client.Kind == AddressKind.Unix && options.UnixSocketsInternal);
        if (client.Kind == AddressKind.None)
            client = connection.Remote;
        exchange.ClientAddress = client;
        Mark(exchange, head, options);
    }

    private static void Mark(Exchange exchange, HeaderMap head, HttpOptions options)
    {
        if (exchange.IsInternal)
        {
            head.Set(KnownHeader.XEnvoyInternal, "true"u8);
            return;
        }
        if (options.UseRemoteAddress)
        {
            foreach (KnownHeader header in EdgeOnly)
                head.Remove(header);
            if (exchange.ClientAddress.IsIp)
                SetIp(head, KnownHeader.XEnvoyExternalAddress, exchange.ClientAddress);
        }
        foreach (KnownHeader header in External)
            head.Remove(header);
        head.Remove("x-envoy-ip-tags"u8);
        head.Remove("x-envoy-original-url"u8);
        if (options.Routes.Current is { } table)
        {
            for (int i = 0; i < table.InternalOnlyHeaders.Count; i++)
                head.Remove(table.InternalOnlyHeaders[i]);
        }
    }

    private static void SetScheme(HeaderMap head, HttpOptions options, bool tls)
    {
        if (!head.Has(KnownHeader.XForwardedProto))
            head.Set(KnownHeader.XForwardedProto, tls ? "https"u8 : "http"u8);
        if (options.SchemeOverride.Length > 0)
        {
            ReadOnlySpan<byte> scheme = options.SchemeOverride == "https" ? "https"u8 : "http"u8;
            head.Set(KnownHeader.Scheme, scheme);
            head.Set(KnownHeader.XForwardedProto, scheme);
        }
        if (head.Has(KnownHeader.Scheme))
            return;
        ReadOnlySpan<byte> forwarded = head[KnownHeader.XForwardedProto];
        if (System.Text.Ascii.EqualsIgnoreCase(forwarded, "https"u8))
            head.Add(KnownHeader.Scheme, "https"u8);
        else if (System.Text.Ascii.EqualsIgnoreCase(forwarded, "http"u8))
            head.Add(KnownHeader.Scheme, "http"u8);
        else
            head.Add(KnownHeader.Scheme, tls ? "https"u8 : "http"u8);
    }

    /// <summary>The n-th address of x-forwarded-for from the right (0 is the last); <paramref name="single"/> where the header has one entry.</summary>
    private static bool FromXff(HeaderMap head, uint fromRight, out Address address, out bool single)
    {
        address = default;
        single = false;
        if (!head.TryGet(KnownHeader.XForwardedFor, out ReadOnlySpan<byte> list))
            return false;
        single = !list.Contains((byte)',') && head.IndexOf(KnownHeader.XForwardedFor, 1) is var first && head.IndexOf(KnownHeader.XForwardedFor, first + 1) < 0;
        // Several lines are one list: the last entries stand in the last line.
        int last = -1;
        for (int at = head.IndexOf(KnownHeader.XForwardedFor, 0); at >= 0; at = head.IndexOf(KnownHeader.XForwardedFor, at + 1))
            last = at;
        if (last >= 0)
            head.At(last, out _, out _, out list);
        for (uint i = 0; i < fromRight; i++)
        {
            int comma = list.LastIndexOf((byte)',');
            if (comma < 0)
                return false;
            list = list[..comma];
        }
        ReadOnlySpan<byte> entry = Trim(list[(list.LastIndexOf((byte)',') + 1)..]);
        Span<char> chars = stackalloc char[46];
        if (entry.Length is 0 or > 46)
            return false;
        for (int i = 0; i < entry.Length; i++)
            chars[i] = (char)entry[i];
        return IpText.TryParse(chars[..entry.Length], out address);
    }

    private static ReadOnlySpan<byte> Trim(ReadOnlySpan<byte> text) => text.Trim(" \t"u8);

    private static void AppendXff(HeaderMap head, Address peer)
    {
        if (!peer.IsIp)
            return;
        Span<byte> ip = stackalloc byte[46];
        int n = IpText.Write(peer, ip);
        if (!head.TryGet(KnownHeader.XForwardedFor, out ReadOnlySpan<byte> before) || before.IsEmpty)
        {
            head.Set(KnownHeader.XForwardedFor, ip[..n]);
            return;
        }
        if (before.Length > 8192)
            return;
        Span<byte> joined = stackalloc byte[before.Length + 1 + n];
        before.CopyTo(joined);
        joined[before.Length] = (byte)',';
        ip[..n].CopyTo(joined[(before.Length + 1)..]);
        head.Set(KnownHeader.XForwardedFor, joined);
    }

    private static bool IsInternal(Address client, HttpOptions options)
    {
        for (int i = 0; i < options.InternalNetworks.Count; i++)
        {
            (Address first, int length) = options.InternalNetworks[i];
            int bits = first.Kind == AddressKind.V4 ? 32 : 128;
            if (client.Kind == first.Kind && (length == 0 || client.Ip >> (bits - length) == first.Ip >> (bits - length)))
                return true;
        }
        return false;
    }

    private static void SetNumber(HeaderMap head, KnownHeader header, int number)
    {
        Span<byte> text = stackalloc byte[11];
        Utf8Formatter.TryFormat(number, text, out int n);
        head.Set(header, text[..n]);
    }

    private static void SetIp(HeaderMap head, KnownHeader header, Address address)
    {
        Span<byte> text = stackalloc byte[46];
        int n = IpText.Write(address, text);
        head.Set(header, text[..n]);
    }
}

/// <summary>IP addresses as text without allocating for IPv4.</summary>
public static class IpText
{
    /// <summary>Writes the address without port; the number of bytes.</summary>
    public static int Write(in Address address, Span<byte> to)
    {
        if (address.Kind != AddressKind.V4)
            return System.Text.Encoding.ASCII.GetBytes(address.Host, to);
        uint ip = (uint)address.Ip;
        int at = 0;
        for (int shift = 24; shift >= 0; shift -= 8)
        {
            if (shift < 24)
                to[at++] = (byte)'.';
            Utf8Formatter.TryFormat((byte)(ip >> shift), to[at..], out int n);
            at += n;
        }
        return at;
    }

    /// <summary>Reads an address, perhaps with a port: 1.2.3.4, 1.2.3.4:80, ::1, [::1]:80.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out Address address)
    {
        int port = 0;
        if (text.Length > 1 && text[0] == '[')
        {
            int end = text.IndexOf(']');
            if (end < 0)
            {
                address = default;
                return false;
            }
            if (end + 1 < text.Length && (text[end + 1] != ':' || !ushort.TryParse(text[(end + 2)..], out ushort p6) || (port = p6) < 0))
            {
                address = default;
                return false;
            }
            text = text[1..end];
        }
        else if (text.Contains('.') && text.IndexOf(':') is var colon and > 0)
        {
            if (!ushort.TryParse(text[(colon + 1)..], out ushort p4))
            {
                address = default;
                return false;
            }
            port = p4;
            text = text[..colon];
        }
        if (TryParseV4(text, out uint v4))
        {
            address = Address.V4(v4, port);
            return true;
        }
        address = default;
        return text.Contains(':') && Address.TryParse(text, port, out address);
    }

    private static bool TryParseV4(ReadOnlySpan<char> text, out uint ip)
    {
        ip = 0;
        for (int part = 0; part < 4; part++)
        {
            int dot = part < 3 ? text.IndexOf('.') : text.Length;
            if (dot is < 1 or > 3 || !byte.TryParse(text[..dot], System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out byte b))
                return false;
            ip = ip << 8 | b;
            text = part < 3 ? text[(dot + 1)..] : default;
        }
        return true;
    }
}
