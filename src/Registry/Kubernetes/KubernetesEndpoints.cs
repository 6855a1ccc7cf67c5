using System.Collections.Immutable;
using System.Globalization;
using Kubernetes.Discovery.V1;
using Lateen.Api.Names;
using Lateen.Config.Resources;
using WireEndpoint = Kubernetes.Discovery.V1.Endpoint;

namespace Lateen.Registry.Kubernetes;

/// <summary>EndpointSlices of one cluster as endpoints of services.</summary>
internal sealed class KubernetesEndpoints(string cluster, ClusterWorkloads workloads, Networks networks, RegistryOptions options)
{
    /// <summary>Endpoints of a service in this cluster, in the order of the slices' names.</summary>
    public IEnumerable<Endpoint> Of(Service service, IEnumerable<Resource<EndpointSlice>> slices)
    {
        var seen = new HashSet<(string, int, string)>();
        foreach (var slice in slices)
        {
            if (slice.Spec.AddressType == "FQDN") continue;
            foreach (var written in slice.Spec.Endpoints)
            {
                foreach (var endpoint in OfOne(service, slice.Spec, written))
                {
                    if (seen.Add((endpoint.Address, endpoint.Port, endpoint.PortName))) yield return endpoint;
                }
            }
        }
    }

    /// <summary>The pod that an endpoint says it is; null where it is known by its address alone.</summary>
    public static (string Namespace, string Name)? PodOf(WireEndpoint written) =>
        written.TargetRef is { Kind: "Pod" } target ? (target.Namespace, target.Name) : null;

    private IEnumerable<Endpoint> OfOne(Service service, EndpointSlice slice, WireEndpoint written)
    {
        foreach (var address in written.Addresses)
        {
            var pod = PodOf(written);
            var workload = workloads.Find(pod, address);
            // A pod that is named and not there yet would have no identity: better none than one without mTLS.
            if (workload is null && pod is not null) continue;
            foreach (var port in slice.Ports)
            {
                if (port.Port == 0) continue;
                if (PortNamed(service, port.Name) is null) continue;
                yield return Make(service, written, address, workload, port.Name, port.Port);
            }
        }
    }

    private static ServicePort? PortNamed(Service service, string name) =>
        service.PortByName(name) ?? (name.Length == 0 && service.Ports.Length == 1 ? service.Ports[0] : null);

    private Endpoint Make(Service service, WireEndpoint written, string address, Workload? workload, string portName, int port)
    {
        var health = HealthOf(service, written.Conditions);
        if (workload is null)
        {
            return new Endpoint
            {
                Addresses = [address],
                PortName = portName,
                Port = port,
                Network = networks.Of(cluster, address, null),
                ClusterId = cluster,
                NodeName = written.NodeName,
                Health = health,
                Labels = TopologyLabels.Add(LabelSet.Empty, cluster, default, "", networks.Of(cluster, address, null)),
            };
        }
        ImmutableArray<string> addresses = workload.Addresses is [var only] && only == address
            || (options.DualStack && workload.Addresses.Length > 1) ? workload.Addresses : [address];
        return WorkloadEndpoints.Of(workload, portName, port, health, options, addresses,
            written.Hostname.Length > 0 ? written.Hostname : null);
    }

    private static EndpointHealth HealthOf(Service service, EndpointConditions? conditions)
    {
        if (service.PublishNotReady || conditions is null || !conditions.HasReady || conditions.Ready) return EndpointHealth.Healthy;
        var isTerminating = conditions.HasTerminating && conditions.Terminating;
        var isServing = !conditions.HasServing || conditions.Serving;
        if (isTerminating) return isServing && service.PersistentSession is not null ? EndpointHealth.Draining : EndpointHealth.Terminating;
        return EndpointHealth.Unhealthy;
    }
}
