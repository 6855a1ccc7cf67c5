using Envoy.Config.Route.V3;
using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Registry;
using EnvoyRoute = Envoy.Config.Route.V3.Route;

namespace Lateen.Pilot.Generation.Routes;

/// <summary>Gives virtual hosts their names and domains so that no domain occurs twice: the first that asks gets it.</summary>
internal sealed class VirtualHostNames
{
    private readonly SidecarRouteInputs _inputs;
    private readonly int _listenPort;
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private readonly HashSet<string> _taken = new(StringComparer.OrdinalIgnoreCase);
    private readonly HashSet<string> _fullNames = new(StringComparer.Ordinal);

    public VirtualHostNames(SidecarRouteInputs inputs, int listenPort) => (_inputs, _listenPort) = (inputs, listenPort);

    /// <summary>Builds the virtual hosts of all groups, with the port that each is for.</summary>
    public List<(int Port, VirtualHost Host)> Build(
        IReadOnlyList<(int Port, IReadOnlyList<Service> Services, IReadOnlyList<string> OtherHosts, IReadOnlyList<EnvoyRoute> Routes)> groups, bool includeAttemptCount)
    {
        foreach (var (port, services, _, _) in groups)
        {
            foreach (var service in services)
            {
                _fullNames.Add(Wire.HostPort(service.Hostname, port));
                _fullNames.Add(service.Hostname);
            }
        }
        var result = new List<(int, VirtualHost)>();
        foreach (var (port, services, otherHosts, routes) in groups)
        {
            foreach (var host in otherHosts) Add(host.ToLowerInvariant(), port, null, routes);
            foreach (var service in services) Add(service.Hostname, port, service, routes);
        }
        return result;

        void Add(string host, int port, Service? service, IReadOnlyList<EnvoyRoute> routes)
        {
            var name = Wire.HostPort(host, port);
            if (!_names.Add(name)) return;
            var domains = service is null ? OfUnknown(host, name) : OfService(service, port);
            if (domains.Count == 0) return;
            var built = new VirtualHost { Name = name, Domains = { domains }, IncludeRequestAttemptCount = includeAttemptCount };
            // Copies, so that a later change of one host's routes (patches) stays there.
            built.Routes.Add(routes.Select(static r => r.Clone()));
            if (PersistentSessions.For(service) is { } session) built.TypedPerFilterConfig[PersistentSessions.FilterName] = session;
            result.Add((port, built));
        }
    }

    private List<string> OfUnknown(string host, string nameWithPort)
    {
        List<string> domains = _inputs.Node.IsProxylessGrpc() ? [Wire.HostText(host), nameWithPort] : [Wire.HostText(host)];
        return domains.Where(_taken.Add).ToList();
    }

    // A short form gives way to a service that has it as its full name.
    private List<string> OfService(Service service, int port)
    {
        var ignorePort = !_inputs.Node.IsProxylessGrpc() && _listenPort != 0;
        var set = VirtualHostDomains.Of(service, ignorePort ? 0 : port, _inputs.Node.DnsDomain, ServiceAddresses.Reachable(service, _inputs.Node, _inputs.Features),
            _inputs.Features.Flag("PILOT_ENABLE_ABSOLUTE_FQDN_VHOST_DOMAIN", true));
        return set.Names.Where(d => !_taken.Contains(d) && !(set.ShortForms.Contains(d) && _fullNames.Contains(d)) && _taken.Add(d)).ToList();
    }
}
