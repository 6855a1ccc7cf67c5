namespace Lateen.Proxy.Http.One;

/// <summary>How a request's body is framed and what its connection headers mean (RFC 9112 6 and 9.3). Ambiguity is refused, never
/// resolved.</summary>
internal static class RequestFraming
{
    // A list longer than this is an attack on whoever walks it; Envoy's bounds.
    private const int NominatedMax = 10;
    private const int TeBytesMax = 256;

    /// <summary>Reads and removes what belongs to this hop.</summary>
    public static HeadError Read(HeaderMap map, CodecOptions options, bool connect, ref Framing framing)
    {
        HeadError error = LengthFraming.Read(map, options, ref framing);
        if (error.Happened)
            return error;
        if (connect)
        {
            if (framing.Chunked)
                return new HeadError(400, "http1.transfer_encoding_not_allowed");
            if (framing.HasLength && framing.Length > 0)
                return new HeadError(400, "http1.body_disallowed");
            framing.HasLength = false;
            map.Remove(KnownHeader.ContentLength);
        }
        framing.KeepAlive = framing.Minor == 1;
        error = ReadConnection(map, ref framing, out bool upgrade);
        if (error.Happened)
            return error;
        if (map.TryGet(KnownHeader.ProxyConnection, out ReadOnlySpan<byte> proxy))
            framing.Close |= HeaderRules.HasToken(proxy, "close"u8);
        framing.KeepAlive &= !framing.Close;
        KeepUpgrade(map, upgrade && !options.One.IgnoreUpgrade, ref framing);
        framing.Upgrade |= connect;
        map.Remove(KnownHeader.ProxyConnection);
        map.Remove(KnownHeader.KeepAlive);
        map.Remove(KnownHeader.Http2Settings);
        HeaderRules.ReduceTe(map);
        return default;
    }

    // An Upgrade to h2c is never taken up (RFC 9113 3.1 dropped it); any other goes on with its connection token, and the bytes behind the
    // head are not a body.
    private static void KeepUpgrade(HeaderMap map, bool nominated, ref Framing framing)
    {
        ReadOnlySpan<byte> protocol = map[KnownHeader.Upgrade];
        framing.Upgrade = nominated && !protocol.IsEmpty && !HeaderRules.SameText(protocol, "h2c"u8);
        if (framing.Upgrade)
            return;
        map.Remove(KnownHeader.Upgrade);
        map.Remove(KnownHeader.Connection);
    }

    private static HeadError ReadConnection(HeaderMap map, ref Framing framing, out bool upgrade)
    {
        upgrade = false;
        int nominated = 0;
        for (int at = map.IndexOf(KnownHeader.Connection, 0); at >= 0; at = map.IndexOf(KnownHeader.Connection, at + 1))
        {
            // Removing headers does not move values: the list stays where it is.
            map.At(at, out _, out ReadOnlySpan<byte> list);
            while (HeaderRules.NextToken(ref list, out ReadOnlySpan<byte> token))
            {
                if (token.IsEmpty)
                    continue;
                if (++nominated > NominatedMax || !ReadToken(map, token, ref framing, ref upgrade))
                    return new HeadError(400, "http1.connection_header_rejected");
            }
        }
        return default;
    }

    private static bool ReadToken(HeaderMap map, ReadOnlySpan<byte> token, ref Framing framing, ref bool upgrade)
    {
        if (HeaderRules.SameText(token, "close"u8))
        {
            framing.Close = true;
            return true;
        }
        if (HeaderRules.SameText(token, "keep-alive"u8))
        {
            framing.KeepAlive = true;
            return true;
        }
        if (HeaderRules.SameText(token, "upgrade"u8))
        {
            upgrade = true;
            return true;
        }
        return HeaderRules.SameText(token, "connection"u8) || HeaderRules.SameText(token, "http2-settings"u8)
            || RemoveNominated(map, token);
    }

    // Who the client is must not be maskable by naming the header that says so; pseudo-headers are never nominated.
    private static bool RemoveNominated(HeaderMap map, ReadOnlySpan<byte> token)
    {
        if (token[0] == ':' || token.Length > 256)
            return false;
        Span<byte> lower = stackalloc byte[token.Length];
        System.Text.Ascii.ToLower(token, lower, out _);
        switch (KnownHeaders.Find(lower))
        {
            case KnownHeader.XForwardedFor or KnownHeader.XForwardedHost or KnownHeader.XForwardedProto:
                return false;
            case KnownHeader.Te:
                return map[KnownHeader.Te].Length < TeBytesMax;
            case KnownHeader.Host:
                map.Remove(KnownHeader.Authority);
                return true;
            default:
                map.Remove(lower);
                return true;
        }
    }
}

/// <summary>How a response's body is framed (RFC 9112 6.3) and whether its connection lives on.</summary>
internal static class ResponseFraming
{
    /// <summary>Reads and removes what belongs to this hop.</summary>
    public static HeadError Read(HeaderMap map, CodecOptions options, int status, ref Framing framing)
    {
        HeadError error = LengthFraming.Read(map, options, ref framing);
        if (error.Happened)
            return error;
        if (status is < 200 or 204)
        {
            if (framing.Chunked)
                return new HeadError(400, "http1.transfer_encoding_not_allowed");
            if (framing.HasLength && framing.Length > 0)
                return new HeadError(400, "http1.content_length_not_allowed");
            framing.HasLength = false;
            map.Remove(KnownHeader.ContentLength);
        }
        framing.KeepAlive = framing.Minor == 1;
        bool upgrade = false;
        for (int at = map.IndexOf(KnownHeader.Connection, 0); at >= 0; at = map.IndexOf(KnownHeader.Connection, at + 1))
        {
            map.At(at, out _, out ReadOnlySpan<byte> list);
            // What most servers say, who say something.
            if (framing.Minor == 1 && list.SequenceEqual("keep-alive"u8))
                continue;
            framing.Close |= HeaderRules.HasToken(list, "close"u8);
            upgrade |= HeaderRules.HasToken(list, "upgrade"u8);
            framing.KeepAlive |= framing.Minor == 0 && HeaderRules.HasToken(list, "keep-alive"u8);
        }
        if (map.TryGet(KnownHeader.ProxyConnection, out ReadOnlySpan<byte> proxy))
            framing.Close |= HeaderRules.HasToken(proxy, "close"u8);
        framing.KeepAlive &= !framing.Close;
        framing.Upgrade = status == 101 && upgrade && map.Has(KnownHeader.Upgrade);
        if (!framing.Upgrade)
        {
            map.Remove(KnownHeader.Connection);
            map.Remove(KnownHeader.Upgrade);
        }
        map.Remove(KnownHeader.ProxyConnection);
        map.Remove(KnownHeader.KeepAlive);
        return default;
    }
}

/// <summary>Content-Length and Transfer-Encoding, of requests and responses alike.</summary>
internal static class LengthFraming
{
    /// <summary>Reads both; more than one of either, or both, is an error.</summary>
    public static HeadError Read(HeaderMap map, CodecOptions options, ref Framing framing)
    {
        bool coded = map.Has(KnownHeader.TransferEncoding), counted = map.Has(KnownHeader.ContentLength);
        if (!coded && !counted)
            return default;
        framing.Chunked = coded && map.TryGetOnly(KnownHeader.TransferEncoding, out ReadOnlySpan<byte> coding)
            && HeaderRules.SameText(coding, "chunked"u8);
        if (counted && !(map.TryGetOnly(KnownHeader.ContentLength, out ReadOnlySpan<byte> length)
            && HeaderRules.TryParseLength(length, out framing.Length)))
            return HeadError.Codec;
        if (coded && counted)
        {
            if (!framing.Chunked || !options.One.AllowChunkedLength)
                return new HeadError(400, "http1.content_length_and_chunked_not_allowed");
            map.Remove(KnownHeader.ContentLength);
            counted = false;
        }
        if (coded && !framing.Chunked)
            return new HeadError(501, "http1.invalid_transfer_encoding");
        framing.HasLength = counted;
        map.Remove(KnownHeader.TransferEncoding);
        return default;
    }
}
