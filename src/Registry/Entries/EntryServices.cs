using System.Collections.Frozen;
using System.Collections.Immutable;
using Istio.Networking.V1Alpha3;
using Lateen.Api.Names;
using Lateen.Config.Resources;
using Lateen.Registry.Kubernetes;

namespace Lateen.Registry.Entries;

/// <summary>ServiceEntries as services: one for each host.</summary>
internal static class EntryServices
{
    /// <summary>The hosts of an entry, each once.</summary>
    public static IEnumerable<string> HostsOf(Resource<ServiceEntry> resource) => resource.Spec.Hosts.Distinct();

    /// <summary>The service that an entry declares under one of its hosts.</summary>
    /// <param name="resource">Entry.</param>
    /// <param name="host">Host.</param>
    /// <param name="given">Addresses that the allocator gave the host.</param>
    /// <param name="distributionOfNamespace">Preference for near endpoints of the entry's namespace.</param>
    public static Service Of(Resource<ServiceEntry> resource, string host, (string? IPv4, string? IPv6) given,
        string distributionOfNamespace)
    {
        var (meta, entry) = (resource.Metadata, resource.Spec);
        var addresses = entry.Addresses.Select(Normalize).ToImmutableArray();
        return new Service
        {
            Hostname = host,
            Namespace = meta.Namespace,
            Name = host,
            Source = ServiceSource.ServiceEntry,
            Resolution = ResolutionOf(entry.Resolution),
            MeshExternal = entry.Location == ServiceEntry.Types.Location.MeshExternal,
            Ports = [.. entry.Ports.Select(
                port => new Registry.ServicePort(port.Name, (int)port.Number, Protocols.Parse(port.Protocol), (int)port.TargetPort))],
            DefaultAddress = addresses.IsEmpty ? Service.UnspecifiedAddress : addresses[0],
            EntryAddresses = addresses,
            AutoAllocatedIPv4 = given.IPv4,
            AutoAllocatedIPv6 = given.IPv6,
            SubjectAltNames = [.. entry.SubjectAltNames],
            CreationTime = meta.CreationTime.GetValueOrDefault(),
            Labels = meta.Labels,
            Selector = entry.WorkloadSelector is { } selector ? LabelSet.Of(selector.Labels) : LabelSet.Empty,
            ExportTo = entry.ExportTo.ToFrozenSet(),
            TrafficDistribution = KubernetesServices.Distribution(null, meta.Annotations, distributionOfNamespace),
            Declaration = $"ServiceEntry {meta.Namespace}/{meta.Name}",
            EntryName = meta.Name,
            PersistentSession = KubernetesServices.Session(meta.Labels),
            RacesConnections = RacesConnections(meta.Annotations),
        };
    }

    /// <summary>Whether clients try all addresses at once.</summary>
    public static bool RacesConnections(IReadOnlyDictionary<string, string> annotations) =>
        Races(annotations.GetValueOrDefault("ambient.istio.io/connect-strategy", ""));

    // The second is the older name.
    private static bool Races(string strategy) =>
        strategy.Equals("RACE_FIRST_TCP_CONNECT", StringComparison.OrdinalIgnoreCase)
            || strategy.Equals("FIRST_HEALTHY_RACE", StringComparison.OrdinalIgnoreCase);

    private static ServiceResolution ResolutionOf(ServiceEntry.Types.Resolution resolution) => resolution switch
    {
        ServiceEntry.Types.Resolution.Static => ServiceResolution.ClientSide,
        ServiceEntry.Types.Resolution.Dns => ServiceResolution.Dns,
        ServiceEntry.Types.Resolution.DnsRoundRobin => ServiceResolution.DnsRoundRobin,
        ServiceEntry.Types.Resolution.DynamicDns => ServiceResolution.DynamicDns,
        _ => ServiceResolution.Passthrough,
    };

    // A range of a single address is that address.
    private static string Normalize(string address)
    {
        var slash = address.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0) return address;
        var isHost = address[slash..] is "/32" && !address.Contains(':', StringComparison.Ordinal) || address[slash..] == "/128";
        return isHost ? address[..slash] : address;
    }
}
