using System.Collections.Immutable;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Scope;
using Lateen.Registry;

namespace Lateen.Pilot.Generation.Routes;

/// <summary>The addresses of a service as one proxy sees them.</summary>
public static class ServiceAddresses
{
    /// <summary>Unspecified IPv6 address.</summary>
    public const string UnspecifiedIPv6 = "::";

    /// <summary>The address that listeners use: of the proxy's cluster, else the one of the allocator, else the default.</summary>
    public static string Primary(Service service, ProxyNode proxy) =>
        Candidates(service, proxy) is [var first, ..] ? first : service.DefaultAddress;

    /// <summary>Further addresses, with dual stack.</summary>
    public static IReadOnlyList<string> Extra(Service service, ProxyNode proxy, Features features) =>
        All(service, proxy, features).Skip(1).ToList();

    /// <summary>Every address, whether or not one listener may have several; of one family unless both are in use.</summary>
    public static IReadOnlyList<string> Each(Service service, ProxyNode proxy, Features features)
    {
        ArgumentNullException.ThrowIfNull(features);
        var candidates = Candidates(service, proxy);
        if (features.DualStack || candidates.Count < 2) return candidates;
        var isIPv6 = candidates[0].Contains(':');
        return candidates.Where(address => address.Contains(':') == isIPv6).ToList();
    }

    /// <summary>All addresses.</summary>
    public static IReadOnlyList<string> All(Service service, ProxyNode proxy, Features features)
    {
        ArgumentNullException.ThrowIfNull(features);
        ArgumentNullException.ThrowIfNull(proxy);
        var candidates = Candidates(service, proxy);
        return features.DualStack || candidates.Count < 2 ? candidates : [candidates[0]];
    }

    /// <summary>All addresses of a family that the proxy has.</summary>
    public static IEnumerable<string> Reachable(Service service, ProxyNode proxy, Features features) =>
        All(service, proxy, features).Where(a => a.Contains(':') ? proxy.SupportsIPv6 : proxy.SupportsIPv4);

    // With one family only its addresses count, unless there is none of that family.
    private static IReadOnlyList<string> Candidates(Service service, ProxyNode proxy)
    {
        ArgumentNullException.ThrowIfNull(service);
        ArgumentNullException.ThrowIfNull(proxy);
        IReadOnlyList<string> own = service.AddressesFor(proxy.ClusterId);
        var filtered = own.Where(a => a.Contains(':') ? proxy.SupportsIPv6 : proxy.SupportsIPv4).ToList();
        if (filtered.Count > 0) own = filtered;
        // An address of another cluster that the proxy can't even speak to is none.
        else if (service.ClusterAddresses.Count > 0 && !service.ClusterAddresses.ContainsKey(proxy.ClusterId)
            && own is not [Service.UnspecifiedAddress]) return [];
        // Allocated addresses are learned from the proxy's own DNS; without it nobody uses them.
        if (own is not [Service.UnspecifiedAddress] || !proxy.Metadata.DnsCapture) return own;
        var allocated = new List<string>();
        if (proxy.SupportsIPv4 && service.AutoAllocatedIPv4 is { } four) allocated.Add(four);
        if (proxy.SupportsIPv6 && service.AutoAllocatedIPv6 is { } six) allocated.Add(six);
        return allocated.Count > 0 ? allocated : own;
    }
}

/// <summary>Views of a service.</summary>
internal static class ServiceViews
{
    /// <summary>The service as if it had nothing but this port.</summary>
    public static Service WithOnlyPort(this Service service, ServicePort port) => new()
    {
        Hostname = service.Hostname,
        Namespace = service.Namespace,
        Name = service.Name,
        Source = service.Source,
        Resolution = service.Resolution,
        MeshExternal = service.MeshExternal,
        Ports = ImmutableArray.Create(port),
        DefaultAddress = service.DefaultAddress,
        ClusterAddresses = service.ClusterAddresses,
        AutoAllocatedIPv4 = service.AutoAllocatedIPv4,
        AutoAllocatedIPv6 = service.AutoAllocatedIPv6,
        CreationTime = service.CreationTime,
        Labels = service.Labels,
        Aliases = service.Aliases,
        ExternalName = service.ExternalName,
    };
}
