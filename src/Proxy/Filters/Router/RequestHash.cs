using System.Globalization;
using Lateen.Proxy.Clusters.Balancing;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Exchanges.Heads;
using Lateen.Proxy.Http;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Filters.Router;

/// <summary>The hash of a request by its route's policies: each value's hash is folded in by a rotation; a terminal policy that gave
/// something ends it.</summary>
internal readonly struct RequestHash
{
    private RequestHash(bool hasValue, ulong value, List<byte[]>? cookies)
    {
        HasValue = hasValue;
        Value = value;
        Cookies = cookies;
    }

    /// <summary>Some policy gave a value.</summary>
    public bool HasValue { get; }

    /// <summary>The hash.</summary>
    public ulong Value { get; }

    /// <summary>set-cookie lines to give to the client; null for none.</summary>
    public List<byte[]>? Cookies { get; }

    /// <summary>Computes it.</summary>
    public static RequestHash Of(Exchange exchange, IReadOnlyList<HashPolicy> policies)
    {
        bool any = false;
        ulong hash = 0;
        List<byte[]>? made = null;
        for (int i = 0; i < policies.Count; i++)
        {
            HashPolicy policy = policies[i];
            if (One(exchange, policy, ref made) is { } value)
            {
                hash = (any ? ulong.RotateLeft(hash, 1) : 0) ^ value;
                any = true;
            }
            if (any && policy.Terminal)
                break;
        }
        return new RequestHash(any, hash, made);
    }

    private static ulong? One(Exchange exchange, HashPolicy policy, ref List<byte[]>? cookies) => policy.Source switch
    {
        HashSource.Header => OfHeader(exchange.RequestHead, policy),
        HashSource.Cookie => OfCookie(exchange, policy, ref cookies),
        HashSource.SourceIp => OfAddress(exchange),
        HashSource.QueryParameter => OfQuery(exchange.RequestHead, policy),
        _ => exchange.FilterState(policy.Name) is string text ? Hashing.XxHash64(System.Text.Encoding.UTF8.GetBytes(text)) : null,
    };

    private static ulong? OfHeader(HeaderMap head, HashPolicy policy)
    {
        string written = policy.Name == "host" ? ":authority" : policy.Name;
        Span<byte> name = stackalloc byte[written.Length];
        System.Text.Encoding.Latin1.GetBytes(written, name);
        int at = head.IndexOf(name, 0);
        if (at < 0)
            return null;
        head.At(at, out _, out _, out ReadOnlySpan<byte> value);
        int next = head.IndexOf(name, at + 1);
        if (next < 0)
            return Hashing.XxHash64(policy.Rewrite is { } one ? one.Pattern.Replace(value, one.Substitution) : value);

        // Several lines: in byte order, each hash the seed of the next, so that their order does not matter.
        var values = new List<byte[]>();
        for (; at >= 0; at = head.IndexOf(name, at + 1))
        {
            head.At(at, out _, out _, out value);
            values.Add(policy.Rewrite is { } rewrite ? rewrite.Pattern.Replace(value, rewrite.Substitution) : value.ToArray());
        }
        values.Sort(static (a, b) => a.AsSpan().SequenceCompareTo(b));
        ulong hash = 0;
        foreach (byte[] one in values)
            hash = Hashing.XxHash64(one, hash);
        return hash;
    }

    private static ulong? OfAddress(Exchange exchange)
    {
        if (!exchange.ClientAddress.IsIp)
            return null;
        Span<byte> text = stackalloc byte[46];
        return Hashing.XxHash64(text[..IpText.Write(exchange.ClientAddress, text)]);
    }

    private static ulong? OfQuery(HeaderMap head, HashPolicy policy)
    {
        ReadOnlySpan<byte> rest = Text.QueryOf(head[KnownHeader.Path]);
        Span<byte> name = stackalloc byte[policy.Name.Length];
        System.Text.Encoding.Latin1.GetBytes(policy.Name, name);
        while (!rest.IsEmpty)
        {
            int amp = rest.IndexOf((byte)'&');
            ReadOnlySpan<byte> pair = amp < 0 ? rest : rest[..amp];
            rest = amp < 0 ? default : rest[(amp + 1)..];
            int equals = pair.IndexOf((byte)'=');
            if ((equals < 0 ? pair : pair[..equals]).SequenceEqual(name))
                return Hashing.XxHash64(equals < 0 ? default : pair[(equals + 1)..]);
        }
        return null;
    }

    private static ulong? OfCookie(Exchange exchange, HashPolicy policy, ref List<byte[]>? cookies)
    {
        ReadOnlySpan<byte> value = Router.Cookies.Find(exchange.RequestHead, policy.Name);
        if (!value.IsEmpty)
            return Hashing.XxHash64(value);
        if (policy.CookieSeconds is not { } seconds)
            return null;

        // The same for all requests of a connection: they may run at once, and must agree.
        ConnectionContext connection = exchange.Connection.Context;
        byte[] seed = System.Text.Encoding.ASCII.GetBytes(connection.Remote.ToString() + connection.Local);
        string made = Hashing.XxHash64(seed).ToString("x16", CultureInfo.InvariantCulture);
        var line = new System.Text.StringBuilder($"{policy.Name}=\"{made}\"");
        if (seconds > 0)
            line.Append(CultureInfo.InvariantCulture, $"; Max-Age={seconds}");
        if (policy.CookiePath.Length > 0)
            line.Append(CultureInfo.InvariantCulture, $"; Path={policy.CookiePath}");
        foreach ((string name, string text) in policy.CookieAttributes)
            line.Append(text.Length > 0 ? $"; {name}={text}" : $"; {name}");
        line.Append("; HttpOnly");
        (cookies ??= []).Add(System.Text.Encoding.Latin1.GetBytes(line.ToString()));
        return Hashing.XxHash64(System.Text.Encoding.ASCII.GetBytes(made));
    }
}

/// <summary>Cookies of a request.</summary>
public static class Cookies
{
    /// <summary>The value of a cookie without quotes; empty where it is absent.</summary>
    public static ReadOnlySpan<byte> Find(HeaderMap head, string name)
    {
        Span<byte> wanted = stackalloc byte[name.Length];
        System.Text.Encoding.Latin1.GetBytes(name, wanted);
        for (int at = head.IndexOf(KnownHeader.Cookie, 0); at >= 0; at = head.IndexOf(KnownHeader.Cookie, at + 1))
        {
            head.At(at, out _, out _, out ReadOnlySpan<byte> rest);
            while (!rest.IsEmpty)
            {
                int semicolon = rest.IndexOf((byte)';');
                ReadOnlySpan<byte> pair = (semicolon < 0 ? rest : rest[..semicolon]).Trim((byte)' ');
                rest = semicolon < 0 ? default : rest[(semicolon + 1)..];
                int equals = pair.IndexOf((byte)'=');
                if (equals < 0 || !pair[..equals].SequenceEqual(wanted))
                    continue;
                ReadOnlySpan<byte> value = pair[(equals + 1)..];
                return value.Length >= 2 && value[0] == '"' && value[^1] == '"' ? value[1..^1] : value;
            }
        }
        return default;
    }
}
