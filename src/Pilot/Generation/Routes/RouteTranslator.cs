using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Generation.Filters;
using EnvoyRoute = Envoy.Config.Route.V3.Route;

namespace Lateen.Pilot.Generation.Routes;

/// <summary>The http rules of one VirtualService as Envoy routes for one proxy and port.</summary>
public static class RouteTranslator
{
    /// <summary>The routes in order; the first that matches everything ends the list. Empty when no rule is for this proxy and
    /// port.</summary>
    public static IReadOnlyList<EnvoyRoute> Translate(RouteRulesInputs inputs)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        var routes = new List<EnvoyRoute>();
        foreach (var rule in inputs.Rules.Rules.Http)
        {
            if (rule.Match.Count == 0)
            {
                routes.Add(Translate(inputs, rule, null));
                return routes;
            }
            foreach (var match in rule.Match)
            {
                if (!IsFor(inputs, match)) continue;
                var route = Translate(inputs, rule, match);
                routes.Add(route);
                if (RouteMatches.IsCatchAll(route.Match)) return routes;
            }
        }
        return routes;
    }

    /// <summary>Moves catch-all routes to the end; the others keep their order. Needed where rules of several resources share a
    /// host.</summary>
    public static IEnumerable<EnvoyRoute> CatchAllsLast(IReadOnlyList<EnvoyRoute> routes) =>
        routes.Where(static r => !RouteMatches.IsCatchAll(r.Match)).Concat(routes.Where(static r => RouteMatches.IsCatchAll(r.Match)));

    private static bool IsFor(RouteRulesInputs inputs, HTTPMatchRequest match) =>
        (match.Port == 0 || match.Port == inputs.ListenPort) && RouteMatches.AppliesTo(match, inputs);

    private static EnvoyRoute Translate(RouteRulesInputs inputs, HTTPRoute rule, HTTPMatchRequest? match)
    {
        var route = new EnvoyRoute
        {
            Name = string.IsNullOrEmpty(match?.Name) ? rule.Name : rule.Name + "." + match.Name,
            Match = RouteMatches.Of(match, inputs.Rules.SegmentPrefixes),
            Metadata = Wire.ProvenanceOfVirtualService(inputs.Rules.Namespace, inputs.Rules.Name),
            StatPrefix = match?.StatPrefix ?? "",
        };
        var headers = HeaderOperations.Of(rule.Headers);
        headers.AppendTo(route);
        if (rule.Redirect is { } redirect) Redirects.Apply(route, redirect, inputs);
        else if (rule.DirectResponse is { } response) Redirects.Apply(route, response);
        else new RouteDestinations(inputs, rule, route).Apply(headers.Authority);
        route.Decorator = new Envoy.Config.Route.V3.Decorator { Operation = TraceOperation(route, inputs) };
        AddFilterConfigs(inputs, rule, route);
        if (inputs.AdvertisesHttp3) route.ResponseHeadersToAdd.Add(AltSvc(inputs.ListenPort));
        return route;
    }

    private static void AddFilterConfigs(RouteRulesInputs inputs, HTTPRoute rule, EnvoyRoute route)
    {
        if (rule.Fault is { } fault) route.TypedPerFilterConfig[RouteFilterConfigs.FaultName] = Wire.Pack(RouteFilterConfigs.Fault(fault));
        if (rule.CorsPolicy is { } cors) route.TypedPerFilterConfig[RouteFilterConfigs.CorsName] = Wire.Pack(RouteFilterConfigs.Cors(cors));
        if (rule.Redirect is not null || rule.DirectResponse is not null) return;
        if (inputs.Lookups.Picker(rule) is { } picker)
            route.TypedPerFilterConfig[EndpointPickers.FilterName] = Wire.Pack(EndpointPickers.Route(picker));
        // Several destinations may each have a session setting; one route can carry a single one.
        var session = rule.Route.Where(d => rule.Route.Count == 1 || d.Weight != 0)
            .Select(d => PersistentSessions.For(inputs.Lookups.Service(d.Destination?.Host ?? "")))
            .FirstOrDefault(static s => s is not null);
        if (session is not null) route.TypedPerFilterConfig[PersistentSessions.FilterName] = session;
    }

    /// <summary>What a span of this route is called: the destination and path, or the rule's name where there are several
    /// destinations.</summary>
    private static string TraceOperation(EnvoyRoute route, RouteRulesInputs inputs)
    {
        var match = route.Match;
        var path = match.PathSpecifierCase switch
        {
            Envoy.Config.Route.V3.RouteMatch.PathSpecifierOneofCase.Prefix => match.Prefix + "*",
            Envoy.Config.Route.V3.RouteMatch.PathSpecifierOneofCase.Path => match.Path,
            Envoy.Config.Route.V3.RouteMatch.PathSpecifierOneofCase.SafeRegex => match.SafeRegex.Regex,
            _ => "/*",
        };
        var parts = route.Route_?.Cluster.Split('|');
        return parts is { Length: 4 } ? $"{parts[3]}:{parts[1]}{path}" : $"{inputs.Rules.Name}:{inputs.ListenPort}{path}";
    }

    private static Envoy.Config.Core.V3.HeaderValueOption AltSvc(int port) => new()
    {
        Header = new Envoy.Config.Core.V3.HeaderValue { Key = "alt-svc", Value = $"h3=\":{port}\"; ma=86400" },
    };
}
