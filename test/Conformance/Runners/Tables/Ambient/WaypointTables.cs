using System.Net;
using System.Text.Json;
using Google.Protobuf;
using Istio.Workload;
using Lateen.Config.Resources;
using Lateen.Pilot.Generation.Clusters;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Generation.Listeners;
using Lateen.Pilot.Generation.Waypoints;
using Lateen.Pilot.Scope;

namespace Lateen.Test.Conformance.Runners.Tables.Ambient;

/// <summary>Listeners and routes of waypoints.</summary>
internal static class WaypointTables
{
    public static string? ShowsClients(JsonElement row, JsonElement context)
    {
        var annotations = (row.GetProperty("node").Field("metadata") ?? default).Labels("annotations");
        var node = new ProxyNode { Id = "row", Type = ProxyType.Waypoint, Metadata = new NodeMetadata { Annotations = annotations } };
        return Rows.Same(WaypointListeners.ShowsClients(node), row.Flag("expected"));
    }

    public static string? Addresses(JsonElement row, JsonElement context)
    {
        var node = new ProxyNode { Id = "row", Type = ProxyType.Waypoint, Addresses = [.. row.Texts("proxyIPs")] };
        var addresses = row.Items("addresses").Select(item => new NetworkAddress
        {
            Network = item.Text("network"),
            Address = ByteString.CopyFrom(IPAddress.Parse(item.Text("address")).GetAddressBytes()),
        });
        var local = row.Texts("localVIPs");
        var have = row.Text("scope") == "GLOBAL" ? WaypointAddresses.Of(addresses, row.Text("proxyNetwork"), local, node) : local;
        if (row.Texts("expectedVIPs").FirstOrDefault(want => !have.Contains(want)) is { } missing)
            return $"{missing} is not in {string.Join(", ", have)}";
        return row.Texts("unexpectedVIPs").FirstOrDefault(have.Contains) is { } extra ? $"{extra} is in {string.Join(", ", have)}" : null;
    }

    public static string? HashPolicy(JsonElement row, JsonElement context)
    {
        var service = Rows.Service(context.GetProperty("svc"));
        var rules = row.Items("configs")
            .Select((item, i) => (Lateen.Config.Resources.Resource)Rows.Resource(Kinds.DestinationRule, item, i)).ToArray();
        var snapshot = Rows.Snapshot(Rows.Registry([service]), Rows.Settings(), rules);
        var node = new ProxyNode { Id = "row", Type = ProxyType.Waypoint, Namespace = "default", Addresses = ["1.1.1.1"] };
        var port = service.Ports[0];
        var listeners = new WaypointListeners(new ListenerParts(new ProxyInputs(new ScopeBuilder(snapshot).ScopeOf(node))));
        var routes = listeners.RoutesOf(service, port, ClusterNames.InboundVip(port.Number, WaypointScope.Http, "", service.Hostname));
        return Rows.Same(routes.VirtualHosts[0].Routes[0].Route_.HashPolicy.Count > 0, row.Flag("expectHash"));
    }
}
