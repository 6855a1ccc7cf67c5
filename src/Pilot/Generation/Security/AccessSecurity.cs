using Envoy.Config.Listener.V3;
using Envoy.Config.Rbac.V3;
using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Istio.Mesh.V1Alpha1;
using Istio.Security.V1Beta1;
using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Meaning;
using Lateen.Registry;
using HttpRbac = Envoy.Extensions.Filters.Http.Rbac.V3.RBAC;
using NetworkRbac = Envoy.Extensions.Filters.Network.Rbac.V3.RBAC;
using PolicyAction = Istio.Security.V1Beta1.AuthorizationPolicy.Types.Action;
using RbacAction = Envoy.Config.Rbac.V3.RBAC.Types.Action;

namespace Lateen.Pilot.Generation.Security;

/// <summary>AuthorizationPolicies of one workload, as filters.</summary>
internal sealed class AccessSecurity
{
    private const string HttpName = "envoy.filters.http.rbac";
    private const string NetworkName = "envoy.filters.network.rbac";
    private const string TcpStatPrefix = "tcp.";
    private const string ShadowAllow = "istio_dry_run_allow_";
    private const string ShadowDeny = "istio_dry_run_deny_";
    private const string DryRunAnnotation = "istio.io/dry-run";
    private const string BadProviderSuffix = "-deny-due-to-bad-CUSTOM-action";
    private const string MultipleProviders = "PILOT_ENABLE_MULTIPLE_CUSTOM_AUTHZ_PROVIDERS";

    private readonly IReadOnlyList<Meant<AuthorizationPolicy>> _policies;
    private readonly IReadOnlyList<string> _trustDomains;
    private readonly bool _fromFilterState;
    private readonly bool _manyProviders;
    private readonly MeshConfig _mesh;
    private readonly RegistryView _registry;

    public AccessSecurity(ProxyInputs inputs, PolicyTarget target)
        : this(
            WorkloadPolicies.AuthorizationPolicies(inputs.Scope.Snapshot.Policies, target, inputs.Scope.Snapshot.Settings.RootNamespace),
            inputs.Mesh, inputs.Scope.Snapshot.Registry, Own(inputs.Mesh), target.IsWaypoint,
            inputs.Features.Flag(MultipleProviders, false))
    {
    }

    /// <param name="policies">Policies that attach to the workload.</param>
    /// <param name="mesh">Mesh settings: providers.</param>
    /// <param name="registry">Services of providers.</param>
    /// <param name="trustDomains">Own trust domain and its aliases.</param>
    /// <param name="fromFilterState">The peer's identity comes out of a tunnel.</param>
    /// <param name="manyProviders">Several providers may be asked.</param>
    public AccessSecurity(
        IEnumerable<Meant<AuthorizationPolicy>> policies, MeshConfig mesh, RegistryView registry, IReadOnlyList<string> trustDomains,
        bool fromFilterState = false, bool manyProviders = false)
    {
        _policies = policies.ToList();
        (_mesh, _registry, _trustDomains, _fromFilterState, _manyProviders) =
            (mesh, registry, trustDomains, fromFilterState, manyProviders);
    }

    /// <summary>Filters of an HTTP chain.</summary>
    public IEnumerable<HttpFilter> Http() => Filters(false).Select(Http);

    /// <summary>Filters of a chain of bytes.</summary>
    public IEnumerable<Filter> Tcp() => Filters(true).Select(Tcp);

    /// <summary>Filters of an HTTP chain that ask somebody else.</summary>
    public IEnumerable<HttpFilter> CustomHttp()
    {
        foreach (var custom in Customs(false))
        {
            yield return Http(custom.Settings);
            if (custom.Provider is { } provider) yield return ExternalAuthorization.Http(provider, custom.Name);
        }
    }

    /// <summary>Filters of a chain of bytes that ask somebody else. HTTP providers can't be asked there.</summary>
    public IEnumerable<Filter> CustomTcp()
    {
        foreach (var custom in Customs(true))
        {
            if (custom.Provider is null)
            {
                yield return Tcp(custom.Settings);
                continue;
            }
            if (ExternalAuthorization.Tcp(custom.Provider, custom.Name) is not { } filter) continue;
            yield return Tcp(custom.Settings);
            yield return filter;
        }
    }

    // ---- own decisions

    private sealed record Settings(RBAC? Rules, RBAC? Shadow, string ShadowPrefix);

    private IEnumerable<Settings> Filters(bool forTcp)
    {
        var order = new[] { (PolicyAction.Audit, RbacAction.Log), (PolicyAction.Deny, RbacAction.Deny),
            (PolicyAction.Allow, RbacAction.Allow) };
        foreach (var (written, action) in order)
        {
            RBAC? rules = null, shadow = null;
            foreach (var policy in _policies.Where(p => p.Spec.Action == written))
            {
                var isDryRun = bool.TryParse(policy.Origin.Annotations.GetValueOrDefault(DryRunAnnotation), out var dry) && dry;
                Add(isDryRun ? shadow ??= new RBAC { Action = action } : rules ??= new RBAC { Action = action }, policy, forTcp, "", "");
            }
            if (rules is null && shadow is null) continue;
            yield return new Settings(rules, shadow, (shadow?.Action ?? RbacAction.Allow) switch
            {
                RbacAction.Allow => ShadowAllow,
                RbacAction.Deny => ShadowDeny,
                _ => "",
            });
        }
    }

    private void Add(RBAC rbac, Meant<AuthorizationPolicy> policy, bool forTcp, string prefix, string suffix)
    {
        var name = $"{prefix}ns[{policy.Origin.Namespace}]-policy[{policy.Origin.Name}]-rule";
        if (policy.Spec.Rules.Count == 0)
        {
            rbac.Policies[$"{name}[0]{suffix}"] = RbacRules.Never();
            return;
        }
        var inputs = new RbacRuleInputs(policy.Origin.Namespace, forTcp, rbac.Action, _fromFilterState, _trustDomains);
        for (var i = 0; i < policy.Spec.Rules.Count; i++)
        {
            if (RbacRules.Build(policy.Spec.Rules[i] ?? new Rule(), inputs) is { } built) rbac.Policies[$"{name}[{i}]{suffix}"] = built;
        }
    }

    // ---- decisions of others

    private sealed record Custom(string Name, Settings Settings, ExternalProvider? Provider);

    // The rules run as shadow rules: their only effect is a note for the filter behind, which asks the provider when it finds its name in
    // it.
    private IEnumerable<Custom> Customs(bool forTcp)
    {
        var byProvider = _policies.Where(static p => p.Spec.Action == PolicyAction.Custom)
            .GroupBy(static p => p.Spec.Provider?.Name ?? "").OrderBy(static g => g.Key, StringComparer.Ordinal).ToList();
        var tooMany = byProvider.Count > 1 && !_manyProviders;
        foreach (var group in byProvider)
        {
            var provider = tooMany ? null : ExternalAuthorization.Resolve(_mesh, _registry, group.Key);
            var rules = new RBAC { Action = RbacAction.Deny };
            foreach (var policy in group)
                Add(rules, policy, forTcp, $"{ExternalAuthorization.PolicyPrefix}-{group.Key}-", provider is null ? BadProviderSuffix : "");
            // Whoever can't be asked has not agreed.
            yield return provider is null
                ? new Custom(group.Key, new Settings(rules, null, ""), null)
                : new Custom(group.Key, new Settings(null, rules, ExternalAuthorization.ShadowPrefix), provider);
        }
    }

    // ---- messages

    private static HttpFilter Http(Settings settings) => HttpFilters.Named(HttpName, new HttpRbac
    {
        Rules = settings.Rules,
        ShadowRules = settings.Shadow,
        ShadowRulesStatPrefix = settings.ShadowPrefix,
    });

    private static Filter Tcp(Settings settings) => NetworkFilters.Named(NetworkName, new NetworkRbac
    {
        StatPrefix = TcpStatPrefix,
        Rules = settings.Rules,
        ShadowRules = settings.Shadow,
        ShadowRulesStatPrefix = settings.ShadowPrefix,
    });

    private static List<string> Own(MeshConfig mesh) =>
        new[] { mesh.TrustDomain }.Concat(mesh.TrustDomainAliases).Where(static d => d.Length > 0).ToList();
}
