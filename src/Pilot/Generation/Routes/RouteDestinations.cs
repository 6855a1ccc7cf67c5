using System.Text;
using Envoy.Config.Route.V3;
using Envoy.Type.Matcher.V3;
using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Generation.Filters;
using EnvoyRoute = Envoy.Config.Route.V3.Route;

namespace Lateen.Pilot.Generation.Routes;

/// <summary>The forwarding action of one rule: destinations, rewrites, mirrors, timeouts, retries, hashing.</summary>
internal sealed class RouteDestinations
{
    private readonly RouteRulesInputs inputs;
    private readonly HTTPRoute rule;
    private readonly EnvoyRoute route;
    private readonly RouteAction action = new();

    public RouteDestinations(RouteRulesInputs inputs, HTTPRoute rule, EnvoyRoute route) => (this.inputs, this.rule, this.route) = (inputs, rule, route);

    /// <summary>Fills the route's action.</summary>
    /// <param name="authority">Host that the rule's header changes ask for; a rewrite of the rule wins over it.</param>
    public void Apply(string authority)
    {
        route.Route_ = action;
        DefaultRoutes.ApplyTimeout(action, rule.Timeout, inputs.IsProxylessGrpc);
        if (inputs.Rules.IsGatewayApi) action.ClusterNotFoundResponseCode = RouteAction.Types.ClusterNotFoundResponseCode.InternalServerError;
        ApplyRewrite();
        if (rule.Rewrite?.Authority is { Length: > 0 } rewritten) authority = rewritten;
        if (authority.Length > 0)
        {
            action.HostRewriteLiteral = authority;
            action.AppendXForwardedHost = (inputs.Config ?? inputs.Mesh.DefaultConfig)?.ProxyHeaders?.XForwardedHost?.Enabled == true;
        }
        ApplyMirrors();
        var hashed = rule.Route.Count == 1 ? ApplySingle(rule.Route[0]) : ApplyWeighted();
        action.RetryPolicy = RetryPolicies.Outbound(rule.Retries ?? inputs.Mesh.DefaultHttpRetryPolicy, hashed);
    }

    private void ApplyRewrite()
    {
        if (rule.Rewrite is not { } rewrite) return;
        if (rewrite.UriRegexRewrite is { } regex)
        {
            action.RegexRewrite = new RegexMatchAndSubstitute { Pattern = StringMatches.Regex(regex.Match), Substitution = regex.Rewrite };
        }
        else if (inputs.Rules.IsGatewayApi && rewrite.Uri == "/")
        {
            // Taking a prefix away must leave "/" both of "/prefix" and of "/prefix/"; a textual rewrite would give "//".
            var prefix = QuoteRegex(route.Match.PathSeparatedPrefix);
            action.RegexRewrite = new RegexMatchAndSubstitute { Pattern = StringMatches.Regex($"^{prefix}(/?)(.*)"), Substitution = "/\\2" };
        }
        else if (rewrite.Uri.Length > 0) action.PrefixRewrite = rewrite.Uri;
    }

    private void ApplyMirrors()
    {
        if (rule.Mirror is { } single && RouteFilterConfigs.MirrorShare(rule) is { } share) AddMirror(single, share);
        foreach (var mirror in rule.Mirrors)
        {
            if (mirror.Destination is { } destination && RouteFilterConfigs.MirrorShare(mirror) is { } part) AddMirror(destination, part);
        }
    }

    private void AddMirror(Destination destination, Envoy.Config.Core.V3.RuntimeFractionalPercent share) =>
        action.RequestMirrorPolicies.Add(RouteFilterConfigs.Mirror(Cluster(destination), share, inputs.MarksMirroredHosts));

    // Header changes of an only destination join those of the route; its authority counts when the route has none.
    private bool ApplySingle(HTTPRouteDestination destination)
    {
        action.Cluster = Cluster(destination.Destination);
        var headers = HeaderOperations.Of(destination.Headers);
        headers.AppendTo(route);
        if (headers.Authority.Length > 0 && action.HostRewriteSpecifierCase == RouteAction.HostRewriteSpecifierOneofCase.None)
        {
            action.HostRewriteLiteral = headers.Authority;
        }
        return AddHash(destination);
    }

    private bool ApplyWeighted()
    {
        action.WeightedClusters = new WeightedCluster();
        foreach (var destination in rule.Route.Where(static d => d.Weight != 0))
        {
            var choice = new WeightedCluster.Types.ClusterWeight { Name = Cluster(destination.Destination), Weight = (uint)destination.Weight };
            HeaderOperations.Of(destination.Headers).AppendTo(choice);
            action.WeightedClusters.Clusters.Add(choice);
            AddHash(destination);
        }
        return false;
    }

    private bool AddHash(HTTPRouteDestination destination)
    {
        var hash = destination.Destination is null ? null : inputs.Lookups.Hash(destination.Destination);
        if (HashPolicies.Of(hash) is { } policy) action.HashPolicy.Add(policy);
        return hash is not null;
    }

    private string Cluster(Destination? destination) =>
        inputs.Lookups.Cluster(destination ?? new Destination(), inputs.Lookups.Service(destination?.Host ?? ""), inputs.ListenPort);

    /// <summary>Escapes what RE2 would read as an operator.</summary>
    private static string QuoteRegex(string text)
    {
        var quoted = new StringBuilder();
        foreach (var c in text)
        {
            if (@"\.+*?()|[]{}^$".Contains(c, StringComparison.Ordinal)) quoted.Append('\\');
            quoted.Append(c);
        }
        return quoted.ToString();
    }
}
