using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Filters.Router;

/// <summary>A route's rewrites of host and path, and the headers that keep the originals.</summary>
internal static class RouteRewrite
{
    /// <summary>Rewrites the head. Rewriting the host to the endpoint's name waits until there is one
    /// (<see cref="RewriteHostTo"/>).</summary>
    public static void Apply(Exchange exchange, ForwardAction action, bool suppressEnvoyHeaders)
    {
        HeaderMap head = exchange.RequestHead;
        RewriteHost(exchange, action, head, !suppressEnvoyHeaders);
        if (action.PrefixRewrite is null && action.PathRewrite is null && action.TemplateRewrite is null)
            return;
        ReadOnlySpan<byte> path = head[KnownHeader.Path];
        if (!suppressEnvoyHeaders)
            head.Set(KnownHeader.XEnvoyOriginalPath, path);
        ByteBuffer text = exchange.Connection.Scratch;
        text.Clear();
        if (WritePath(action.PrefixRewrite, action.PathRewrite, action.TemplateRewrite, exchange.Route!, path, text))
            head.Set(KnownHeader.Path, text.Written);
    }

    /// <summary>Writes a rewritten path with its query; false where nothing changes.</summary>
    public static bool WritePath(string? prefix, RegexRewrite? regex, string? template, Route route, ReadOnlySpan<byte> path, ByteBuffer to)
    {
        ReadOnlySpan<byte> bare = Text.WithoutQuery(path), query = path[bare.Length..];
        if (prefix is not null)
        {
            int matched = route.Path.MatchedLength(bare);
            to.Append(prefix);
            to.Append(bare[matched..]);
        }
        else if (regex is not null)
        {
            to.Append(regex.Pattern.Replace(bare, regex.Substitution));
        }
        else if (template is not null)
        {
            if (route.Path.Template?.Capture(bare) is not { } captured)
                return false;
            foreach ((string name, string value) in captured)
                template = template.Replace("{" + name + "}", value, StringComparison.Ordinal);
            to.Append(template);
        }
        to.Append(query);
        return true;
    }

    /// <summary>The host becomes a name, and the old one is kept where asked.</summary>
    public static void RewriteHostTo(HeaderMap head, ReadOnlySpan<byte> host, bool appendForwardedHost, bool tellOriginal)
    {
        if (host.IsEmpty)
            return;
        if (appendForwardedHost)
        {
            ReadOnlySpan<byte> old = head[KnownHeader.Authority];
            if (head.TryGet(KnownHeader.XForwardedHost, out ReadOnlySpan<byte> before) && !before.IsEmpty)
            {
                // A host that is at the end already is not said twice.
                if (!before.EndsWith(old))
                {
                    Span<byte> joined = stackalloc byte[before.Length + 1 + old.Length];
                    before.CopyTo(joined);
                    joined[before.Length] = (byte)',';
                    old.CopyTo(joined[(before.Length + 1)..]);
                    head.Set(KnownHeader.XForwardedHost, joined);
                }
            }
            else
            {
                head.Set(KnownHeader.XForwardedHost, old);
            }
        }
        if (tellOriginal)
            head.Set(KnownHeader.XEnvoyOriginalHost, head[KnownHeader.Authority]);
        head.Set(KnownHeader.Authority, host);
    }

    private static void RewriteHost(Exchange exchange, ForwardAction action, HeaderMap head, bool tellOriginal)
    {
        if (exchange.Decision.Target is { HostRewrite: { Length: > 0 } own })
        {
            // A weighted cluster's own host is not told of (as Envoy).
            RewriteHostTo(head, own, action.AppendForwardedHost, tellOriginal: false);
            return;
        }
        switch (action.HostRewrite)
        {
            case { Kind: HostRewriteKind.Literal } rewrite:
                RewriteHostTo(head, rewrite.Text, action.AppendForwardedHost, tellOriginal);
                break;
            case { Kind: HostRewriteKind.Header } rewrite:
                if (head.TryGet(rewrite.Text, out ReadOnlySpan<byte> value))
                    RewriteHostTo(head, value.ToArray(), action.AppendForwardedHost, tellOriginal);
                break;
            case { Kind: HostRewriteKind.PathRegex, Regex: { } regex }:
                RewriteHostTo(head, regex.Pattern.Replace(Text.WithoutQuery(head[KnownHeader.Path]), regex.Substitution),
                    action.AppendForwardedHost, tellOriginal);
                break;
        }
    }
}
