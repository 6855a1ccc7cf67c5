using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Registry;

namespace Lateen.Pilot.Generation.Routes;

/// <summary>A virtual host before it is made: its name and domains, and what its routes come from.</summary>
/// <param name="Port">Port that it is for.</param>
/// <param name="Name">Name.</param>
/// <param name="Domains">Domains, none of which another host has.</param>
/// <param name="Service">The service that it is; null for a host that only rules know.</param>
/// <param name="Routes">Its routes; null for those that a service has without rules.</param>
internal readonly record struct HostDraft(int Port, string Name, IReadOnlyList<string> Domains, Service? Service, RuleRoutes? Routes);

/// <summary>Gives virtual hosts their names and domains so that no domain occurs twice: the first that asks gets it.</summary>
internal sealed class VirtualHostNames
{
    private readonly SidecarRouteInputs _inputs;
    private readonly int _listenPort;
    private readonly KnownHosts _known;
    private readonly HashSet<string> _names, _taken, _fullNames;

    /// <summary>Names for one configuration.</summary>
    /// <param name="inputs">What the configuration depends on.</param>
    /// <param name="listenPort">Port of the listener; 0 for none.</param>
    /// <param name="known">What was made for such clients before.</param>
    public VirtualHostNames(SidecarRouteInputs inputs, int listenPort, KnownHosts known)
    {
        (_inputs, _listenPort, _known) = (inputs, listenPort, known);
        (_names, _taken, _fullNames) = known.Sets();
    }

    /// <summary>Whether a host of this name, or with this domain, is among those that were built.</summary>
    public bool Has(string name, string domain) => _names.Contains(name) || _taken.Contains(domain);

    /// <summary>The virtual hosts of all groups.</summary>
    public List<HostDraft> Build(IReadOnlyList<HostGroup> groups)
    {
        foreach (var group in groups)
        {
            foreach (var service in group.Services)
            {
                _fullNames.Add(_known.Of(service, group.Port).Name);
                _fullNames.Add(service.Hostname);
            }
        }
        var result = new List<HostDraft>(groups.Count);
        foreach (var group in groups)
        {
            foreach (var host in group.OtherHosts) AddUnknown(result, host.ToLowerInvariant(), group);
            foreach (var service in group.Services) Add(result, service, group);
        }
        return result;
    }

    private void AddUnknown(List<HostDraft> result, string host, HostGroup group)
    {
        var name = Wire.HostPort(host, group.Port);
        if (!_names.Add(name)) return;
        List<string> domains = _inputs.Node.IsProxylessGrpc() ? [Wire.HostText(host), name] : [Wire.HostText(host)];
        domains.RemoveAll(domain => !_taken.Add(domain));
        if (domains.Count > 0) result.Add(new HostDraft(group.Port, name, domains, null, group.Routes));
    }

    private void Add(List<HostDraft> result, Service service, HostGroup group)
    {
        var known = _known.Of(service, group.Port);
        if (!_names.Add(known.Name)) return;
        var domains = OfService(known, service, group.Port);
        if (domains.Count > 0) result.Add(new HostDraft(group.Port, known.Name, domains, service, group.Routes));
    }

    // A short form gives way to a service that has it as its full name.
    private IReadOnlyList<string> OfService(KnownHost known, Service service, int port)
    {
        var ignorePort = !_inputs.Node.IsProxylessGrpc() && _listenPort != 0;
        var set = known.Domains ??= VirtualHostDomains.Of(service, ignorePort ? 0 : port, _inputs.Node.DnsDomain,
            ServiceAddresses.Reachable(service, _inputs.Node, _inputs.Features),
            _inputs.Features.Flag("PILOT_ENABLE_ABSOLUTE_FQDN_VHOST_DOMAIN", true));
        List<string>? some = null;
        for (var i = 0; i < set.Names.Count; i++)
        {
            var name = set.Names[i];
            if (!(set.ShortForms.Contains(name) && _fullNames.Contains(name)) && _taken.Add(name)) some?.Add(name);
            else some ??= [.. set.Names.Take(i)];
        }
        return some ?? set.Names;
    }
}
