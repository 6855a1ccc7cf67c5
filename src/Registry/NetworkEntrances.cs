using System.Collections.Immutable;
using Istio.Mesh.V1Alpha1;

namespace Lateen.Registry;

/// <summary>Where networks can be entered: the gateways of the networks file, and gateway Services that carry the network label.</summary>
internal static class NetworkEntrances
{
    private const int MtlsPort = 15443;
    private const int HbonePort = 15008;
    private const string PortLabel = "networking.istio.io/gatewayPort";

    public static ImmutableArray<NetworkGateway> Of(MeshNetworks? networks, IReadOnlyList<Service> services)
    {
        var found = new HashSet<NetworkGateway>();
        foreach (var (name, network) in networks?.Networks ?? [])
        {
            foreach (var gateway in network.Gateways) Declared(found, name, gateway, services);
        }
        foreach (var service in services)
        {
            if (service.Source == ServiceSource.Kubernetes && service.Labels.TryGetValue(Networks.Label, out var network))
                Labelled(found, network, service);
        }
        return [.. found
            .OrderBy(gateway => gateway.Address, StringComparer.Ordinal).ThenBy(gateway => gateway.Port)
            .ThenBy(gateway => gateway.Network, StringComparer.Ordinal).ThenBy(gateway => gateway.ClusterId, StringComparer.Ordinal)];
    }

    private static void Declared(HashSet<NetworkGateway> found, string network, Network.Types.IstioNetworkGateway gateway,
        IReadOnlyList<Service> services)
    {
        var port = gateway.Port == 0 ? MtlsPort : (int)gateway.Port;
        if (gateway.GwCase == Network.Types.IstioNetworkGateway.GwOneofCase.Address)
        {
            found.Add(new NetworkGateway(network, "", gateway.Address, port));
            return;
        }
        foreach (var service in services.Where(service => service.Hostname == gateway.RegistryServiceName))
        {
            foreach (var (cluster, addresses) in service.ExternalAddresses)
            {
                foreach (var address in addresses)
                    found.Add(new NetworkGateway(network, cluster, address, PortOutside(service, cluster, port)));
            }
        }
    }

    private static void Labelled(HashSet<NetworkGateway> found, string network, Service service)
    {
        var port = service.Labels.TryGetValue(PortLabel, out var text) && int.TryParse(text, out var labelled) ? labelled : MtlsPort;
        var hbone = service.Ports.Any(declared => declared.Number == HbonePort) ? HbonePort : 0;
        if (service.PortByNumber(port) is null) return;
        foreach (var (cluster, addresses) in service.ExternalAddresses)
        {
            foreach (var address in addresses)
            {
                found.Add(new NetworkGateway(network, cluster, address, PortOutside(service, cluster, port),
                    hbone == 0 ? 0 : PortOutside(service, cluster, hbone)));
            }
        }
    }

    // By node port, where the addresses are those of nodes.
    private static int PortOutside(Service service, string cluster, int port) =>
        service.ExternalPorts.TryGetValue(cluster, out var mapped) && mapped.TryGetValue(port, out var outside) ? outside : port;
}
