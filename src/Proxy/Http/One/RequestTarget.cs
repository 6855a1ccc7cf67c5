namespace Lateen.Proxy.Http.One;

/// <summary>A request's target (RFC 9112 3.2): origin form, absolute form, authority form of CONNECT, asterisk of OPTIONS.</summary>
internal static class RequestTarget
{
    /// <summary>Fills <c>:path</c>, <c>:authority</c> and, for an absolute target, <c>:scheme</c>.</summary>
    public static HeadError Read(HeaderMap map, ReadOnlySpan<byte> target, ReadOnlySpan<byte> method, bool connect, CodecOptions options,
        int minor)
    {
        if (minor == 0 && !map.Has(KnownHeader.Authority) && options.One.DefaultHostForHttp10.Length > 0)
            map.Add(KnownHeader.Authority, System.Text.Encoding.ASCII.GetBytes(options.One.DefaultHostForHttp10));
        if (connect)
        {
            // RFC 9112 3.2.3: host and port, nothing else.
            if (target[0] is (byte)'/' or (byte)'*' || !HasPort(target) || target.LastIndexOf((byte)':') <= target.LastIndexOf((byte)']'))
                return new HeadError(400, "http1.invalid_url");
            map.Set(KnownHeader.Authority, target);
            return default;
        }
        bool origin = target[0] == '/' || (target[0] == '*' && method.SequenceEqual("OPTIONS"u8));
        if (origin || !options.One.AllowAbsoluteUrl)
        {
            map.Add(KnownHeader.Path, target);
            return default;
        }
        return ReadAbsolute(map, target);
    }

    private static HeadError ReadAbsolute(HeaderMap map, ReadOnlySpan<byte> target)
    {
        int colon = target.IndexOf("://"u8);
        if (colon <= 0)
            return new HeadError(400, "http1.invalid_url");
        ReadOnlySpan<byte> scheme = target[..colon], rest = target[(colon + 3)..];
        int path = rest.IndexOfAny((byte)'/', (byte)'?', (byte)'#');
        ReadOnlySpan<byte> authority = path < 0 ? rest : rest[..path];

        // User information is no part of the host (RFC 9110 4.2.4).
        authority = authority[(authority.LastIndexOf((byte)'@') + 1)..];
        if (authority.IsEmpty || !HasPort(authority))
            return new HeadError(400, "http1.invalid_url");
        if (HeaderRules.SameText(scheme, "http"u8))
            map.Add(KnownHeader.Scheme, "http"u8);
        else if (HeaderRules.SameText(scheme, "https"u8))
            map.Add(KnownHeader.Scheme, "https"u8);
        else
            return new HeadError(400, "http1.invalid_scheme");

        // RFC 9112 3.2.2: Host is ignored, the target's authority stands.
        map.Set(KnownHeader.Authority, authority);
        map.Add(KnownHeader.Path, path < 0 ? "/"u8 : rest[path..]);
        return default;
    }

    // host, host:port, [v6], [v6]:port; a port has up to five digits.
    private static bool HasPort(ReadOnlySpan<byte> authority)
    {
        int from = 0;
        if (authority[0] == '[')
        {
            from = authority.IndexOf((byte)']') + 1;
            if (from == 0)
                return false;
        }
        int colon = authority[from..].IndexOf((byte)':');
        if (colon < 0)
            return from == 0 || from == authority.Length;
        ReadOnlySpan<byte> port = authority[(from + colon + 1)..];
        return HeaderRules.TryParseLength(port, out ulong number) && number <= 65535 && (from > 0 ? colon == 0 : colon > 0);
    }
}
