using Kubernetes.Core.V1;
using Kubernetes.Discovery.V1;
using Lateen.Config.Resources;
using Lateen.Registry.Kubernetes;
using WrittenService = Kubernetes.Core.V1.Service;

namespace Lateen.Registry.Compile;

/// <summary>One cluster's services, workloads and slices, as they are now.</summary>
internal sealed class ClusterPart
{
    private static readonly object Nowhere = default(Locality);
    private readonly Memory _memory;
    private readonly RegistryOptions _options;
    private readonly Networks _networks;
    private readonly KubernetesEndpoints _endpoints;
    private readonly ServiceSlices _slices = new();

    // One object for all pods of a node: it is a part of what each is made of.
    private readonly Dictionary<string, object> _places;
    private readonly List<NodeAddresses> _nodeAddresses;
    private readonly string _nodesText;
    private readonly Dictionary<string, string> _distributions;
    private readonly bool _isBegun;
    private ClusterResources _resources;

    /// <summary>The part of one cluster, with all that it holds.</summary>
    public ClusterPart(ClusterResources resources, Networks networks, Memory memory, RegistryOptions options)
    {
        (_memory, _options, _networks) = (memory, options, networks);
        Nodes = resources.Nodes.ToDictionary(node => node.Metadata.Name, node => TopologyLabels.OfNode(node.Metadata.Labels));
        _places = Nodes.ToDictionary(node => node.Key, node => (object)node.Value);
        _nodeAddresses = resources.Nodes.Select(node => new NodeAddresses(
            node.Metadata.Labels,
            [.. (node.Spec.Status?.Addresses ?? []).Where(address => address.Type == "ExternalIP" && address.Address.Length > 0)
                .Select(address => address.Address)])).ToList();
        _nodesText = memory.Nodes(resources.ClusterId, string.Join('\n', _nodeAddresses.Where(node => !node.External.IsEmpty)
            .Select(node => string.Join(',', node.External) + ' ' + string.Join(',', node.Labels))));
        _distributions = DistributionsOf(resources);
        Workloads = new ClusterWorkloads(resources.ClusterId, resources.Pods.Count);
        _endpoints = new KubernetesEndpoints(resources.ClusterId, Workloads, networks, options);
        _resources = resources with { Services = [], Pods = [], EndpointSlices = [] };
        Services = new Dictionary<ServiceKey, Service>(resources.Services.Count);
        Take(resources, new Touched());
        _isBegun = true;
    }

    /// <summary>Cluster id.</summary>
    public string ClusterId => _resources.ClusterId;

    /// <summary>Where nodes are.</summary>
    public Dictionary<string, Locality> Nodes { get; }

    /// <summary>Pods that have an address.</summary>
    public ClusterWorkloads Workloads { get; }

    /// <summary>The services that this cluster declares.</summary>
    public Dictionary<ServiceKey, Service> Services { get; }

    /// <summary>Preferences for near endpoints that namespaces state for their services.</summary>
    public static Dictionary<string, string> DistributionsOf(ClusterResources resources) => resources.Namespaces
        .Where(ns => ns.Metadata.Annotations.ContainsKey(KubernetesServices.DistributionAnnotation))
        .ToDictionary(ns => ns.Metadata.Name, ns => ns.Metadata.Annotations[KubernetesServices.DistributionAnnotation]);

    /// <summary>Takes in services, pods and slices as they are now; everything else is what it was.</summary>
    public void Take(ClusterResources now, Touched touched)
    {
        var before = _resources;
        _resources = now;
        TakeServices(ListChange<Resource<WrittenService>>.Between(before.Services, now.Services), touched);
        var (gone, come) = (touched.Gone.Count, touched.Come.Count);
        TakePods(ListChange<Resource<Pod>>.Between(before.Pods, now.Pods), touched);
        TakeSlices(ListChange<Resource<EndpointSlice>>.Between(before.EndpointSlices, now.EndpointSlices), touched);
        // At the beginning all services are looked at anyway.
        if (_isBegun && (touched.Gone.Count > gone || touched.Come.Count > come))
            Name(_slices.OwnersThatName([.. touched.Gone.Skip(gone), .. touched.Come.Skip(come)]), touched);
    }

    /// <summary>Adds what the endpoints of a service are made of in this cluster.</summary>
    public void AddFootprint(Service service, List<object> footprint)
    {
        foreach (var slice in _slices.Of(service.Namespace, service.Name))
        {
            footprint.Add(slice);
            foreach (var endpoint in slice.Spec.Endpoints)
            {
                var name = KubernetesEndpoints.PodOf(endpoint);
                foreach (var address in endpoint.Addresses)
                {
                    if (Workloads.Find(name, address) is { } workload) footprint.Add(workload);
                    if (name is not null) break;
                }
            }
        }
    }

    /// <summary>Endpoints of a service here. Services of other clusters that are not declared here have none.</summary>
    public IEnumerable<Endpoint> EndpointsOf(Service service) => Services.TryGetValue(service.Key, out var own)
        ? _endpoints.Of(own, _slices.Of(service.Namespace, service.Name)) : [];

    private ServiceKey KeyOf(string ns, string name) => new(KubernetesServices.Hostname(name, ns, _options.DomainSuffix), ns);

    private void TakeServices(ListChange<Resource<WrittenService>> change, Touched touched)
    {
        foreach (var service in change.Gone)
        {
            var key = KeyOf(service.Namespace, service.Name);
            Services.Remove(key);
            _memory.Services.Remove((ClusterId, service.Namespace, service.Name));
            touched.Declared.Add(key);
        }
        foreach (var service in change.Come)
        {
            var distribution = _distributions.GetValueOrDefault(service.Namespace, "");
            var made = _memory.Services.Of((ClusterId, service.Namespace, service.Name), [service, _nodesText, distribution],
                () => KubernetesServices.Of(service, ClusterId, _options, _nodeAddresses, distribution));
            Services.Add(made.Key, made);
            touched.Declared.Add(made.Key);
        }
    }

    private void TakePods(ListChange<Resource<Pod>> change, Touched touched)
    {
        foreach (var pod in change.Gone)
        {
            _memory.Pods.Remove((ClusterId, pod.Namespace, pod.Name));
            if (Workloads.Remove(pod.Namespace, pod.Name) is { } gone) touched.Gone.Add(gone);
        }
        foreach (var pod in change.Come)
        {
            var node = _places.GetValueOrDefault(pod.Spec.Spec?.NodeName ?? "", Nowhere);
            var made = _memory.Pods.Of((ClusterId, pod.Namespace, pod.Name), [pod, node],
                () => PodWorkloads.Of(pod, ClusterId, (Locality)node, _networks)!);
            if (made is null) continue;
            Workloads.Add(made);
            touched.Come.Add(made);
        }
    }

    private void TakeSlices(ListChange<Resource<EndpointSlice>> change, Touched touched)
    {
        Name(change.Gone.Select(_slices.Remove).OfType<(string, string)>(), touched);
        Name(change.Come.Select(_slices.Add).OfType<(string, string)>(), touched);
    }

    private void Name(IEnumerable<(string Namespace, string Name)> owners, Touched touched)
    {
        foreach (var (ns, name) in owners) touched.Served.Add(KeyOf(ns, name));
    }
}
