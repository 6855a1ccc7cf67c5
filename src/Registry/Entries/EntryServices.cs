using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Istio.Networking.V1Alpha3;
using Lateen.Api.Names;
using Lateen.Config.Resources;
using Lateen.Registry.Kubernetes;

namespace Lateen.Registry.Entries;

/// <summary>ServiceEntries as services: one for each host.</summary>
internal static class EntryServices
{
    /// <summary>The services that an entry declares.</summary>
    /// <param name="resource">Entry; the addresses in its status are those that the allocator gave it.</param>
    public static IEnumerable<Service> Of(Resource<ServiceEntry> resource, string distributionOfNamespace)
    {
        // An address without host is for all hosts of the entry.
        var allocated = ((resource.Status as ServiceEntryStatus)?.Addresses
            ?? []).ToLookup(address => address.Host, address => address.Value);
        var meta = resource.Metadata;
        var entry = resource.Spec;
        var addresses = entry.Addresses.Select(Normalize).ToImmutableArray();
        var ports = entry.Ports.Select(
            port => new Registry.ServicePort(port.Name, (int)port.Number, Protocols.Parse(port.Protocol), (int)port.TargetPort))
            .ToImmutableArray();
        var labels = meta.Labels;
        var exportTo = entry.ExportTo.ToFrozenSet();
        foreach (var host in entry.Hosts)
        {
            var given = allocated[host].Concat(allocated[""]).ToList();
            yield return new Service
            {
                Hostname = host,
                Namespace = meta.Namespace,
                Name = host,
                Source = ServiceSource.ServiceEntry,
                Resolution = ResolutionOf(entry.Resolution),
                MeshExternal = entry.Location == ServiceEntry.Types.Location.MeshExternal,
                Ports = ports,
                DefaultAddress = addresses.IsEmpty ? Service.UnspecifiedAddress : addresses[0],
                EntryAddresses = addresses,
                AutoAllocatedIPv4 = addresses.IsEmpty
                    ? given.FirstOrDefault(address => FamilyOf(address) == AddressFamily.InterNetwork) : null,
                AutoAllocatedIPv6 = addresses.IsEmpty
                    ? given.FirstOrDefault(address => FamilyOf(address) == AddressFamily.InterNetworkV6) : null,
                SubjectAltNames = [.. entry.SubjectAltNames],
                CreationTime = meta.CreationTime.GetValueOrDefault(),
                Labels = labels,
                Selector = entry.WorkloadSelector is { } selector ? LabelSet.Of(selector.Labels) : LabelSet.Empty,
                ExportTo = exportTo,
                TrafficDistribution = KubernetesServices.Distribution(null, meta.Annotations, distributionOfNamespace),
                Declaration = $"ServiceEntry {meta.Namespace}/{meta.Name}",
                EntryName = meta.Name,
                PersistentSession = KubernetesServices.Session(meta.Labels),
                RacesConnections = Races(meta.Annotations.GetValueOrDefault("ambient.istio.io/connect-strategy", "")),
            };
        }
    }

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

    private static AddressFamily? FamilyOf(string address) => IPAddress.TryParse(address, out var parsed) ? parsed.AddressFamily : null;
}
