using System.Text;
using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.CredentialInjector;
using Lateen.Proxy.Filters.Csrf;
using Lateen.Proxy.Filters.GrpcWeb;
using Lateen.Proxy.Filters.HealthCheck;
using Lateen.Proxy.Filters.IpTagging;
using Lateen.Proxy.Filters.StatefulSession;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;
using CredentialMessage = Envoy.Extensions.Filters.Http.CredentialInjector.V3.CredentialInjector;
using CsrfMessage = Envoy.Extensions.Filters.Http.Csrf.V3.CsrfPolicy;
using HealthMessage = Envoy.Extensions.Filters.Http.HealthCheck.V3.HealthCheck;
using SessionMessage = Envoy.Extensions.Filters.Http.StatefulSession.V3.StatefulSession;
using SessionRoute = Envoy.Extensions.Filters.Http.StatefulSession.V3.StatefulSessionPerRoute;
using TaggingMessage = Envoy.Extensions.Filters.Http.IpTagging.V3.IPTagging;

namespace Lateen.Proxy.Xds.Filters.Transforms;

/// <summary>envoy.filters.http.csrf.</summary>
internal sealed class CsrfTranslator : FilterTranslator
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Types => ["envoy.extensions.filters.http.csrf.v3.CsrfPolicy"];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections) =>
        Read(config, rejections) is { } policy
            ? new CsrfFilter(name, policy,
                translation.Statistics.Group($"{translation.HttpStatPrefix}csrf.", CsrfFilter.Counted)) { DisabledByDefault = disabled }
                : null;

    /// <inheritdoc/>
    public override object? Settings(Any config, Translation translation, Rejections rejections) => Read(config, rejections);

    private static CsrfPolicy? Read(Any config, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, CsrfMessage.Parser, rejections) is not { } csrf)
            return null;
        if (csrf.FilterEnabled is null)
            rejections.Add("CsrfPolicyValidationError.FilterEnabled: value is required");
        Fraction none = new(0, 100);
        return new CsrfPolicy
        {
            Enabled = ValueTranslator.Fraction(csrf.FilterEnabled, none),
            Shadow = ValueTranslator.Fraction(csrf.ShadowEnabled, none),
            Origins = [.. csrf.AdditionalOrigins.Select(o => MatcherTranslator.String(o, rejections)).OfType<StringMatch>()],
        };
    }
}

/// <summary>envoy.filters.http.health_check.</summary>
internal sealed class HealthCheckFilterTranslator : FilterTranslator
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Types => ["envoy.extensions.filters.http.health_check.v3.HealthCheck"];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, HealthMessage.Parser, rejections) is not { } health)
            return null;
        bool pass = health.PassThroughMode ?? false;
        long cache = ValueTranslator.Micros(health.CacheTime);
        if (!pass && cache > 0)
            rejections.Add("cache_time_ms must not be set when path_through_mode is disabled");
        if (pass && health.ClusterMinHealthyPercentages.Count > 0)
            rejections.Add("cluster_min_healthy_percentages must not be set when pass_through_mode is enabled");
        return new HealthCheckFilter(name, new HealthCheckOptions
        {
            PassThrough = pass,
            CacheMicros = cache,
            Clusters = [.. health.ClusterMinHealthyPercentages.Select(p => (translation.Clusters.Handle(p.Key), p.Value.Value))],
            Headers = [.. health.Headers.Select(h => MatcherTranslator.Header(h, rejections))],
            Failing = translation.Failing ?? (static () => false),
            OwnCluster = translation.Node.Cluster,
        }) { DisabledByDefault = disabled };
    }
}

/// <summary>envoy.filters.http.ip_tagging.</summary>
internal sealed class IpTaggingTranslator : FilterTranslator
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Types => ["envoy.extensions.filters.http.ip_tagging.v3.IPTagging"];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, TaggingMessage.Parser, rejections) is not { } tagging)
            return null;
        if (tagging.IpTags.Count == 0)
            rejections.Add("HTTP IP Tagging Filter requires ip_tags to be specified.");
        return new IpTaggingFilter(name, new IpTaggingOptions
        {
            Internal = tagging.RequestType != TaggingMessage.Types.RequestType.External,
            External = tagging.RequestType != TaggingMessage.Types.RequestType.Internal,
            Tags = [.. tagging.IpTags.Select(
                t => new IpTag(t.IpTagName, [.. t.IpList.Select(r => ValueTranslator.Prefix(r, rejections)).OfType<Prefix>()]))],
            Header = Encoding.Latin1.GetBytes((tagging.IpTagHeader?.Header ?? "").ToLowerInvariant()),
            AppendsToHeader = tagging.IpTagHeader?.Action == TaggingMessage.Types.IpTagHeader.Types.HeaderAction.AppendIfExistsOrAdd,
        }) { DisabledByDefault = disabled };
    }
}

/// <summary>envoy.filters.http.credential_injector.</summary>
internal sealed class CredentialInjectorTranslator : FilterTranslator
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Types => ["envoy.extensions.filters.http.credential_injector.v3.CredentialInjector"];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections) =>
        Read(config, translation, rejections) is { } credential
            ? new CredentialInjectorFilter(name, credential) { DisabledByDefault = disabled } : null;

    /// <inheritdoc/>
    public override object? Settings(Any config, Translation translation, Rejections rejections) => Read(config, translation, rejections);

    private static InjectedCredential? Read(Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, CredentialMessage.Parser, rejections) is not { } message)
            return null;
        Any any = message.Credential?.TypedConfig ?? new Any();
        if (ValueTranslator.TypeName(any) != "envoy.extensions.http.injected_credentials.generic.v3.Generic")
        {
            rejections.Add($"credential {message.Credential?.Name} ({any.TypeUrl}) is not served: only generic credentials are");
            return null;
        }
        if (ValueTranslator.Unpack(any, Envoy.Extensions.Http.InjectedCredentials.Generic.V3.Generic.Parser,
            rejections) is not { Credential: { } secret } generic)
            return null;
        byte[] header = Encoding.Latin1.GetBytes(generic.Header.Length > 0 ? generic.Header.ToLowerInvariant() : "authorization");
        return new InjectedCredential(header, translation.Security.SecretText(secret), message.Overwrite,
            message.AllowRequestWithoutCredential);
    }
}

/// <summary>envoy.filters.http.stateful_session.</summary>
internal sealed class StatefulSessionTranslator : FilterTranslator
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Types =>
        ["envoy.extensions.filters.http.stateful_session.v3.StatefulSession",
            "envoy.extensions.filters.http.stateful_session.v3.StatefulSessionPerRoute"];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections) =>
        ValueTranslator.Unpack(config, SessionMessage.Parser, rejections) is { } session
            ? new StatefulSessionFilter(name, Of(session, rejections)) { DisabledByDefault = disabled } : null;

    /// <inheritdoc/>
    public override object? Settings(Any config, Translation translation, Rejections rejections) =>
        ValueTranslator.Unpack(config, SessionRoute.Parser, rejections) is not { } route ? null
            : route.OverrideCase == SessionRoute.OverrideOneofCase.Disabled
            ? new StatefulSessionSettings(null, false) : Of(route.StatefulSession ?? new SessionMessage(), rejections);

    private static StatefulSessionSettings Of(SessionMessage session, Rejections rejections) =>
        new(session.SessionState is null ? null : State(session.SessionState.TypedConfig, rejections), session.Strict);

    private static SessionState? State(Any any, Rejections rejections)
    {
        switch (ValueTranslator.TypeName(any))
        {
            case "envoy.extensions.http.stateful_session.cookie.v3.CookieBasedSessionState":
                Envoy.Type.Http.V3.Cookie? cookie = ValueTranslator.Unpack(any,
                    Envoy.Extensions.Http.StatefulSession.Cookie.V3.CookieBasedSessionState.Parser, rejections)?.Cookie;
                if (cookie is null || cookie.Name.Length == 0)
                    rejections.Add("Cookie key cannot be empty for cookie based stateful sessions");
                return cookie is null ? null : new CookieSession(cookie.Name, cookie.Path, ValueTranslator.Micros(cookie.Ttl) / 1_000_000);
            case "envoy.extensions.http.stateful_session.header.v3.HeaderBasedSessionState":
                string? header = ValueTranslator.Unpack(any, Envoy.Extensions.Http.StatefulSession.Header.V3.HeaderBasedSessionState.Parser,
                    rejections)?.Name;
                if (string.IsNullOrEmpty(header))
                    rejections.Add("Header name cannot be empty for header based stateful sessions");
                return string.IsNullOrEmpty(header) ? null : new HeaderSession(header);
            default:
                rejections.Add($"session state {any.TypeUrl} is not served");
                return null;
        }
    }
}

/// <summary>envoy.filters.http.grpc_web.</summary>
internal sealed class GrpcWebTranslator : FilterTranslator
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Types => ["envoy.extensions.filters.http.grpc_web.v3.GrpcWeb"];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections) =>
        new GrpcWebFilter(name, new Proxy.Filters.GrpcStats.GrpcCounterTable(translation.Statistics, "grpc-web",
            replaceDots: false)) { DisabledByDefault = disabled };
}

/// <summary>envoy.filters.http.on_demand. What it could load on demand (clusters, virtual hosts) is not served; without that it does
/// nothing.</summary>
internal sealed class OnDemandTranslator : FilterTranslator
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Types =>
        ["envoy.extensions.filters.http.on_demand.v3.OnDemand", "envoy.extensions.filters.http.on_demand.v3.PerRouteConfig"];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, Envoy.Extensions.Filters.Http.OnDemand.V3.OnDemand.Parser, rejections)?.Odcds is not null)
            rejections.Add("odcds: clusters on demand are not served");
        return new IdleFilter(name) { DisabledByDefault = disabled };
    }

    /// <inheritdoc/>
    public override object? Settings(Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, Envoy.Extensions.Filters.Http.OnDemand.V3.PerRouteConfig.Parser, rejections)?.Odcds is not null)
            rejections.Add("odcds: clusters on demand are not served");
        return null;
    }

    private sealed class IdleFilter(string name) : HttpFilter(name)
    {
        public override FilterPhases Phases => FilterPhases.None;
    }
}
