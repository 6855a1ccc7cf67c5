using System.Buffers.Text;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Exchanges.Heads;

/// <summary>Who the client is: x-forwarded-for and -proto, internal or external, and which headers an external one may not bring.</summary>
internal static class ClientIdentity
{
    private static readonly KnownHeaderSet EdgeOnly = KnownHeaderSet.Of(
        KnownHeader.XEnvoyDecoratorOperation, KnownHeader.XEnvoyDownstreamServiceCluster, KnownHeader.XEnvoyDownstreamServiceNode,
        KnownHeader.XEnvoyOriginalHost, KnownHeader.XEnvoyOriginalPath);

    private static readonly KnownHeaderSet External = KnownHeaderSet.Of(
        KnownHeader.XEnvoyRetriableStatusCodes, KnownHeader.XEnvoyRetriableHeaderNames, KnownHeader.XEnvoyRetryOn,
        KnownHeader.XEnvoyRetryGrpcOn, KnownHeader.XEnvoyMaxRetries,
        KnownHeader.XEnvoyUpstreamAltStatName, KnownHeader.XEnvoyUpstreamRqTimeoutMs, KnownHeader.XEnvoyUpstreamRqPerTryTimeoutMs,
        KnownHeader.XEnvoyUpstreamRqTimeoutAltResponse,
        KnownHeader.XEnvoyExpectedRqTimeoutMs, KnownHeader.XEnvoyForceTrace, KnownHeader.XEnvoyHedgeOnPerTryTimeout,
        KnownHeader.XEnvoyIpTags, KnownHeader.XEnvoyOriginalUrl);

    /// <summary>Decides, and writes it to the head. False where the request was answered: its address could not be detected.</summary>
    public static bool Establish(Exchange exchange)
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
        else if (!Detect(exchange, head, options, out client, out single))
        {
            return false;
        }
        if (options.AppendForwardedPort && !head.Has(KnownHeader.XForwardedPort))
            SetNumber(head, KnownHeader.XForwardedPort, connection.Local.Port);
        SetScheme(head, options, connection.Tls is not null);
        exchange.IsInternal = single
            && (client.IsIp ? IsInternal(client, options) : client.Kind == AddressKind.Unix && options.UnixSocketsInternal);
        // Without a word of anybody else it stays the connection's.
        if (client.Kind != AddressKind.None)
            exchange.ClientAddress = client;
        Mark(exchange, head, options);
        if (options.UserAgent is { } agent)
            Name(head, agent, options.NodeId);
        return true;
    }

    // The first that finds an address decides; without any, x-forwarded-for is believed as far as proxies in front are.
    private static bool Detect(Exchange exchange, HeaderMap head, HttpOptions options, out Address client, out bool trusted)
    {
        client = default;
        trusted = false;
        IReadOnlyList<IpDetection> detections = options.IpDetections;
        for (int i = 0; i < detections.Count; i++)
        {
            IpDetection detection = detections[i];
            bool found;
            if (detection.Header.Length > 0)
            {
                found = head.TryGet(detection.Header, out ReadOnlySpan<byte> text) && TryParse(text, out client);
                trusted = found && detection.TrustsAddress;
                if (!found && detection.RefusalStatus != 0)
                {
                    Replies.AddressUndetected(exchange, detection.RefusalStatus);
                    return false;
                }
            }
            else
            {
                found = detection.TrustedNetworks.Count > 0
                    ? FromNetworks(head, detection.TrustedNetworks, exchange.Connection.Context.Remote, out client, out trusted)
                    : FromXff(head, detection.TrustedHops, out client, out trusted);
                trusted &= found;
                if (detection.AppendsXff)
                    Append(exchange, head, options);
            }
            if (found)
                return true;
        }
        if (detections.Count > 0)
            client = default;
        else if (!FromXff(head, options.TrustedHops, out client, out trusted))
            (client, trusted) = (default, false);
        return true;
    }

    private static void Append(Exchange exchange, HeaderMap head, HttpOptions options)
    {
        Address peer = exchange.Connection.Context.Remote;
        AppendXff(head, peer.IsLocalhost && options.LocalAddress.IsIp ? options.LocalAddress : peer);
    }

    // From the right, the first address that is none of the trusted proxies'; only where the peer itself is one.
    private static bool FromNetworks(HeaderMap head, IReadOnlyList<Prefix> networks, in Address peer, out Address client, out bool single)
    {
        client = default;
        single = false;
        if (!Contains(networks, peer) || !head.TryGet(KnownHeader.XForwardedFor, out ReadOnlySpan<byte> list))
            return false;
        single = !list.Contains((byte)',');
        while (true)
        {
            int comma = list.LastIndexOf((byte)',');
            if (!TryParse(Trim(list[(comma + 1)..]), out Address address))
                return client.Kind != AddressKind.None;
            client = address;
            if (comma < 0 || !Contains(networks, address))
                return true;
            list = list[..comma];
        }
    }

    private static bool Contains(IReadOnlyList<Prefix> networks, in Address address)
    {
        for (int i = 0; i < networks.Count; i++)
        {
            if (networks[i].Contains(address))
                return true;
        }
        return false;
    }

    // Who we are, for services behind us (add_user_agent).
    private static void Name(HeaderMap head, byte[] agent, byte[] node)
    {
        head.Set(KnownHeader.XEnvoyDownstreamServiceCluster, agent);
        if (!head.TryGet(KnownHeader.UserAgent, out ReadOnlySpan<byte> own) || own.IsEmpty)
            head.Set(KnownHeader.UserAgent, agent);
        if (node.Length > 0)
            head.Set(KnownHeader.XEnvoyDownstreamServiceNode, node);
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
            head.Remove(EdgeOnly);
            if (exchange.ClientAddress.IsIp)
                SetIp(head, KnownHeader.XEnvoyExternalAddress, exchange.ClientAddress);
        }
        head.Remove(External);
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

    /// <summary>The n-th address of x-forwarded-for from the right (0 is the last); <paramref name="single"/> where the header has one
    /// entry.</summary>
    private static bool FromXff(HeaderMap head, uint fromRight, out Address address, out bool single)
    {
        address = default;
        single = false;
        if (!head.TryGet(KnownHeader.XForwardedFor, out ReadOnlySpan<byte> list))
            return false;
        single = !list.Contains((byte)',') && head.IndexOf(KnownHeader.XForwardedFor, 1) is var first
            && head.IndexOf(KnownHeader.XForwardedFor, first + 1) < 0;
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
        return TryParse(Trim(list[(list.LastIndexOf((byte)',') + 1)..]), out address);
    }

    // An address alone: what has a port or brackets is none here (as in Envoy).
    private static bool TryParse(ReadOnlySpan<byte> text, out Address address)
    {
        address = default;
        Span<char> chars = stackalloc char[46];
        if (text.Length is 0 or > 46 || text[0] == '['
            || (text.Contains((byte)'.') && text.Contains((byte)':') && text.Count((byte)':') == 1))
            return false;
        for (int i = 0; i < text.Length; i++)
            chars[i] = (char)text[i];
        return IpText.TryParse(chars[..text.Length], out address);
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

    private static bool IsInternal(Address client, HttpOptions options) => Contains(options.InternalNetworks, client);

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
        uint ip = (uint)address.Low;
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
            if (dot is < 1 or > 3
                || !byte.TryParse(text[..dot], System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture,
                    out byte b))
                return false;
            ip = ip << 8 | b;
            text = part < 3 ? text[(dot + 1)..] : default;
        }
        return true;
    }
}
