using Kubernetes.Discovery.V1;
using Lateen.Config.Resources;
using Lateen.Registry.Kubernetes;

namespace Lateen.Registry.Compile;

/// <summary>The slices of one cluster by the service that they say they belong to.</summary>
internal sealed class ServiceSlices
{
    private static readonly IReadOnlyList<Resource<EndpointSlice>> None = [];
    private readonly Dictionary<(string Namespace, string Name), List<Resource<EndpointSlice>>> _byOwner = [];

    /// <summary>The slices of a service, by their names.</summary>
    public IReadOnlyList<Resource<EndpointSlice>> Of(string ns, string name) =>
        _byOwner.TryGetValue((ns, name), out var list) ? list : None;

    /// <summary>Takes a slice in.</summary>
    /// <returns>Its service; null where it names none.</returns>
    public (string Namespace, string Name)? Add(Resource<EndpointSlice> slice)
    {
        if (OwnerOf(slice) is not { } owner) return null;
        if (!_byOwner.TryGetValue(owner, out var list)) _byOwner.Add(owner, list = []);
        var at = list.FindIndex(other => string.CompareOrdinal(other.Metadata.Name, slice.Metadata.Name) > 0);
        list.Insert(at < 0 ? list.Count : at, slice);
        return owner;
    }

    /// <summary>Forgets a slice.</summary>
    /// <returns>Its service; null where it names none.</returns>
    public (string Namespace, string Name)? Remove(Resource<EndpointSlice> slice)
    {
        if (OwnerOf(slice) is not { } owner || !_byOwner.TryGetValue(owner, out var list) || !list.Remove(slice)) return null;
        if (list.Count == 0) _byOwner.Remove(owner);
        return owner;
    }

    /// <summary>The services whose slices name one of these workloads, by its name or its address. Looked for each time: an index by pods
    /// would be as large as the pods, and they come and go less often than they are kept.</summary>
    public List<(string Namespace, string Name)> OwnersThatName(IReadOnlyCollection<Workload> workloads)
    {
        var names = workloads.Select(workload => (workload.Namespace, workload.Name)).ToHashSet();
        var addresses = workloads.SelectMany(workload => workload.Addresses).ToHashSet();
        var found = new List<(string Namespace, string Name)>();
        foreach (var (owner, slices) in _byOwner)
        {
            if (slices.Exists(slice => NamesOne(slice.Spec, names, addresses))) found.Add(owner);
        }
        return found;
    }

    private static bool NamesOne(EndpointSlice slice, HashSet<(string, string)> names, HashSet<string> addresses)
    {
        for (var i = 0; i < slice.Endpoints.Count; i++)
        {
            var endpoint = slice.Endpoints[i];
            var isOne = KubernetesEndpoints.PodOf(endpoint) is { } pod ? names.Contains(pod) : endpoint.Addresses.Any(addresses.Contains);
            if (isOne) return true;
        }
        return false;
    }

    private static (string Namespace, string Name)? OwnerOf(Resource<EndpointSlice> slice) =>
        slice.Metadata.Labels.TryGetValue("kubernetes.io/service-name", out var service) ? (slice.Metadata.Namespace, service) : null;
}
