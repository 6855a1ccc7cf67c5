using System.Text;
using Envoy.Extensions.Filters.Http.JwtAuthn.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.Jwt;
using Lateen.Proxy.Statistics;
using JwtProvider = Lateen.Proxy.Filters.Jwt.JwtProvider;
using JwtRequirement = Lateen.Proxy.Filters.Jwt.JwtRequirement;
using Message = Envoy.Extensions.Filters.Http.JwtAuthn.V3.JwtAuthentication;
using ProviderMessage = Envoy.Extensions.Filters.Http.JwtAuthn.V3.JwtProvider;
using RequirementMessage = Envoy.Extensions.Filters.Http.JwtAuthn.V3.JwtRequirement;

namespace Lateen.Proxy.Xds.Filters;

/// <summary>envoy.filters.http.jwt_authn.</summary>
internal sealed class JwtTranslator : FilterTranslator
{
    private const long KeysHoldMicros = 600_000_000;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Types =>
        ["envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication", "envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig"];

    /// <inheritdoc/>
    public override object? Settings(Any config, Translation translation, Rejections rejections) =>
        ValueTranslator.Unpack(config, PerRouteConfig.Parser, rejections) is not { } route ? null
            : new JwtRouteSettings(route.RequirementSpecifierCase == PerRouteConfig.RequirementSpecifierOneofCase.Disabled
                ? null : route.RequirementName);

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, Message.Parser, rejections) is not { } message)
            return null;
        StatGroup stats = translation.Statistics.Group($"{translation.HttpStatPrefix}jwt_authn.", JwtSettings.Schema);
        var providers = new SortedDictionary<string, JwtProvider>(StringComparer.Ordinal);
        foreach ((string key, ProviderMessage provider) in message.Providers)
        {
            using Rejections.Scope scope = rejections.In($"providers[{key}]");
            if (Provider(key, provider, stats, translation, rejections) is { } made)
                providers[key] = made;
        }
        var reader = new Requirements(providers, rejections);
        var named = message.RequirementMap.ToDictionary(r => r.Key, r => reader.Read(r.Value) ?? Nothing, StringComparer.Ordinal);
        var settings = new JwtSettings(translation.Workers)
        {
            Stats = stats,
            Providers = [.. providers.Values],
            Rules = [.. message.Rules.Select(r => Rule(r, reader, named, rejections)).OfType<JwtRule>()],
            Named = named,
            StateKey = message.FilterStateRules?.Name ?? "",
            ByState = (message.FilterStateRules?.Requires
                ?? []).ToDictionary(r => r.Key, r => reader.Read(r.Value) ?? Nothing, StringComparer.Ordinal),
            BypassPreflight = message.BypassCorsPreflight,
            StripFailure = message.StripFailureResponse,
            HasRemoteKeys = providers.Values.Any(static p => p.RemoteKeys is not null),
        };
        if (!rejections.None)
            return null;
        foreach (JwtProvider provider in providers.Values)
            provider.RemoteKeys?.Start(translation.Upstreams.First);
        return new JwtFilter(name, settings) { DisabledByDefault = disabled };
    }

    // A requirement that is set to nothing asks nothing.
    private static JwtRequirement Nothing => new AllRequirement([]);

    private static JwtRule? Rule(RequirementRule rule, Requirements reader, Dictionary<string, JwtRequirement> named, Rejections rejections)
    {
        if (rule.Match is null || RouteTranslator.Path(rule.Match, rejections) is not { } path)
            return null;
        JwtRequirement? requirement = rule.RequirementTypeCase == RequirementRule.RequirementTypeOneofCase.RequirementName
            ? null : rule.Requires is null ? null : reader.Read(rule.Requires);
        if (rule.RequirementTypeCase == RequirementRule.RequirementTypeOneofCase.RequirementName
            && !named.TryGetValue(rule.RequirementName, out requirement))
            rejections.Add($"Wrong requirement_name: {rule.RequirementName}. It should be one of [{string.Join(", ", named.Keys)}]");
        return new JwtRule(path, [.. rule.Match.Headers.Select(h => MatcherTranslator.Header(h, rejections))],
            [.. rule.Match.QueryParameters.Select(q => MatcherTranslator.Query(q, rejections))], requirement);
    }

    private static JwtProvider? Provider(string name, ProviderMessage provider, StatGroup stats, Translation translation,
        Rejections rejections)
    {
        KeySource? remote = null;
        KeySet? local = null;
        if (provider.RemoteJwks is { } server)
            remote = Remote(server, stats, translation, rejections);
        else if (provider.LocalJwks is null)
            rejections.Add("jwks_source_specifier is required");
        else if ((local = KeySet.Parse(ValueTranslator.Data(provider.LocalJwks, rejections) ?? [])) is null)
            rejections.Note("local_jwks has no key that is served: every token will be refused");
        return new JwtProvider
        {
            Name = name,
            Issuer = provider.Issuer,
            Audiences = provider.Audiences.Count == 0 ? null : new AudienceCheck(provider.Audiences),
            Subjects = provider.Subjects is null ? null : MatcherTranslator.String(provider.Subjects, rejections),
            RequireExpiration = provider.RequireExpiration,
            MaxLifetime = provider.MaxLifetime is null
                ? null : (ulong)Math.Max(0, ValueTranslator.Micros(provider.MaxLifetime) / 1_000_000),
            ClockSkew = provider.ClockSkewSeconds > 0 ? provider.ClockSkewSeconds : 60,
            Forward = provider.Forward,
            Places = Places(provider),
            PayloadHeader = provider.ForwardPayloadHeader.Length == 0 ? null : Lower(provider.ForwardPayloadHeader),
            PadPayload = provider.PadForwardPayloadHeader,
            ClaimToHeaders = [.. provider.ClaimToHeaders.Select(static c => (Lower(c.HeaderName), c.ClaimName.Split('.')))],
            PayloadKey = provider.PayloadInMetadata,
            HeaderKey = provider.HeaderInMetadata,
            FailureKey = provider.FailedStatusInMetadata,
            SplitClaims = [.. provider.NormalizePayloadInMetadata?.SpaceDelimitedClaims ?? []],
            ClearRoute = provider.ClearRouteCache,
            LocalKeys = local,
            RemoteKeys = remote,
            CountsHits = provider.JwtCacheConfig is not null,
            TokensKept = provider.JwtCacheConfig is { JwtCacheSize: > 0 } cache ? (int)Math.Min(cache.JwtCacheSize, 65536) : 1024,
        };
    }

    private static byte[] Lower(string name) => Encoding.Latin1.GetBytes(name.ToLowerInvariant());

    private static List<TokenPlace> Places(ProviderMessage provider)
    {
        List<TokenPlace> places =
        [
            .. provider.FromHeaders.Select(
                static h => new TokenPlace(TokenPlaceKind.Header, Lower(h.Name), Encoding.Latin1.GetBytes(h.ValuePrefix), null)),
            .. provider.FromParams.Select(static p => new TokenPlace(TokenPlaceKind.Parameter, Encoding.UTF8.GetBytes(p), [], null)),
            .. provider.FromCookies.Select(static c => new TokenPlace(TokenPlaceKind.Cookie, Encoding.UTF8.GetBytes(c), [], null)),
        ];
        if (places.Count == 0)
        {
            places.Add(new TokenPlace(TokenPlaceKind.Header, "authorization"u8.ToArray(), "Bearer "u8.ToArray(), null));
            places.Add(new TokenPlace(TokenPlaceKind.Parameter, "access_token"u8.ToArray(), [], null));
        }
        return places;
    }

    private static KeySource? Remote(RemoteJwks remote, StatGroup stats, Translation translation, Rejections rejections)
    {
        using Rejections.Scope scope = rejections.In("remote_jwks");
        if (remote.HttpUri is null || SideTranslator.Target(remote.HttpUri, translation, rejections) is not { } target)
        {
            rejections.Add("http_uri is required");
            return null;
        }
        (string authority, string path) = SideTranslator.Split(remote.HttpUri.Uri);
        if (remote.RetryPolicy is { } retry)
            target = target with { Retry = SideTranslator.Retry(retry) };
        return new KeySource(target, authority, path, ValueTranslator.Micros(remote.CacheDuration, KeysHoldMicros),
            remote.AsyncFetch is not null,
            Math.Max(1000, ValueTranslator.Micros(remote.AsyncFetch?.FailedRefetchDuration, 1_000_000)), stats);
    }

    private sealed class Requirements(SortedDictionary<string, JwtProvider> providers, Rejections rejections)
    {
        public JwtRequirement? Read(RequirementMessage message)
        {
            switch (message.RequiresTypeCase)
            {
                case RequirementMessage.RequiresTypeOneofCase.ProviderName:
                    return Of(message.ProviderName, null);
                case RequirementMessage.RequiresTypeOneofCase.ProviderAndAudiences:
                    return Of(message.ProviderAndAudiences.ProviderName, message.ProviderAndAudiences.Audiences.Count == 0
                        ? null : new AudienceCheck(message.ProviderAndAudiences.Audiences));
                case RequirementMessage.RequiresTypeOneofCase.RequiresAny:
                    return Any(message.RequiresAny);
                case RequirementMessage.RequiresTypeOneofCase.RequiresAll:
                    return new AllRequirement([.. message.RequiresAll.Requirements.Select(Read).OfType<JwtRequirement>()]);
                case RequirementMessage.RequiresTypeOneofCase.AllowMissingOrFailed:
                    return new OptionalRequirement([.. providers.Values], orFailed: true);
                case RequirementMessage.RequiresTypeOneofCase.AllowMissing:
                    return new OptionalRequirement([.. providers.Values], orFailed: false);
                default:
                    return null;
            }
        }

        private ProviderRequirement? Of(string name, AudienceCheck? audiences)
        {
            if (providers.TryGetValue(name, out JwtProvider? provider))
                return new ProviderRequirement(provider, audiences);
            rejections.Add($"Required provider ['{name}'] is not configured.");
            return null;
        }

        private JwtRequirement Any(JwtRequirementOrList any)
        {
            bool missing = any.Requirements.Any(static r => r.AllowMissing is not null),
                failed = any.Requirements.Any(static r => r.AllowMissingOrFailed is not null);
            JwtRequirement[] children = [.. any.Requirements.Where(static r => r.AllowMissing is null && r.AllowMissingOrFailed is null)
                .Select(Read).OfType<JwtRequirement>()];
            return children.Length == 0 && (missing || failed)
                ? new OptionalRequirement([.. providers.Values], failed) : new AnyRequirement(children, missing, failed);
        }
    }
}
