using System.Globalization;
using Istio.Networking.V1Alpha3;
using Lateen.Registry;

namespace Lateen.Pilot.Meaning.GatewayApi.Status;

/// <summary>Where the services of a gateway can be reached. Every workload of a service counts, whether or not it is a gateway: this is
/// what was asked for, not what runs.</summary>
internal sealed class ServicePlaces
{
    private readonly SortedSet<string> _internal = new(StringComparer.Ordinal), _addresses = new(StringComparer.Ordinal),
        _external = new(StringComparer.Ordinal), _warnings = new(StringComparer.Ordinal);

    /// <summary>host:port inside.</summary>
    public IReadOnlyList<string> Internal => [.. _internal];

    /// <summary>Addresses inside.</summary>
    public IReadOnlyCollection<string> InternalAddresses => _addresses;

    /// <summary>Addresses outside.</summary>
    public IReadOnlyCollection<string> External => _external;

    /// <summary>Hosts whose outer address has not been given yet.</summary>
    public HashSet<string> Pending { get; } = [];

    /// <summary>What could not be had, sorted.</summary>
    public IReadOnlyCollection<string> Warnings => _warnings;

    /// <summary>Nothing is missing but what will come by itself.</summary>
    public bool AllUsable { get; private set; } = true;

    public static ServicePlaces Find(RegistryView registry, string ns, IEnumerable<string> hosts, IEnumerable<Server> servers)
    {
        var places = new ServicePlaces();
        int[] ports = [.. servers.Select(server => (int)server.Port.Number).Distinct()];
        foreach (var host in hosts)
        {
            if (registry.Find(host, ns) is { } service)
            {
                foreach (var port in ports) places.Add(registry, service, port);
                continue;
            }
            var elsewhere = registry.ByHost.TryGetValue(host, out var others)
                ? string.Join(", ", others.Select(other => $"\"{other.Namespace}\"").Order(StringComparer.Ordinal)) : "";
            places.Miss(elsewhere.Length > 0
                ? $"hostname \"{host}\" not found in namespace \"{ns}\", but it was found in namespace(s) {elsewhere}"
                : $"hostname \"{host}\" not found");
        }
        return places;
    }

    private void Add(RegistryView registry, Service service, int port)
    {
        var endpoints = registry.EndpointsOf(service.Key).All;
        var host = service.Hostname;
        if (service.PortByNumber(port) is { } served && endpoints.Any(endpoint => endpoint.PortName == served.Name))
        {
            _internal.Add(string.Create(CultureInfo.InvariantCulture, $"{host}:{port}"));
            _addresses.UnionWith(service.ClusterAddresses.Values.SelectMany(addresses => addresses).Where(address => address != "0.0.0.0"));
            if (service.ExternalAddresses.Values.Any(addresses => addresses.Length > 0))
                _external.UnionWith(service.ExternalAddresses.Values.SelectMany(addresses => addresses));
            else if (service.KubernetesType == "LoadBalancer" && Pending.Add(host))
                _warnings.Add($"address pending for hostname \"{host}\"");
            return;
        }
        if (endpoints.Length == 0)
        {
            _warnings.Add($"no instances found for hostname \"{host}\"");
            return;
        }
        string[] meant = [.. service.Ports.Where(
            other => endpoints.Any(endpoint => endpoint.Port == port && endpoint.PortName == other.Name))
            .Select(other => other.Number.ToString(CultureInfo.InvariantCulture)).Order(StringComparer.Ordinal)];
        if (meant.Length > 0)
        {
            Miss(string.Create(CultureInfo.InvariantCulture,
                $"port {port} not found for hostname \"{host}\" (hint: the service port should be specified, not the workload port. "
                + $"Did you mean one of these ports: [{string.Join(' ', meant)}]?)"));
        }
        // The endpoints of what was deployed for the gateway will follow by themselves.
        else if (!service.Labels.ContainsKey("gateway.istio.io/managed") || service.PortByNumber(port) is null)
        {
            Miss(string.Create(CultureInfo.InvariantCulture, $"port {port} not found for hostname \"{host}\""));
        }
    }

    private void Miss(string warning)
    {
        _warnings.Add(warning);
        AllUsable = false;
    }
}
