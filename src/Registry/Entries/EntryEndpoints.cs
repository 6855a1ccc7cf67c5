using System.Collections.Frozen;
using System.Collections.Immutable;
using Istio.Networking.V1Alpha3;
using Lateen.Api.Names;
using Lateen.Config.Resources;

namespace Lateen.Registry.Entries;

/// <summary>Endpoints of ServiceEntries: written into them, selected by labels, or the host itself.</summary>
internal sealed class EntryEndpoints(string cluster, Networks networks, RegistryOptions options)
{
    /// <summary>Whether a WorkloadEntry counts, see <see cref="EntryHealth"/>.</summary>
    public bool Counts(Resource<WorkloadEntry> entry) => !options.HeedsEntryHealth || EntryHealth.Counts(entry);

    /// <summary>A WorkloadEntry (or an endpoint written into a ServiceEntry) as a workload.</summary>
    public Workload WorkloadOf(string name, string ns, DateTimeOffset created, WorkloadEntry entry,
        IReadOnlyDictionary<string, string> resourceLabels)
    {
        var labels = new Dictionary<string, string>(resourceLabels);
        foreach (var (key, value) in entry.Labels) labels[key] = value;
        var network = entry.Network.Length > 0
            ? entry.Network : networks.Of(cluster, entry.Address, labels.GetValueOrDefault(Networks.Label));
        var locality = entry.Locality.Length > 0 ? Locality.Parse(entry.Locality) : TopologyLabels.OfWorkload(labels) ?? default;
        return new Workload
        {
            Name = name,
            Namespace = ns,
            ClusterId = cluster,
            IsEntry = true,
            Addresses = entry.Address.Length > 0 ? [entry.Address] : [],
            Labels = LabelSet.Of(labels),
            ServiceAccount = entry.ServiceAccount,
            Network = network,
            Locality = locality,
            WorkloadName = name,
            Weight = entry.Weight,
            Ports = entry.Ports.ToFrozenDictionary(pair => pair.Key, pair => (int)pair.Value),
            Health = EndpointHealth.Unknown,
            CreationTime = created,
            // An identity is as good as the label: what has one can prove it.
            AcceptsMtls = labels.TryGetValue("security.istio.io/tlsMode", out var mode) ? mode == "istio" : entry.ServiceAccount.Length > 0,
            AcceptsHbone = labels.GetValueOrDefault("networking.istio.io/tunnel") == "http",
        };
    }

    /// <summary>Endpoints of one host of an entry.</summary>
    public IEnumerable<Endpoint> Of(Service service, Resource<ServiceEntry> resource, IReadOnlyList<Workload> selectable)
    {
        var entry = resource.Spec;
        var meta = resource.Metadata;
        if (entry.WorkloadSelector is not null)
        {
            foreach (var workload in selectable)
            {
                if (workload.Namespace != service.Namespace || !LabelSelection.IsSubset(service.Selector, workload.Labels)) continue;
                foreach (var endpoint in PortsOf(service, workload)) yield return endpoint;
            }
            yield break;
        }
        var index = 0;
        foreach (var written in entry.Endpoints)
        {
            var workload = WorkloadOf(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{meta.Name}-{index++}"),
                meta.Namespace, meta.CreationTime.GetValueOrDefault(), written, LabelSet.Empty);
            foreach (var endpoint in PortsOf(service, workload)) yield return endpoint;
        }
        if (entry.Endpoints.Count > 0 || service.Resolution is not (ServiceResolution.Dns or ServiceResolution.DnsRoundRobin)) yield break;
        var itself = WorkloadOf(meta.Name, meta.Namespace, meta.CreationTime.GetValueOrDefault(),
            new WorkloadEntry { Address = service.Hostname }, LabelSet.Empty);
        foreach (var endpoint in PortsOf(service, itself)) yield return endpoint;
    }

    private IEnumerable<Endpoint> PortsOf(Service service, Workload workload)
    {
        foreach (var port in service.Ports)
        {
            var number = WorkloadEndpoints.PortOf(workload, port);
            if (number > 0) yield return WorkloadEndpoints.Of(workload, port.Name, number, workload.Health, options);
        }
    }
}
