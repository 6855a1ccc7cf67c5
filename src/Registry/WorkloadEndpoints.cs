namespace Lateen.Registry;

/// <summary>A workload's port as an endpoint.</summary>
internal static class WorkloadEndpoints
{
    /// <summary>The endpoint of one port of a workload.</summary>
    public static Endpoint Of(Workload workload, string portName, int port, EndpointHealth health, RegistryOptions options) => new()
    {
        Addresses = workload.Addresses,
        PortName = portName,
        Port = workload.Addresses.Length > 0 && workload.Addresses[0].StartsWith("unix://", StringComparison.Ordinal) ? 0 : port,
        Identity = workload.ServiceAccount.Length > 0
            ? Identities.Of(options.TrustDomain, workload.Namespace, workload.ServiceAccount) : "",
        Network = workload.Network,
        ClusterId = workload.ClusterId,
        Locality = workload.Locality,
        Weight = workload.Weight,
        AcceptsMtls = workload.AcceptsMtls,
        AcceptsHbone = workload.AcceptsHbone,
        Namespace = workload.Namespace,
        WorkloadName = workload.WorkloadName,
        PodHostname = workload.PodHostname,
        PodSubdomain = workload.PodSubdomain,
        NodeName = workload.NodeName,
        Health = health,
        Labels = TopologyLabels.Add(workload.Labels, workload.ClusterId, workload.Locality, workload.NodeName, workload.Network),
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
