using System.Globalization;
using System.Net;
using Google.Protobuf;
using Istio.Workload;
using Kubernetes.Gateway.V1;
using Lateen.Config.Resources;
using Protocol = Istio.Workload.ApplicationTunnel.Types.Protocol;
using WaypointAddress = Istio.Workload.GatewayAddress;

namespace Lateen.Pilot.Generation.Workloads;

/// <summary>Gateways of Kubernetes' API as waypoints.</summary>
internal static class Waypoints
{
    private const int HbonePort = 15008;
    private const string ForLabel = "istio.io/waypoint-for";
    private const string BindingAnnotation = "ambient.istio.io/waypoint-inbound-binding";
    private const string ProxyProtocol = "istio.io/PROXY";

    /// <summary>The waypoint that a Gateway is; null as long as it has no address, which it gets with its first pod.</summary>
    public static Waypoint? Of(Resource<Gateway> gateway, Resource<GatewayClass>? gatewayClass, IEnumerable<string> accounts,
        string network)
    {
        if (AddressOf(gateway, network) is not { } address) return null;
        var binding = BindingOf(gateway.Annotations, gatewayClass?.Annotations);
        return new Waypoint(gateway.Namespace, gateway.Name, address)
        {
            TrafficType = gateway.Labels.GetValueOrDefault(ForLabel) ?? gatewayClass?.Labels.GetValueOrDefault(ForLabel)
                ?? Waypoint.ServiceTraffic,
            Binding = binding,
            Allowed = AllowedBy(gateway.Spec.Spec?.Listeners ?? [], binding),
            ServiceAccounts = [.. accounts.Order(StringComparer.Ordinal)],
        };
    }

    /// <summary>The way in that annotations ask for, as <c>protocol</c> or <c>protocol/port</c>, the Gateway's before its class's; null for
    /// HBONE and for what can't be read.</summary>
    public static InboundBinding? BindingOf(IReadOnlyDictionary<string, string> ofGateway, IReadOnlyDictionary<string, string>? ofClass)
    {
        if ((ofGateway.GetValueOrDefault(BindingAnnotation) ?? ofClass?.GetValueOrDefault(BindingAnnotation)) is not { } written)
            return null;
        var parts = written.Split('/');
        if (parts.Length > 2) return null;
        Protocol? protocol = parts[0] switch { "NONE" => Protocol.None, "PROXY" => Protocol.Proxy, _ => null };
        if (protocol is null) return null;
        var port = parts.Length == 2 && uint.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number : 0;
        return new InboundBinding(protocol.Value, port);
    }

    /// <summary>Who may bind: what the listener of the way in says, else the HBONE listener, else the own namespace.</summary>
    public static AllowedNamespaces AllowedBy(IReadOnlyCollection<Listener> listeners, InboundBinding? binding)
    {
        var listener = Bound(listeners, binding) ?? listeners.FirstOrDefault(static l => l is { Protocol: "HBONE", Port: HbonePort });
        if (listener?.AllowedRoutes?.Namespaces is not { } namespaces) return AllowedNamespaces.Same;
        return new AllowedNamespaces(namespaces.From is { Length: > 0 } from ? from : AllowedNamespaces.Same.From, namespaces.Selector);
    }

    private static Listener? Bound(IReadOnlyCollection<Listener> listeners, InboundBinding? binding) => binding switch
    {
        { Port: > 0 } => listeners.FirstOrDefault(l => l.Port == binding.Port),
        { Protocol: Protocol.Proxy } => listeners.FirstOrDefault(static l => l.Protocol == ProxyProtocol),
        _ => null,
    };

    // A name stays the same when addresses are handed out anew.
    private static WaypointAddress? AddressOf(Resource<Gateway> gateway, string network)
    {
        var addresses = gateway.Spec.Status?.Addresses ?? [];
        if (addresses.FirstOrDefault(static a => a.Type == "Hostname") is { } name)
        {
            return new WaypointAddress
            {
                Hostname = new NamespacedHostname { Namespace = gateway.Namespace, Hostname = name.Value },
                HboneMtlsPort = HbonePort,
            };
        }
        foreach (var candidate in addresses.Where(static a => a.Type == "IPAddress"))
        {
            if (!IPAddress.TryParse(candidate.Value, out var ip)) continue;
            return new WaypointAddress
            {
                Address = new NetworkAddress { Network = network, Address = ByteString.CopyFrom(ip.GetAddressBytes()) },
                HboneMtlsPort = HbonePort,
            };
        }
        return null;
    }
}
