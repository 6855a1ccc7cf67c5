using System.Collections.Immutable;

namespace Lateen.Registry.Compile;

/// <summary>Finds services by the addresses of their endpoints, those services that no selector says whose pods they are.</summary>
internal static class ServedAddresses
{
    /// <summary>All of them.</summary>
    public static LayeredMap<string, ImmutableArray<ServiceKey>> Of(LayeredMap<ServiceKey, ServiceEndpoints> endpoints,
        LayeredMap<string, ImmutableArray<Service>> byHost)
    {
        var lists = new Dictionary<string, List<ServiceKey>>();
        foreach (var (key, of) in endpoints)
        {
            foreach (var address in Addresses(key, of, byHost)) ListAt(lists, address).Add(key);
        }
        return new(lists.ToDictionary(pair => pair.Key, pair => Ordered(pair.Value)));
    }

    /// <summary>What becomes of a view's when services or their endpoints become others.</summary>
    /// <param name="view">View.</param>
    /// <param name="keys">The services that may have.</param>
    /// <param name="endpoints">Endpoints as they are then.</param>
    /// <param name="byHost">Services as they are then.</param>
    public static Dictionary<string, (bool IsThere, ImmutableArray<ServiceKey> Value)> Changes(RegistryView view, HashSet<ServiceKey> keys,
        LayeredMap<ServiceKey, ServiceEndpoints> endpoints, LayeredMap<string, ImmutableArray<Service>> byHost)
    {
        var lists = new Dictionary<string, List<ServiceKey>>();
        List<ServiceKey> At(string address)
        {
            if (lists.TryGetValue(address, out var list)) return list;
            list = ListAt(lists, address);
            if (view.ServedAt.TryGetValue(address, out var there)) list.AddRange(there);
            return list;
        }
        foreach (var key in keys)
        {
            var before = Addresses(key, view.Endpoints.TryGetValue(key, out var last) ? last : null, view.ByHost);
            var after = Addresses(key, endpoints.TryGetValue(key, out var now) ? now : null, byHost);
            foreach (var address in before)
            {
                if (!after.Contains(address)) At(address).Remove(key);
            }
            foreach (var address in after)
            {
                if (!before.Contains(address)) At(address).Add(key);
            }
        }
        return lists.ToDictionary(pair => pair.Key, pair => (pair.Value.Count > 0, Ordered(pair.Value)));
    }

    private static HashSet<string> Addresses(ServiceKey key, ServiceEndpoints? endpoints,
        LayeredMap<string, ImmutableArray<Service>> byHost)
    {
        var found = new HashSet<string>();
        if (endpoints is null || !IsFoundByAddress(key, byHost)) return found;
        foreach (var endpoint in endpoints.All)
        {
            foreach (var address in endpoint.Addresses) found.Add(address);
        }
        return found;
    }

    private static bool IsFoundByAddress(ServiceKey key, LayeredMap<string, ImmutableArray<Service>> byHost)
    {
        foreach (var service in byHost.TryGetValue(key.Hostname, out var all) ? all : [])
        {
            if (service.Namespace == key.Namespace && !service.IsFoundBySelector) return true;
        }
        return false;
    }

    private static List<ServiceKey> ListAt(Dictionary<string, List<ServiceKey>> lists, string address)
    {
        if (!lists.TryGetValue(address, out var list)) lists.Add(address, list = new(1));
        return list;
    }

    private static ImmutableArray<ServiceKey> Ordered(List<ServiceKey> keys)
    {
        keys.Sort(static (left, right) => string.CompareOrdinal(left.Hostname, right.Hostname) is not 0 and var byHost
            ? byHost : string.CompareOrdinal(left.Namespace, right.Namespace));
        return [.. keys];
    }
}
