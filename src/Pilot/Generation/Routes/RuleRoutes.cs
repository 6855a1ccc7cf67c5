using Istio.Networking.V1Alpha3;
using Lateen.Registry;
using EnvoyRoute = Envoy.Config.Route.V3.Route;
using ProxyConfig = Istio.Mesh.V1Alpha1.ProxyConfig;

namespace Lateen.Pilot.Generation.Routes;

/// <summary>The routes of one VirtualService as clients of one sort were given them, and what was looked up to make them. While that is the
/// same, so are they, and hosts that were made of them serve again.</summary>
/// <param name="rules">The VirtualService.</param>
/// <param name="inputs">What the configuration depends on that they are made for.</param>
internal sealed class RuleRoutes(RouteRules rules, SidecarRouteInputs inputs)
{
    private readonly List<(string Host, Service? Found)> _services = [];
    private readonly List<(string Host, DestinationRule? Found)> _destinationRules = [];
    private readonly IReadOnlyDictionary<string, string> _labels = inputs.Labels;
    private readonly ProxyConfig? _config = inputs.Config;

    /// <summary>The VirtualService.</summary>
    public RouteRules Rules => rules;

    /// <summary>There is none for such clients.</summary>
    public bool IsEmpty { get; private set; }

    /// <summary>The routes; null outside of the build that made them: as messages they take ten times their bytes.</summary>
    public IReadOnlyList<EnvoyRoute>? Made { get; private set; }

    /// <summary>The build that used them last.</summary>
    internal long Used { get; set; }

    /// <summary>Makes them with these lookups, which are noted.</summary>
    public IReadOnlyList<EnvoyRoute> Make(RouteRulesInputs how, Func<string, Service?> service, Func<string, DestinationRule?> rule)
    {
        _services.Clear();
        _destinationRules.Clear();
        Made = RouteTranslator.Translate(how with
        {
            Lookups = new RouteLookups
            {
                Service = host => Noted(_services, host, service(host)),
                Hash = destination => HashPolicies.ForDestination(Noted(_destinationRules, destination.Host, rule(destination.Host)),
                    destination),
            },
        });
        IsEmpty = Made.Count == 0;
        return Made;
    }

    /// <summary>Whether they would be the same for a configuration of the same sort of client.</summary>
    public bool Holds(SidecarRouteInputs now, Func<string, Service?> service) =>
        (ReferenceEquals(now.Config, _config) || Equals(now.Config, _config)) && SameLabels(now.Labels)
            && _services.TrueForAll(noted => ReferenceEquals(service(noted.Host), noted.Found))
            && _destinationRules.TrueForAll(noted => ReferenceEquals(now.DestinationRule(noted.Host), noted.Found));

    /// <summary>The build is over.</summary>
    public void Drop() => Made = null;

    private bool SameLabels(IReadOnlyDictionary<string, string> labels) => ReferenceEquals(labels, _labels)
        || (labels.Count == _labels.Count && LabelSelection.IsSubset(labels, _labels));

    private static T Noted<T>(List<(string Host, T Found)> notes, string host, T found)
    {
        notes.Add((host, found));
        return found;
    }
}
