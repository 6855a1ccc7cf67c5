using Envoy.Config.Core.V3;
using Envoy.Config.Route.V3;
using Envoy.Extensions.Filters.Http.JwtAuthn.V3;
using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Google.Protobuf.WellKnownTypes;
using Istio.Security.V1Beta1;
using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Generation.Security.Names;
using Lateen.Pilot.Generation.Telemetry;

namespace Lateen.Pilot.Generation.Security;

/// <summary>RequestAuthentications of one workload, as the filter that validates tokens.</summary>
internal sealed class RequestSecurity
{
    private const long DefaultFetchSeconds = 5;
    private const long CacheSeconds = 300;
    private readonly RequestSecurityInputs _inputs;
    private readonly IReadOnlyList<JWTRule> _rules;

    public RequestSecurity(ProxyInputs inputs, PolicyTarget target)
        : this(
            Ordered(WorkloadPolicies.RequestAuthentications(inputs.Scope.Snapshot.Policies, target,
                inputs.Scope.Snapshot.Settings.RootNamespace).Select(static p => p.Spec)),
            new RequestSecurityInputs(inputs.Scope.Snapshot.Registry, inputs.Features.RemoteJwks, inputs.Keys)
            {
                // Routes of a gateway or waypoint may depend on claims, which are known only behind this filter.
                ClearsRouteCache = inputs.Node.Type is Scope.ProxyType.Router or Scope.ProxyType.Waypoint,
            })
    {
    }

    public RequestSecurity(IEnumerable<JWTRule> rules, RequestSecurityInputs inputs)
    {
        _inputs = inputs;
        _rules = rules.ToList();
    }

    /// <summary>The rules of policies in an order that does not depend on that of the policies.</summary>
    public static IEnumerable<JWTRule> Ordered(IEnumerable<RequestAuthentication> policies) =>
        policies.SelectMany(static p => p.JwtRules).OrderBy(static r => r.Issuer, StringComparer.Ordinal);

    /// <summary>The filter; none without rules.</summary>
    public IEnumerable<HttpFilter> Http(ListenerClass listenerClass)
    {
        if (listenerClass == ListenerClass.SidecarOutbound || _rules.Count == 0) yield break;
        var config = new JwtAuthentication { BypassCorsPreflight = true };
        for (var i = 0; i < _rules.Count; i++) config.Providers[Name(i)] = Provider(_rules[i]);
        config.Rules.Add(new RequirementRule { Match = new RouteMatch { Prefix = "/" }, Requires = Requirement() });
        yield return HttpFilters.Named(ClaimMatches.FilterName, config);
    }

    private static string Name(int index) => $"origins-{index}";

    // A token that is there must be valid; that one is there is asked for by authorization. With several issuers a token of one of them
    // is enough, and the absence of all is no error.
    private JwtRequirement Requirement()
    {
        if (_rules.Count == 1) return Optional(0);
        var any = new JwtRequirementOrList();
        var all = new JwtRequirementAndList();
        for (var i = 0; i < _rules.Count; i++)
        {
            any.Requirements.Add(new JwtRequirement { ProviderName = Name(i) });
            all.Requirements.Add(Optional(i));
        }
        any.Requirements.Add(new JwtRequirement { RequiresAll = all });
        return new JwtRequirement { RequiresAny = any };
    }

    private JwtRequirement Optional(int index)
    {
        var provider = new JwtRequirement { ProviderName = Name(index) };
        if (_rules[index].Presence == JWTRule.Types.Presence.Required) return provider;
        var either = new JwtRequirementOrList();
        either.Requirements.Add(provider);
        either.Requirements.Add(new JwtRequirement { AllowMissing = new Empty() });
        return new JwtRequirement { RequiresAny = either };
    }

    private JwtProvider Provider(JWTRule rule)
    {
        var provider = new JwtProvider
        {
            Issuer = rule.Issuer,
            Forward = rule.ForwardOriginalToken,
            ForwardPayloadHeader = rule.OutputPayloadToHeader,
            PayloadInMetadata = "payload",
            ClearRouteCache = _inputs.ClearsRouteCache,
            NormalizePayloadInMetadata = new JwtProvider.Types.NormalizePayload(),
        };
        provider.Audiences.Add(rule.Audiences);
        provider.NormalizePayloadInMetadata.SpaceDelimitedClaims.Add(
            rule.SpaceDelimitedClaims.Concat(["permission", "scope"]).Distinct().Order(StringComparer.Ordinal));
        provider.ClaimToHeaders.Add(
            rule.OutputClaimToHeaders.Select(static c => new JwtClaimToHeader { HeaderName = c.Header, ClaimName = c.Claim }));
        provider.FromHeaders.Add(rule.FromHeaders.Select(static h => new JwtHeader { Name = h.Name, ValuePrefix = h.Prefix }));
        provider.FromParams.Add(rule.FromParams);
        provider.FromCookies.Add(rule.FromCookies);
        ApplyKeys(provider, rule);
        return provider;
    }

    private void ApplyKeys(JwtProvider provider, JWTRule rule)
    {
        if (rule.Jwks.Length == 0 && rule.JwksUri.Length > 0 && Remote(rule) is { } remote) provider.RemoteJwks = remote;
        else provider.LocalJwks = new DataSource { InlineString = rule.Jwks.Length > 0
            ? rule.Jwks : _inputs.Keys(rule.Issuer, rule.JwksUri) };
    }

    // The mode decides who fetches the keys: the control plane, the proxy, or the proxy where it has a cluster for it.
    private RemoteJwks? Remote(JWTRule rule)
    {
        var mode = _inputs.Mode.ToLowerInvariant();
        if (mode is not ("true" or "envoy" or "hybrid") || JwksAddress.Parse(rule.JwksUri) is not { } address) return null;
        var known = Providers.Cluster(_inputs.Registry, address.Host, (uint)address.Port);
        if (known is null && mode == "hybrid") return null;
        return new RemoteJwks
        {
            HttpUri = new HttpUri
            {
                Uri = rule.JwksUri,
                Cluster = known?.Cluster ?? $"outbound|{address.Port}||{address.Host}",
                Timeout = rule.Timeout ?? Wire.Seconds(DefaultFetchSeconds),
            },
            CacheDuration = Wire.Seconds(CacheSeconds),
        };
    }
}

/// <summary>What the filter depends on besides the rules.</summary>
/// <param name="Registry">Services that hold keys.</param>
/// <param name="Mode">Who fetches keys: <c>false</c> the control plane, <c>true</c> or <c>envoy</c> the proxy, <c>hybrid</c> the proxy
/// where it can.</param>
/// <param name="Keys">Fetched keys by issuer and address.</param>
internal sealed record RequestSecurityInputs(Lateen.Registry.RegistryView Registry, string Mode, Func<string, string, string> Keys)
{
    /// <summary>Routes are chosen anew when a token was validated.</summary>
    public bool ClearsRouteCache { get; init; }
}
