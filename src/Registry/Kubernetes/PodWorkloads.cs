using System.Collections.Frozen;
using System.Collections.Immutable;
using Kubernetes.Core.V1;
using Lateen.Config.Resources;

namespace Lateen.Registry.Kubernetes;

/// <summary>Pods as workloads.</summary>
internal static class PodWorkloads
{
    /// <summary>The workload of a pod; null while it has no address or after it has ended.</summary>
    public static Workload? Of(Resource<Pod> resource, string cluster, Locality node, Networks networks)
    {
        var pod = resource.Spec;
        if (pod.Status is not { } status || status.Phase is "Succeeded" or "Failed") return null;
        var addresses = status.PodIps.Select(address => address.Ip).Where(address => address.Length > 0).ToImmutableArray();
        if (addresses.IsEmpty && status.PodIp.Length > 0) addresses = [status.PodIp];
        if (addresses.IsEmpty) return null;
        var meta = resource.Metadata;
        var labels = meta.Labels;
        var owner = meta.Owners.FirstOrDefault(reference => reference.IsController);
        return new Workload
        {
            Name = meta.Name,
            Namespace = meta.Namespace,
            ClusterId = cluster,
            Addresses = addresses,
            Labels = labels,
            Annotations = meta.Annotations,
            ServiceAccount = pod.Spec?.ServiceAccountName ?? "",
            Network = networks.Of(cluster, addresses[0], labels.GetValueOrDefault(Networks.Label)),
            Locality = TopologyLabels.OfWorkload(labels) ?? node,
            NodeName = pod.Spec?.NodeName ?? "",
            WorkloadName = WorkloadNames.Of(meta.Name, "", labels, owner?.Kind, owner?.Name ?? "", owner?.ApiVersion ?? "").Name,
            Ports = PortsOf(pod),
            PodHostname = pod.Spec?.Hostname ?? "",
            PodSubdomain = pod.Spec?.Subdomain ?? "",
            Health = IsReady(status) ? EndpointHealth.Healthy : EndpointHealth.Unhealthy,
            HostNetwork = pod.Spec?.HostNetwork == true,
            CreationTime = meta.CreationTime.GetValueOrDefault(),
            AcceptsMtls = labels.GetValueOrDefault("security.istio.io/tlsMode") == "istio",
            AcceptsHbone = labels.GetValueOrDefault("networking.istio.io/tunnel") == "http"
                || meta.Annotations.GetValueOrDefault("ambient.istio.io/redirection") == "enabled",
        };
    }

    private static bool IsReady(PodStatus status) => status.Conditions.Any(condition => condition is { Type: "Ready", Status: "True" });

    // Native sidecars (init containers that keep running) offer ports, too.
    private static FrozenDictionary<string, int> PortsOf(Pod pod)
    {
        if (pod.Spec is not { } spec) return FrozenDictionary<string, int>.Empty;
        var ports = new Dictionary<string, int>();
        var sidecars = spec.InitContainers.Where(container => container.RestartPolicy == "Always");
        foreach (var port in spec.Containers.Concat(sidecars).SelectMany(container => container.Ports))
        {
            if (port.Name.Length > 0) ports.TryAdd(port.Name, port.ContainerPort_);
        }
        return ports.Count == 0 ? FrozenDictionary<string, int>.Empty : ports.ToFrozenDictionary();
    }
}
