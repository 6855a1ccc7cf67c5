using System.Collections.Immutable;

namespace Lateen.Registry;

/// <summary>ExternalName services are other names of services: of which ones is found by following them to the end.</summary>
public static class Aliases
{
    /// <summary>Services with <see cref="Service.Aliases"/> filled in; those without aliases are the same objects.</summary>
    /// <param name="services">All services, oldest first.</param>
    /// <param name="copy">Makes a copy of a service with these aliases.</param>
    public static List<Service> Resolve(IReadOnlyList<Service> services, Func<Service, ImmutableArray<ServiceKey>, Service> copy)
    {
        if (!services.Any(service => service.Resolution == ServiceResolution.Alias)) return [.. services];
        var byHost = services.GroupBy(service => service.Hostname).ToDictionary(group => group.Key, group => group.ToList());
        var found = new Dictionary<ServiceKey, List<ServiceKey>>();
        foreach (var alias in services.Where(service => service.Resolution == ServiceResolution.Alias))
        {
            if (Target(alias, byHost) is not { } target) continue;
            if (!found.TryGetValue(target.Key, out var list)) found.Add(target.Key, list = []);
            list.Add(alias.Key);
        }
        return [.. services.Select(service => found.TryGetValue(service.Key, out var aliases)
            ? copy(service, [.. aliases.OrderBy(alias => alias.Namespace, StringComparer.Ordinal)
                .ThenBy(alias => alias.Hostname, StringComparer.Ordinal)])
            : service)];
    }

    // A chain that comes back to itself leads nowhere.
    private static Service? Target(Service alias, Dictionary<string, List<Service>> byHost)
    {
        var seen = new HashSet<ServiceKey>();
        var current = alias;
        while (current.Resolution == ServiceResolution.Alias)
        {
            if (!seen.Add(current.Key) || !byHost.TryGetValue(current.ExternalName ?? "", out var next)) return null;
            current = next.FirstOrDefault(service => service.Namespace == current.Namespace) ?? next[0];
        }
        return current;
    }
}
