using Envoy.Config.Route.V3;

namespace Lateen.Proxy.Xds.Discovery;

/// <summary>Virtual hosts that come apart from their route configuration (VHDS); their resources are named CONFIGURATION/HOST.</summary>
internal sealed class VirtualHostSources
{
    private readonly Dictionary<string, SortedDictionary<string, VirtualHost>> _hosts = new(StringComparer.Ordinal);

    /// <summary>The configuration with the hosts that have come for it.</summary>
    public RouteConfiguration Complete(RouteConfiguration message)
    {
        if (message.Vhds is null || !_hosts.TryGetValue(message.Name, out SortedDictionary<string, VirtualHost>? hosts))
            return message;
        RouteConfiguration whole = message.Clone();
        whole.VirtualHosts.AddRange(hosts.Values);
        return whole;
    }

    /// <summary>Hosts have come for a configuration, or word that it has none.</summary>
    public bool HasAnswered(string name) => _hosts.ContainsKey(name);

    /// <summary>Takes hosts up; the names of the configurations that changed.</summary>
    public HashSet<string> Take(IReadOnlyList<IncomingResource> resources, IReadOnlyList<string> removed, List<(string, string)> refused)
    {
        var changed = new HashSet<string>(StringComparer.Ordinal);
        foreach (IncomingResource resource in resources)
        {
            var rejections = new Rejections();
            string owner = OwnerOf(resource.Name);
            if (ValueTranslator.Unpack(resource.Body, VirtualHost.Parser, rejections) is { } host)
            {
                if (!_hosts.TryGetValue(owner, out SortedDictionary<string, VirtualHost>? hosts))
                    _hosts[owner] = hosts = new SortedDictionary<string, VirtualHost>(StringComparer.Ordinal);
                hosts[resource.Name] = host;
                changed.Add(owner);
            }
            if (!rejections.None)
                refused.Add((resource.Name, rejections.ToString()));
        }
        foreach (string name in removed)
        {
            if (_hosts.TryGetValue(OwnerOf(name), out SortedDictionary<string, VirtualHost>? hosts) ? hosts.Remove(name)
                : OwnerOf(name) == name && _hosts.TryAdd(name, new SortedDictionary<string, VirtualHost>(StringComparer.Ordinal)))
                changed.Add(OwnerOf(name));
        }
        return changed;
    }

    private static string OwnerOf(string name) => name.LastIndexOf('/') is > 0 and var slash ? name[..slash] : name;
}
