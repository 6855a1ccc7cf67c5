using Envoy.Config.Rbac.V3;
using Envoy.Type.Matcher.V3;

namespace Lateen.Pilot.Generation.Security;

/// <summary>Conditions on who asks, as principals.</summary>
/// <param name="policyNamespace">Namespace of the policy: what a service account without namespace means.</param>
/// <param name="fromFilterState">The peer's identity comes out of a tunnel, in filter state, and not from the connection's
/// certificate.</param>
internal sealed class RbacPrincipals(string policyNamespace, bool fromFilterState)
{
    public const string Identities = "source.principal";
    public const string TrustDomains = "source.trustDomain";
    public const string ServiceAccounts = "source.serviceAccount";
    public const string Namespaces = "source.namespace";
    public const string Addresses = "source.ip";
    public const string ClientAddresses = "remote.ip";
    public const string Subjects = "request.auth.principal";
    private const string Audiences = "request.auth.audiences";
    private const string Presenter = "request.auth.presenter";
    private const string Claims = "request.auth.claims";
    private const string Headers = "request.headers";
    private const string PeerState = "io.istio.peer_principal";

    /// <summary>The principals of several values of one attribute; false when some can't be said here.</summary>
    public bool TryBuild(string key, IReadOnlyList<string> values, bool forTcp, out List<Principal> principals)
    {
        principals = [];
        if (IsWhole(key))
        {
            if (forTcp || Whole(key, values) is not { } principal) return false;
            principals.Add(principal);
            return true;
        }
        var complete = true;
        foreach (var value in values)
        {
            if (One(key, value, forTcp) is { } principal) principals.Add(principal);
            else complete = false;
        }
        return complete;
    }

    /// <summary>The attribute's values are one matcher and need no "or" around them.</summary>
    public static bool IsWhole(string key) => key is Subjects or Audiences or Presenter || key.StartsWith(Claims, StringComparison.Ordinal);

    private Principal? One(string key, string value, bool forTcp) => key switch
    {
        Identities => Peer(RbacMatchers.Identity(value)),
        Namespaces => Peer(RbacMatchers.Matching($".*/ns/{Pattern(value, ".*")}/.*")),
        ServiceAccounts => Peer(RbacMatchers.Matching(AccountPattern(policyNamespace, value))),
        TrustDomains => Peer(TrustDomain(value)),
        Addresses => RbacMatchers.Range(value) is { } range ? new Principal { DirectRemoteIp = range } : null,
        ClientAddresses => RbacMatchers.Range(value) is { } range ? new Principal { RemoteIp = range } : null,
        _ when forTcp => null,
        _ when key.StartsWith(Headers, StringComparison.Ordinal) =>
            RbacMatchers.Bracketed(key[Headers.Length..]) is { Length: > 0 } name
                ? new Principal { Header = RbacMatchers.Header(name, value) } : null,
        _ => null,
    };

    private static Principal? Whole(string key, IReadOnlyList<string> values)
    {
        if (values.Count == 0) return null;
        if (key == Subjects)
        {
            var subjects = values.Select(Subject).ToList();
            return subjects.Count == 1 ? subjects[0] : new Principal { OrIds = new Principal.Types.Set { Ids = { subjects } } };
        }
        IReadOnlyList<string>? claims = key switch
        {
            Audiences => ["aud"],
            Presenter => ["azp"],
            _ => RbacMatchers.Bracketed(key[Claims.Length..])?.Split("]["),
        };
        return claims is null || claims.Any(static c => c.Length == 0)
            ? null : new Principal { Metadata = RbacMatchers.ClaimOrList(claims, values) };
    }

    private Principal Peer(StringMatcher name) => fromFilterState
        ? new Principal { FilterState = new FilterStateMatcher { Key = PeerState, StringMatch = name } }
        : new Principal { Authenticated = new Principal.Types.Authenticated { PrincipalName = name } };

    /// <summary>
    /// The identities of a service account, <c>name</c> or <c>namespace/name</c>: a trust domain, then pairs of which <c>ns</c> and
    /// <c>sa</c>
    /// must be these, in this order; further pairs may stand anywhere.
    /// </summary>
    public static string AccountPattern(string defaultNamespace, string value)
    {
        var slash = value.IndexOf('/', StringComparison.Ordinal);
        var ns = slash < 0 ? defaultNamespace : value[..slash];
        return $"spiffe://.+/ns/{RbacMatchers.Quote(ns)}/(.+/|)sa/{RbacMatchers.Quote(value[(slash + 1)..])}(/.+)?";
    }

    /// <summary>The identities of a trust domain; an asterisk inside it stands for any characters but the slash.</summary>
    public static StringMatcher TrustDomain(string value) => value switch
    {
        "*" => new StringMatcher { Prefix = "spiffe://" },
        _ when value.Contains('*') => RbacMatchers.Matching($"spiffe://{Pattern(value, "[^/]*")}/.*"),
        _ => new StringMatcher { Prefix = $"spiffe://{value}/" },
    };

    private static string Pattern(string value, string wildcard) => string.Join(wildcard, value.Split('*').Select(RbacMatchers.Quote));

    // issuer/subject; the issuer may be a URL, so the last slash counts.
    private static Principal Subject(string value)
    {
        var slash = value.LastIndexOf('/');
        var (issuer, subject) = slash < 0 ? WithoutSlash(value) : WithSlash(value, value[..slash], value[(slash + 1)..]);
        var both = new Principal.Types.Set();
        both.Ids.Add(new Principal { Metadata = RbacMatchers.Claim(["iss"], issuer) });
        both.Ids.Add(new Principal { Metadata = RbacMatchers.Claim(["sub"], subject) });
        return new Principal { AndIds = both };
    }

    private static (StringMatcher Issuer, StringMatcher Subject) WithoutSlash(string value) => value switch
    {
        "*" => (RbacMatchers.Present(), RbacMatchers.Present()),
        _ when value.StartsWith('*') => (RbacMatchers.Present(), new StringMatcher { Suffix = value[1..] }),
        _ when value.EndsWith('*') => (new StringMatcher { Prefix = value[..^1] }, RbacMatchers.Present()),
        _ => (new StringMatcher { Exact = value }, new StringMatcher { Exact = "" }),
    };

    private static (StringMatcher Issuer, StringMatcher Subject) WithSlash(string value, string issuer, string subject)
    {
        if (value.StartsWith('*'))
        {
            return (issuer == "*" ? RbacMatchers.Present() : new StringMatcher { Suffix = issuer[1..] },
                new StringMatcher { Exact = subject });
        }
        if (!value.EndsWith('*')) return (new StringMatcher { Exact = issuer }, new StringMatcher { Exact = subject });
        return (new StringMatcher { Exact = issuer },
            subject == "*" ? RbacMatchers.Present() : new StringMatcher { Prefix = subject[..^1] });
    }
}
