using System.Collections.Immutable;

namespace Lateen.Registry;

/// <summary>A workload's port as an endpoint.</summary>
internal static class WorkloadEndpoints
{
    /// <summary>The endpoint of one port of a workload.</summary>
    /// <param name="workload">Workload.</param>
    /// <param name="portName">Name of the service's port.</param>
    /// <param name="port">Number of the workload's.</param>
    /// <param name="health">Health.</param>
    /// <param name="options">Options.</param>
    /// <param name="addresses">Where it is reached, if not at all of the workload's addresses.</param>
    /// <param name="hostname">Its name for DNS, if not the workload's.</param>
    public static Endpoint Of(Workload workload, string portName, int port, EndpointHealth health, RegistryOptions options,
        ImmutableArray<string>? addresses = null, string? hostname = null) => new()
    {
        Addresses = addresses ?? workload.Addresses,
        PortName = portName,
        Port = workload.Addresses.Length > 0 && workload.Addresses[0].StartsWith("unix://", StringComparison.Ordinal) ? 0 : port,
        Identity = workload.IdentityIn(options.TrustDomain),
        Network = workload.Network,
        ClusterId = workload.ClusterId,
        Locality = workload.Locality,
        Weight = workload.Weight,
        AcceptsMtls = workload.AcceptsMtls,
        AcceptsHbone = workload.AcceptsHbone,
        Namespace = workload.Namespace,
        WorkloadName = workload.WorkloadName,
        PodHostname = hostname ?? workload.PodHostname,
        PodSubdomain = workload.PodSubdomain,
        NodeName = workload.NodeName,
        Health = health,
        Labels = workload.PlacedLabels,
    };

    /// <summary>The port of a workload that a service port leads to: by number, or by the workload's name for it; 0 when it has
    /// none.</summary>
    public static int PortOf(Workload workload, ServicePort port)
    {
        if (workload.IsEntry)
        {
            if (workload.Ports.TryGetValue(port.Name, out var named)) return named;
            if (port.WorkloadPort.Length > 0 && workload.Ports.TryGetValue(port.WorkloadPort, out var target)) return target;
            if (int.TryParse(port.WorkloadPort, out var fixedPort)) return fixedPort;
            return port.TargetPort > 0 ? port.TargetPort : port.Number;
        }
        if (port.WorkloadPort.Length == 0) return port.TargetPort > 0 ? port.TargetPort : port.Number;
        return int.TryParse(port.WorkloadPort, out var number) ? number : workload.Ports.GetValueOrDefault(port.WorkloadPort);
    }
}
