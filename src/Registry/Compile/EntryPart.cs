using Istio.Networking.V1Alpha3;
using Lateen.Config.Resources;
using Lateen.Registry.Entries;
using Lateen.Registry.Kubernetes;

namespace Lateen.Registry.Compile;

/// <summary>ServiceEntries and WorkloadEntries, those of the cluster that configuration comes from, as they are now.</summary>
internal sealed class EntryPart
{
    private readonly Memory _memory;
    private readonly EntryEndpoints _endpoints;
    private readonly Dictionary<string, string> _distributions;
    private readonly Dictionary<(string Namespace, string Name), Declared> _declared;

    // Hosts whose entry selects workloads, by namespace.
    private readonly Dictionary<string, HashSet<Service>> _selecting = [];
    private IReadOnlyList<Resource<ServiceEntry>> _entries = [];
    private IReadOnlyList<Resource<WorkloadEntry>> _workloadEntries = [];

    /// <summary>The part of a cluster, with all that it holds.</summary>
    public EntryPart(ClusterResources resources, EntryEndpoints endpoints, Memory memory)
    {
        (_memory, _endpoints) = (memory, endpoints);
        _distributions = ClusterPart.DistributionsOf(resources);
        _declared = new(resources.ServiceEntries.Count);
        Workloads = new ClusterWorkloads(resources.ClusterId, resources.WorkloadEntries.Count);
        Take(resources, new Touched());
    }

    private sealed record Declared(Resource<ServiceEntry> Entry, IReadOnlyList<Service> Services);

    /// <summary>WorkloadEntries.</summary>
    public ClusterWorkloads Workloads { get; }

    /// <summary>All hosts of all entries.</summary>
    public IEnumerable<Service> Services => _entries.SelectMany(entry => _declared[(entry.Namespace, entry.Name)].Services);

    /// <summary>The entry that declares a host.</summary>
    public Resource<ServiceEntry> EntryOf(Service service) =>
        _declared[(service.Namespace, service.EntryName)].Entry;

    /// <summary>Takes in entries of both kinds as they are now; everything else is what it was.</summary>
    public void Take(ClusterResources now, Touched touched)
    {
        TakeWorkloads(ListChange<Resource<WorkloadEntry>>.Between(_workloadEntries, now.WorkloadEntries), touched);
        TakeEntries(ListChange<Resource<ServiceEntry>>.Between(_entries, now.ServiceEntries), touched);
        (_entries, _workloadEntries) = (now.ServiceEntries, now.WorkloadEntries);
    }

    /// <summary>Names the hosts that select a workload.</summary>
    public void NameSelecting(Workload workload, Touched touched)
    {
        if (!_selecting.TryGetValue(workload.Namespace, out var services)) return;
        foreach (var service in services)
        {
            if (LabelSelection.IsSubset(service.Selector, workload.Labels)) touched.Served.Add(service.Key);
        }
    }

    // ---- workloads

    private void TakeWorkloads(ListChange<Resource<WorkloadEntry>> change, Touched touched)
    {
        var gone = new HashSet<Workload>();
        foreach (var entry in change.Gone)
        {
            if (Workloads.Remove(entry.Namespace, entry.Name) is { } workload) gone.Add(workload);
        }
        foreach (var entry in change.Come.Where(_endpoints.Counts))
        {
            var workload = _memory.WorkloadEntries.Of((entry.Namespace, entry.Name), [new WorkloadDeclaration(entry)],
                () => _endpoints.WorkloadOf(entry.Name, entry.Namespace, entry.Metadata.CreationTime.GetValueOrDefault(), entry.Spec,
                    entry.Labels));
            Workloads.Add(workload);
            if (!gone.Remove(workload)) touched.Come.Add(workload);
        }
        foreach (var workload in gone)
        {
            touched.Gone.Add(workload);
            if (Workloads.Find((workload.Namespace, workload.Name), "") is null)
                _memory.WorkloadEntries.Remove((workload.Namespace, workload.Name));
        }
    }

    // ---- hosts

    private void TakeEntries(ListChange<Resource<ServiceEntry>> change, Touched touched)
    {
        var gone = new HashSet<Service>();
        foreach (var entry in change.Gone) gone.UnionWith(Withdraw(entry));
        foreach (var entry in change.Come)
        {
            foreach (var service in Declare(entry))
            {
                touched.Served.Add(service.Key);
                if (gone.Remove(service)) continue;
                touched.Announced.Add(service);
                touched.Declared.Add(service.Key);
            }
        }
        foreach (var service in gone)
        {
            touched.Withdrawn.Add(service);
            touched.Declared.Add(service.Key);
            if (!IsDeclared(service.Namespace, service.EntryName, service.Hostname)) Forget(service);
        }
    }

    private IReadOnlyList<Service> Withdraw(Resource<ServiceEntry> entry)
    {
        if (!_declared.Remove((entry.Namespace, entry.Name), out var declared)) return [];
        if (entry.Spec.WorkloadSelector is not null) _selecting[entry.Namespace].ExceptWith(declared.Services);
        return declared.Services;
    }

    private List<Service> Declare(Resource<ServiceEntry> entry)
    {
        var (services, allocated) = (new List<Service>(), new AllocatedAddresses(entry));
        object declaration = new EntryDeclaration(entry);
        var distribution = _distributions.GetValueOrDefault(entry.Namespace, "");
        foreach (var host in EntryServices.HostsOf(entry))
        {
            var given = allocated.Of(host);
            services.Add(_memory.Entries.Of((entry.Namespace, entry.Name, host),
                [declaration, distribution, given.IPv4 ?? "", given.IPv6 ?? ""],
                () => EntryServices.Of(entry, host, given, distribution)));
        }
        _declared.Add((entry.Namespace, entry.Name), new Declared(entry, services));
        if (entry.Spec.WorkloadSelector is null) return services;
        if (!_selecting.TryGetValue(entry.Namespace, out var selecting)) _selecting.Add(entry.Namespace, selecting = []);
        selecting.UnionWith(services);
        return services;
    }

    private bool IsDeclared(string ns, string entry, string host) =>
        _declared.TryGetValue((ns, entry), out var declared)
            && declared.Services.Any(service => service.Hostname == host);

    private void Forget(Service service)
    {
        _memory.Entries.Remove((service.Namespace, service.EntryName, service.Hostname));
        _memory.Endpoints.Remove((service.Key, service.EntryName));
    }
}
