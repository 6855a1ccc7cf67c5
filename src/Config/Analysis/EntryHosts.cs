using Istio.Networking.V1Alpha3;
using Lateen.Api.Names;
using Lateen.Config.Resources;

namespace Lateen.Config.Analysis;

/// <summary>Service entries by the hosts that they name.</summary>
internal sealed class EntryHosts
{
    private readonly IReadOnlyList<Resource<ServiceEntry>> _all;
    private readonly Dictionary<string, List<Resource<ServiceEntry>>> _byHost = [];
    private readonly HashSet<string> _wildcards = [];

    /// <summary>Those of a view.</summary>
    public EntryHosts(IReadOnlyList<Resource<ServiceEntry>> all)
    {
        _all = all;
        foreach (var entry in all)
        {
            foreach (var host in entry.Spec.Hosts)
            {
                if (HostNames.IsWildcard(host)) _wildcards.Add(host);
                else if (!_byHost.TryGetValue(host, out var list)) _byHost.Add(host, [entry]);
                else if (list[^1] != entry) list.Add(entry);
            }
        }
    }

    /// <summary>Those that name a host, in the order of the view.</summary>
    public IEnumerable<Resource<ServiceEntry>> Naming(string host)
    {
        if (HostNames.IsWildcard(host) || _wildcards.Any(wildcard => HostNames.Matches(wildcard, host)))
            return _all.Where(entry => entry.Spec.Hosts.Any(own => HostNames.Matches(own, host)));
        return _byHost.TryGetValue(host, out var found) ? found : [];
    }
}
