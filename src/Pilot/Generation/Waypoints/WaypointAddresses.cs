using System.Net;
using Istio.Workload;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Generation.Routes;
using Lateen.Pilot.Generation.Workloads;
using Lateen.Pilot.Scope;
using Service = Lateen.Registry.Service;

namespace Lateen.Pilot.Generation.Waypoints;

/// <summary>Addresses at which a waypoint is meant to stand in for a service.</summary>
internal static class WaypointAddresses
{
    /// <summary>Of a service in a mesh.</summary>
    public static IReadOnlyList<string> Of(Service service, AmbientService? message, ProxyInputs inputs)
    {
        var local = ServiceAddresses.Each(service, inputs.Node, inputs.Features)
            .Where(static address => address != Service.UnspecifiedAddress).ToList();
        return message is { IsGlobal: true } ? Of(message.Message.Addresses, inputs.Scope.Network, local, inputs.Node) : local;
    }

    /// <summary>Of a service that all clusters share: its addresses in the proxy's network, of the families that the proxy has; else those
    /// of the proxy's cluster.</summary>
    public static IReadOnlyList<string> Of(IEnumerable<NetworkAddress> addresses, string network, IReadOnlyList<string> local,
        ProxyNode proxy)
    {
        var own = addresses.Where(address => address.Network == network)
            .Select(static address => new IPAddress(address.Address.Span).ToString())
            .Where(address => address.Contains(':') ? proxy.SupportsIPv6 : proxy.SupportsIPv4)
            .OrderBy(static address => address.Contains(':')).ThenBy(static address => address, StringComparer.Ordinal).ToList();
        return own.Count > 0 ? own : local;
    }
}
