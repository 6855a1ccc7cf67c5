// Rbac: allows and denies by policies (envoy.config.rbac.v3). Permissions and principals are compiled to trees of rules over IStreamFacts,
// which an HTTP exchange and a TCP connection both have; policies stand in byte order of their names, as Envoy's map does. Immutable, no
// allocation for a decision. What is decided is written to flags, details and, for shadow policies, dynamic metadata; who enforces are the
// filters.
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Filters.Rbac;

/// <summary>One condition on a stream.</summary>
public abstract class RbacRule
{
    /// <summary>True where it holds.</summary>
    public abstract bool Matches(IStreamFacts facts);
}

/// <summary>Always.</summary>
public sealed class AnyRule : RbacRule
{
    /// <inheritdoc/>
    public override bool Matches(IStreamFacts facts) => true;
}

/// <summary>All of several, or one of several.</summary>
public sealed class SetRule(RbacRule[] rules, bool all) : RbacRule
{
    /// <summary>The several.</summary>
    public IReadOnlyList<RbacRule> Rules => rules;

    /// <summary>All of them must hold.</summary>
    public bool All => all;

    /// <inheritdoc/>
    public override bool Matches(IStreamFacts facts)
    {
        foreach (RbacRule rule in rules)
        {
            if (rule.Matches(facts) != all)
                return !all;
        }
        return all;
    }
}

/// <summary>The opposite.</summary>
public sealed class NotRule(RbacRule rule) : RbacRule
{
    /// <inheritdoc/>
    public override bool Matches(IStreamFacts facts) => !rule.Matches(facts);
}

/// <summary>A request header.</summary>
public sealed class HeaderRule(HeaderMatch match) : RbacRule
{
    /// <summary>Its test.</summary>
    public HeaderMatch Match => match;

    /// <inheritdoc/>
    public override bool Matches(IStreamFacts facts) => facts.RequestHead is { } head && match.Matches(head);
}

/// <summary>The path without query and fragment.</summary>
public sealed class UrlPathRule(StringMatch match) : RbacRule
{
    /// <summary>Its test.</summary>
    public StringMatch Match => match;

    /// <inheritdoc/>
    public override bool Matches(IStreamFacts facts)
    {
        if (facts.RequestHead is not { } head || !head.TryGet(KnownHeader.Path, out ReadOnlySpan<byte> path))
            return false;
        int end = path.IndexOfAny((byte)'?', (byte)'#');
        return match.Matches(end < 0 ? path : path[..end]);
    }
}

/// <summary>The path by a template ({*}, {**}).</summary>
public sealed class TemplateRule(PathTemplate template) : RbacRule
{
    /// <inheritdoc/>
    public override bool Matches(IStreamFacts facts) =>
        facts.RequestHead is { } head && head.TryGet(KnownHeader.Path, out ReadOnlySpan<byte> path)
            && template.Matches(Text.WithoutQuery(path));
}

/// <summary>Which address of a stream a rule means.</summary>
public enum AddressRole : byte
{
    Destination,
    Source,
    DirectRemote,
    Remote,
}

/// <summary>An address in a range.</summary>
public sealed class AddressRule(AddressRole role, Prefix prefix) : RbacRule
{
    /// <inheritdoc/>
    public override bool Matches(IStreamFacts facts) => prefix.Contains(role switch
    {
        AddressRole.Destination => facts.DownstreamLocal,
        AddressRole.Remote => facts.DownstreamRemote,
        _ => facts.DownstreamDirectRemote,
    });
}

/// <summary>The port that the client meant, from first to last.</summary>
public sealed class PortRule(int first, int last) : RbacRule
{
    /// <inheritdoc/>
    public override bool Matches(IStreamFacts facts) => facts.DownstreamLocal.Port is var port && port >= first && port <= last;
}

/// <summary>Dynamic metadata, or the route's.</summary>
public sealed class MetadataRule(MetadataMatch match, bool ofRoute = false) : RbacRule
{
    /// <inheritdoc/>
    public override bool Matches(IStreamFacts facts) => MetadataTest.Matches(match, ofRoute ? facts.RouteMetadata : facts.DynamicMetadata);
}

/// <summary>The server name of the handshake.</summary>
public sealed class ServerNameRule(StringMatch match) : RbacRule
{
    /// <inheritdoc/>
    public override bool Matches(IStreamFacts facts) => Latin.Matches(match, facts.RequestedServerName);
}

/// <summary>Filter state as text.</summary>
public sealed class FilterStateRule(string key, StringMatch match) : RbacRule
{
    /// <inheritdoc/>
    public override bool Matches(IStreamFacts facts) => facts.FilterState(key)?.ToString() is { } text && Latin.Matches(match, text);
}

/// <summary>The client's identity: a name of its certificate; null asks for TLS alone (observed: with or without certificate).</summary>
public sealed class AuthenticatedRule(StringMatch? match) : RbacRule
{
    /// <summary>Its test; null for TLS alone.</summary>
    public StringMatch? Match => match;

    /// <inheritdoc/>
    public override bool Matches(IStreamFacts facts)
    {
        if (facts.DownstreamTls is not { } tls)
            return false;
        if (match is null)
            return true;
        for (int i = 0; i < tls.PeerUris.Count; i++)
        {
            if (Latin.Matches(match, tls.PeerUris[i]))
                return true;
        }
        for (int i = 0; i < tls.PeerDnsNames.Count; i++)
        {
            if (Latin.Matches(match, tls.PeerDnsNames[i]))
                return true;
        }
        return Latin.Matches(match, tls.PeerSubject);
    }
}

internal static class Latin
{
    public static bool Matches(StringMatch match, string text)
    {
        if (text.Length > 1024)
            return match.Matches(System.Text.Encoding.UTF8.GetBytes(text));
        Span<byte> bytes = stackalloc byte[text.Length * 3];
        return match.Matches(bytes[..System.Text.Encoding.UTF8.GetBytes(text, bytes)]);
    }
}
