using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Http;

namespace Lateen.Proxy.Filters.Jwt;

/// <summary>What a rule asks of a request's tokens: a tree. Immutable.</summary>
public abstract class JwtRequirement
{
    /// <summary>Verifies. With <see cref="JwtRun.Probing"/> the request is left as it is.</summary>
    internal abstract JwtStatus Verify(JwtRun run);
}

/// <summary>Tokens of one provider.</summary>
public sealed class ProviderRequirement(JwtProvider provider, AudienceCheck? audiences) : JwtRequirement
{
    private readonly TokenPlaces _places = new([provider]);

    /// <summary>The provider.</summary>
    public JwtProvider Provider => provider;

    internal override JwtStatus Verify(JwtRun run) =>
        run.Authenticate(provider, _places, audiences ?? provider.Audiences, allowFailed: false, allowMissing: false);
}

/// <summary>Tokens of any provider may be missing; with <paramref name="orFailed"/> they may be bad, too.</summary>
public sealed class OptionalRequirement(IReadOnlyList<JwtProvider> providers, bool orFailed) : JwtRequirement
{
    private readonly TokenPlaces _places = new(providers);

    internal override JwtStatus Verify(JwtRun run) => run.Authenticate(null, _places, null, orFailed, allowMissing: true);
}

/// <summary>One of several.</summary>
/// <param name="children">What may hold.</param>
/// <param name="allowMissing">It holds, too, where no token was found.</param>
/// <param name="allowFailed">It holds, whatever was found.</param>
public sealed class AnyRequirement(JwtRequirement[] children, bool allowMissing, bool allowFailed) : JwtRequirement
{
    internal override JwtStatus Verify(JwtRun run)
    {
        // Of several failures, the one that says most: a missing token says least, an issuer that is another provider's little.
        JwtStatus final = JwtStatus.Missing;
        foreach (JwtRequirement child in children)
        {
            JwtStatus status = child.Verify(run);
            if (status is JwtStatus.Ok or JwtStatus.NeedsKeys)
                return status;
            if (status is not (JwtStatus.Missing or JwtStatus.UnknownIssuer) || final == JwtStatus.Missing)
                final = status;
        }
        return allowFailed || (allowMissing && final == JwtStatus.Missing) ? JwtStatus.Ok : final;
    }
}

/// <summary>All of several.</summary>
public sealed class AllRequirement(JwtRequirement[] children) : JwtRequirement
{
    internal override JwtStatus Verify(JwtRun run)
    {
        foreach (JwtRequirement child in children)
        {
            JwtStatus status = child.Verify(run);
            if (status != JwtStatus.Ok)
                return status;
        }
        return JwtStatus.Ok;
    }
}

/// <summary>One verification of one request: reused with its slot.</summary>
internal sealed class JwtRun(JwtSettings settings)
{
    private readonly List<FoundToken> _found = [];
    private readonly List<TokenPlace> _used = [];
    private readonly List<(KeySource Source, KeySet? Keys)> _fetched = [];

    /// <summary>The exchange.</summary>
    public Exchange Exchange { get; private set; } = null!;

    /// <summary>Only looks which keys are wanting; the request stays as it is.</summary>
    public bool Probing { get; set; }

    /// <summary>Whose keys are wanting, after <see cref="JwtStatus.NeedsKeys"/>.</summary>
    public KeySource? Wanting { get; private set; }

    /// <summary>Something was added that routes may look at.</summary>
    public bool ClearRoute { get; private set; }

    public void Begin(Exchange exchange)
    {
        Exchange = exchange;
        Wanting = null;
        ClearRoute = false;
        _fetched.Clear();
    }

    /// <summary>A server has answered this request's question.</summary>
    public void Take(KeySource source, KeySet? keys) => _fetched.Add((source, keys));

    /// <summary>Verifies the tokens at some places. All must be good, but where they may be missing or bad.</summary>
    public JwtStatus Authenticate(JwtProvider? provider, TokenPlaces places, AudienceCheck? audiences, bool allowFailed, bool allowMissing)
    {
        HeaderMap head = Exchange.RequestHead;
        if (!Probing)
            places.Sanitize(head);
        int first = _found.Count;
        places.Find(head, _found);
        JwtStatus status = _found.Count > first ? JwtStatus.Ok : Failed(provider, JwtStatus.Missing);
        for (int i = _found.Count - 1; i >= first; i--)
        {
            status = One(provider, _found[i], audiences);
            if (status == JwtStatus.NeedsKeys || (status != JwtStatus.Ok && !allowFailed && !allowMissing))
                break;
        }
        _found.RemoveRange(first, _found.Count - first);
        // Only now: the places of the others are told by where they stand in the head.
        for (int i = 0; i < _used.Count; i++)
            TokenPlaces.Remove(head, _used[i]);
        _used.Clear();
        if (status == JwtStatus.NeedsKeys)
            return status;
        return allowFailed || (allowMissing && status == JwtStatus.Missing) ? JwtStatus.Ok : status;
    }

    private JwtStatus Failed(JwtProvider? provider, JwtStatus status)
    {
        if (!Probing)
            provider?.NoteFailure(Exchange, status);
        return status;
    }

    private JwtStatus One(JwtProvider? named, in FoundToken found, AudienceCheck? audiences)
    {
        ReadOnlySpan<byte> text = found.Of(Exchange.RequestHead);
        int hash = VerifiedTokens.HashOf(text);
        JwtProvider? provider = named;
        VerifiedToken? verified = provider is null ? null : Known(provider, text, hash);
        Token token;
        if (verified is not null)
            token = verified.Token;
        else if (Token.Parse(text, out token) is var parsed and not JwtStatus.Ok)
            return Failed(provider, parsed);
        if (!found.Place.Allows(token.Issuer))
            return Failed(provider, JwtStatus.UnknownIssuer);
        provider ??= settings.ByIssuer(token.Issuer);
        if (provider is null)
            return JwtStatus.UnknownIssuer;
        JwtStatus claims = CheckClaims(provider, token, named is null ? provider.Audiences : audiences);
        if (claims != JwtStatus.Ok)
            return Failed(provider, claims);
        verified ??= named is null ? Known(provider, text, hash) : null;
        if (verified is null)
        {
            JwtStatus signature = VerifySignature(provider, token, hash, out verified);
            if (signature != JwtStatus.Ok)
                return signature == JwtStatus.NeedsKeys ? signature : Failed(provider, signature);
        }
        if (!Probing)
            Apply(provider, verified!, found.Place);
        return JwtStatus.Ok;
    }

    private VerifiedToken? Known(JwtProvider provider, ReadOnlySpan<byte> text, int hash)
    {
        VerifiedToken? known = KeysOf(provider, out _) is { } keys
            ? settings.TokensOf(Exchange.Worker, provider).Find(text, hash, keys) : null;
        if (!Probing)
            settings.Count(Exchange.Worker, known is not null && provider.CountsHits ? JwtCounter.JwtCacheHit : JwtCounter.JwtCacheMiss);
        return known;
    }

    private JwtStatus CheckClaims(JwtProvider provider, Token token, AudienceCheck? audiences)
    {
        ulong now = (ulong)(Exchange.Worker.Loop.WallClock / 1_000_000);
        if (provider.Subjects is { } subjects && !subjects.Matches(System.Text.Encoding.UTF8.GetBytes(token.Subject)))
            return JwtStatus.VerificationFails;
        if ((provider.RequireExpiration || provider.MaxLifetime is not null) && token.Expires == 0)
            return JwtStatus.VerificationFails;
        if (provider.MaxLifetime is { } longest && token.Expires > now && token.Expires - now > longest)
            return JwtStatus.VerificationFails;
        JwtStatus time = token.CheckTime(now, provider.ClockSkew);
        return time != JwtStatus.Ok ? time : audiences is null || audiences.Allows(token.Audiences)
            ? JwtStatus.Ok : JwtStatus.AudienceNotAllowed;
    }

    private JwtStatus VerifySignature(JwtProvider provider, Token token, int hash, out VerifiedToken? verified)
    {
        verified = null;
        if (KeysOf(provider, out bool asked) is not { } keys)
        {
            if (provider.RemoteKeys is not { } source)
                return JwtStatus.NoValidKeys;
            if (asked)
                return JwtStatus.FetchFailed;
            Wanting = source;
            return JwtStatus.NeedsKeys;
        }
        JwtStatus status = keys.Verify(token);
        if (status != JwtStatus.Ok)
            return status;
        verified = provider.Prepare(token, keys, hash);
        settings.TokensOf(Exchange.Worker, provider).Keep(verified);
        return JwtStatus.Ok;
    }

    private KeySet? KeysOf(JwtProvider provider, out bool asked)
    {
        asked = false;
        if (provider.RemoteKeys is not { } source)
            return provider.LocalKeys;
        for (int i = 0; i < _fetched.Count; i++)
        {
            if (!ReferenceEquals(_fetched[i].Source, source))
                continue;
            asked = true;
            return _fetched[i].Keys;
        }
        return source.Current(Exchange.Worker.Loop.Now);
    }

    private void Apply(JwtProvider provider, VerifiedToken verified, TokenPlace place)
    {
        HeaderMap head = Exchange.RequestHead;
        for (int i = 0; i < verified.Headers.Count; i++)
            head.Add(verified.Headers[i].Name, verified.Headers[i].Value);
        if (!provider.Forward)
            _used.Add(place);
        if (verified.Metadata is { } metadata)
            Exchange.SetMetadata(metadata);
        ClearRoute |= provider.ClearRoute;
    }
}
