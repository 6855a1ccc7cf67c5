using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Http;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Filters.Jwt;

/// <summary>What a JWT filter counts, under <c>http.NAME.jwt_authn.</c>.</summary>
public enum JwtCounter : byte
{
    Allowed,
    CorsPreflightBypassed,
    Denied,
    JwksFetchFailed,
    JwksFetchSuccess,
    JwtCacheHit,
    JwtCacheMiss,
}

/// <summary>Which requests a requirement is for.</summary>
/// <param name="Path">The path.</param>
/// <param name="Headers">Headers that must match.</param>
/// <param name="Query">Parameters that must match.</param>
/// <param name="Requirement">What is asked; null for nothing.</param>
public sealed record JwtRule(PathMatch Path, IReadOnlyList<HeaderMatch> Headers, IReadOnlyList<QueryMatch> Query,
    JwtRequirement? Requirement)
{
    /// <summary>True where the rule is for this request.</summary>
    public bool Matches(HeaderMap head)
    {
        ReadOnlySpan<byte> path = head[KnownHeader.Path];
        if (!Path.Matches(path, head[KnownHeader.Method].SequenceEqual("CONNECT"u8)))
            return false;
        for (int i = 0; i < Headers.Count; i++)
        {
            if (!Headers[i].Matches(head))
                return false;
        }
        for (int i = 0; i < Query.Count; i++)
        {
            if (!Query[i].Matches(Text.QueryOf(path)))
                return false;
        }
        return true;
    }
}

/// <summary>A route's own: the requirement of a name, or (null) none at all.</summary>
public sealed record JwtRouteSettings(string? Requirement);

/// <summary>A filter's settings.</summary>
public sealed class JwtSettings
{
    private readonly Dictionary<JwtProvider, VerifiedTokens>[] _tokens;

    /// <summary>The counters.</summary>
    public static readonly StatSchema Schema = StatSchema.Of<JwtCounter>();

    /// <summary>For a number of workers.</summary>
    public JwtSettings(int workers)
    {
        Stats = StatGroup.Unread(Schema, workers);
        _tokens = [.. Enumerable.Range(0, workers)
            .Select(static _ => new Dictionary<JwtProvider, VerifiedTokens>(ReferenceEqualityComparer.Instance))];
    }

    /// <summary>The providers, in order of their names.</summary>
    public required IReadOnlyList<JwtProvider> Providers { get; init; }

    /// <summary>Rules; the first that matches counts.</summary>
    public required IReadOnlyList<JwtRule> Rules { get; init; }

    /// <summary>Requirements by name.</summary>
    public required IReadOnlyDictionary<string, JwtRequirement> Named { get; init; }

    /// <summary>Filter state that names the requirement where no rule matches; empty for none.</summary>
    public string StateKey { get; init; } = "";

    /// <summary>Requirements by that filter state.</summary>
    public IReadOnlyDictionary<string, JwtRequirement> ByState { get; init; } = new Dictionary<string, JwtRequirement>();

    /// <summary>A CORS preflight needs no token.</summary>
    public bool BypassPreflight { get; init; }

    /// <summary>A refusal says nothing.</summary>
    public bool StripFailure { get; init; }

    /// <summary>What was seen.</summary>
    public StatGroup Stats { get; init; }

    internal void Count(Worker worker, JwtCounter counter) => Stats.Of(worker.Index).Count((int)counter);

    /// <summary>Some keys come from servers.</summary>
    public bool HasRemoteKeys { get; init; }

    /// <summary>The provider of an issuer, else one that takes any; null for none.</summary>
    public JwtProvider? ByIssuer(string issuer)
    {
        JwtProvider? any = null;
        for (int i = 0; i < Providers.Count; i++)
        {
            if (Providers[i].Issuer == issuer && issuer.Length > 0)
                return Providers[i];
            if (Providers[i].Issuer.Length == 0)
                any ??= Providers[i];
        }
        return any;
    }

    /// <summary>A worker's verified tokens of a provider.</summary>
    internal VerifiedTokens TokensOf(Worker worker, JwtProvider provider)
    {
        Dictionary<JwtProvider, VerifiedTokens> own = _tokens[worker.Index];
        if (!own.TryGetValue(provider, out VerifiedTokens? tokens))
            own[provider] = tokens = new VerifiedTokens(provider.TokensKept);
        return tokens;
    }
}

/// <summary>envoy.filters.http.jwt_authn.</summary>
public sealed class JwtFilter(string name, JwtSettings settings) : HttpFilter(name)
{
    private const int RealmPathMax = 256;

    /// <summary>Its settings.</summary>
    public JwtSettings Settings => settings;

    /// <inheritdoc/>
    public override FilterPhases Phases => FilterPhases.RequestHead | FilterPhases.End;

    /// <inheritdoc/>
    public override FilterSlot NewSlot() => new JwtSlot(settings);

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
    {
        Exchange exchange = slot.Exchange;
        HeaderMap head = exchange.RequestHead;
        if (settings.BypassPreflight && IsPreflight(head))
        {
            settings.Count(exchange.Worker, JwtCounter.CorsPreflightBypassed);
            settings.Count(exchange.Worker, JwtCounter.Allowed);
            return FilterVerdict.Continue;
        }
        if (!TryFind(slot, out JwtRequirement? requirement))
            return FilterVerdict.Stop;
        if (requirement is null)
        {
            settings.Count(exchange.Worker, JwtCounter.Allowed);
            return FilterVerdict.Continue;
        }
        return ((JwtSlot)slot).Begin(requirement);
    }

    private static bool IsPreflight(HeaderMap head) =>
        head[KnownHeader.Method].SequenceEqual("OPTIONS"u8) && !head[KnownHeader.Origin].IsEmpty
            && !head[KnownHeader.AccessControlRequestMethod].IsEmpty;

    // False where the route names a requirement that is none: nothing can be believed then.
    private bool TryFind(FilterSlot slot, out JwtRequirement? requirement)
    {
        Exchange exchange = slot.Exchange;
        requirement = null;
        if (slot.Settings is JwtRouteSettings route)
        {
            if (route.Requirement is null || settings.Named.TryGetValue(route.Requirement, out requirement))
                return true;
            RefuseName(exchange, route.Requirement);
            return false;
        }
        for (int i = 0; i < settings.Rules.Count; i++)
        {
            if (!settings.Rules[i].Matches(exchange.RequestHead))
                continue;
            requirement = settings.Rules[i].Requirement;
            return true;
        }
        if (settings.StateKey.Length > 0 && exchange.FilterState(settings.StateKey)?.ToString() is { } state)
            requirement = settings.ByState.GetValueOrDefault(state);
        return true;
    }

    private void RefuseName(Exchange exchange, string name)
    {
        settings.Count(exchange.Worker, JwtCounter.Denied);
        string error =
            $"Wrong requirement_name: {name}. Correct names "
            + $"are: {string.Concat(settings.Named.Keys.Order(StringComparer.Ordinal).Select(static n => n + ","))}";
        exchange.Reply(new LocalReply(403, $"jwt_authn_access_denied{{{error.Replace(' ', '_')}}}")
        {
            Body = settings.StripFailure ? default : System.Text.Encoding.UTF8.GetBytes("Failed JWT authentication: " + error),
        });
    }

    /// <inheritdoc/>
    public override void OnEnd(FilterSlot slot) => ((JwtSlot)slot).Cancel();

    private sealed class JwtSlot(JwtSettings settings) : FilterSlot
    {
        private readonly JwtRun _run = new(settings);
        private readonly Formats.ByteBuffer _path = new(0);
        private JwtRequirement _requirement = null!;
        private Waiter? _waiter;
        private KeySource? _asked;

        public FilterVerdict Begin(JwtRequirement requirement)
        {
            _requirement = requirement;
            _run.Begin(Exchange);
            // A token that is taken out of the query changes the path before a later one fails.
            HeaderMap head = Exchange.RequestHead;
            ReadOnlySpan<byte> path = head.TryGet(KnownHeader.XEnvoyOriginalPath, out ReadOnlySpan<byte> original)
                ? original : head[KnownHeader.Path];
            _path.Clear();
            _path.Append(path.Length > RealmPathMax ? path[..RealmPathMax] : path);
            return Verify() ? FilterVerdict.Continue : FilterVerdict.Stop;
        }

        // True where the request goes on; it waits or was refused otherwise.
        private bool Verify()
        {
            if (settings.HasRemoteKeys)
            {
                _run.Probing = true;
                if (_requirement.Verify(_run) == JwtStatus.NeedsKeys)
                {
                    _asked = _run.Wanting!;
                    _asked.Ask(Exchange.Worker, _waiter ??= new Waiter(this));
                    return false;
                }
            }
            _run.Probing = false;
            JwtStatus status = _requirement.Verify(_run);
            settings.Count(Exchange.Worker, status == JwtStatus.Ok ? JwtCounter.Allowed : JwtCounter.Denied);
            if (status != JwtStatus.Ok)
                Refuse(status);
            else if (_run.ClearRoute)
                Exchange.SelectRoute();
            return status == JwtStatus.Ok;
        }

        private void Refuse(JwtStatus status)
        {
            int code = status == JwtStatus.AudienceNotAllowed ? 403 : 401;
            if (settings.StripFailure)
            {
                Exchange.Reply(new LocalReply(code, JwtTexts.DetailsOf(status)));
                return;
            }
            var realm = new Formats.ByteBuffer(64);
            realm.Append("Bearer realm=\""u8);
            realm.Append(Exchange.RequestHead[KnownHeader.XForwardedProto]);
            realm.Append("://"u8);
            realm.Append(Exchange.RequestHead[KnownHeader.Authority]);
            realm.Append(_path.Written);
            realm.Append(status == JwtStatus.Missing ? "\""u8 : "\", error=\"invalid_token\""u8);
            var headers = new HeaderMap();
            headers.Add("www-authenticate"u8, realm.Written);
            Exchange.Reply(new LocalReply(code, JwtTexts.DetailsOf(status)) { Body = JwtTexts.BodyOf(status), Headers = headers });
        }

        public void Cancel()
        {
            _asked?.Forget(Exchange.Worker, _waiter!);
            _asked = null;
        }

        private sealed class Waiter(JwtSlot slot) : KeyWaiter
        {
            public override void OnKeys(KeySource source, KeySet? keys)
            {
                if (!ReferenceEquals(slot._asked, source))
                    return;
                slot._asked = null;
                slot._run.Take(source, keys);
                if (slot.Verify())
                    slot.ResumeRequest();
            }
        }
    }
}
