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
    private readonly RouteRulesInputs _inputs;
    private readonly HTTPRoute _rule;
    private readonly EnvoyRoute _route;
    private readonly RouteAction _action = new();

    public RouteDestinations(RouteRulesInputs inputs, HTTPRoute rule, EnvoyRoute route) => (_inputs, _rule, _route) = (inputs, rule, route);

    /// <summary>Fills the route's action.</summary>
    /// <param name="authority">Host that the rule's header changes ask for; a rewrite of the rule wins over it.</param>
    public void Apply(string authority)
    {
        _route.Route_ = _action;
        DefaultRoutes.ApplyTimeout(_action, _rule.Timeout, _inputs.IsProxylessGrpc);
        if (_inputs.Rules.IsGatewayApi)
            _action.ClusterNotFoundResponseCode = RouteAction.Types.ClusterNotFoundResponseCode.InternalServerError;
        ApplyRewrite();
        if (_rule.Rewrite?.Authority is { Length: > 0 } rewritten) authority = rewritten;
        if (authority.Length > 0)
        {
            _action.HostRewriteLiteral = authority;
            _action.AppendXForwardedHost = (_inputs.Config ?? _inputs.Mesh.DefaultConfig)?.ProxyHeaders?.XForwardedHost?.Enabled == true;
        }
        ApplyMirrors();
        var hashed = _rule.Route.Count == 1 ? ApplySingle(_rule.Route[0]) : ApplyWeighted();
        _action.RetryPolicy = RetryPolicies.Outbound(_rule.Retries ?? _inputs.Mesh.DefaultHttpRetryPolicy, hashed);
    }

    private void ApplyRewrite()
    {
        if (_rule.Rewrite is not { } rewrite) return;
        if (rewrite.UriRegexRewrite is { } regex)
        {
            _action.RegexRewrite = new RegexMatchAndSubstitute { Pattern = StringMatches.Regex(regex.Match), Substitution = regex.Rewrite };
        }
        else if (_inputs.Rules.IsGatewayApi && rewrite.Uri == "/")
        {
            // Taking a prefix away must leave "/" both of "/prefix" and of "/prefix/"; a textual rewrite would give "//".
            var prefix = QuoteRegex(_route.Match.PathSeparatedPrefix);
            _action.RegexRewrite = new RegexMatchAndSubstitute
            {
                Pattern = StringMatches.Regex($"^{prefix}(/?)(.*)"),
                Substitution = "/\\2",
            };
        }
        else if (rewrite.Uri.Length > 0) _action.PrefixRewrite = rewrite.Uri;
    }

    private void ApplyMirrors()
    {
        if (_rule.Mirror is { } single && RouteFilterConfigs.MirrorShare(_rule) is { } share) AddMirror(single, share);
        foreach (var mirror in _rule.Mirrors)
        {
            if (mirror.Destination is { } destination && RouteFilterConfigs.MirrorShare(mirror) is { } part) AddMirror(destination, part);
        }
    }

    private void AddMirror(Destination destination, Envoy.Config.Core.V3.RuntimeFractionalPercent share) =>
        _action.RequestMirrorPolicies.Add(RouteFilterConfigs.Mirror(Cluster(destination), share, _inputs.MarksMirroredHosts));

    // Header changes of an only destination join those of the route; its authority counts when the route has none.
    private bool ApplySingle(HTTPRouteDestination destination)
    {
        _action.Cluster = Cluster(destination.Destination);
        var headers = HeaderOperations.Of(destination.Headers);
        headers.AppendTo(_route);
        if (headers.Authority.Length > 0 && _action.HostRewriteSpecifierCase == RouteAction.HostRewriteSpecifierOneofCase.None)
        {
            _action.HostRewriteLiteral = headers.Authority;
        }
        return AddHash(destination);
    }

    private bool ApplyWeighted()
    {
        _action.WeightedClusters = new WeightedCluster();
        foreach (var destination in _rule.Route.Where(static d => d.Weight != 0))
        {
            var choice = new WeightedCluster.Types.ClusterWeight
            {
                Name = Cluster(destination.Destination),
                Weight = (uint)destination.Weight,
            };
            HeaderOperations.Of(destination.Headers).AppendTo(choice);
            _action.WeightedClusters.Clusters.Add(choice);
            AddHash(destination);
        }
        return false;
    }

    private bool AddHash(HTTPRouteDestination destination)
    {
        var hash = destination.Destination is null ? null : _inputs.Lookups.Hash(destination.Destination);
        if (HashPolicies.Of(hash) is { } policy) _action.HashPolicy.Add(policy);
        return hash is not null;
    }

    private string Cluster(Destination? destination) =>
        _inputs.Lookups.Cluster(destination ?? new Destination(), _inputs.Lookups.Service(destination?.Host ?? ""), _inputs.ListenPort);

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
