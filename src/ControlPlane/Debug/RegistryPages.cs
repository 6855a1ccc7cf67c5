using System.Text.Json.Nodes;
using Lateen.ControlPlane.Ads;
using Lateen.ControlPlane.Operator;
using Lateen.Pilot.Scope;
using Lateen.Registry;

namespace Lateen.ControlPlane.Debug;

/// <summary>The pages about what exists: services, endpoints, instances, networks.</summary>
internal static class RegistryPages
{
    public static DebugPage Registryz(ControlLoop loop, QueryFields query, bool pretty) =>
        ConnectionPages.Page(new JsonArray([.. View(loop).Services.Select(service => (JsonNode)Row(service))]), pretty);

    public static DebugPage Endpointz(ControlLoop loop, QueryFields query, bool pretty)
    {
        var hosts = new JsonObject();
        RegistryView view = View(loop);
        foreach (Service service in view.Services.OrderBy(service => service.Hostname, StringComparer.Ordinal))
        {
            ServiceEndpoints endpoints = view.EndpointsOf(service.Key);
            if (endpoints.All.IsEmpty) continue;
            if (hosts[service.Hostname] is not JsonObject namespaces) hosts[service.Hostname] = namespaces = [];
            namespaces[service.Namespace] = Shards(service, endpoints);
        }
        return ConnectionPages.Page(hosts, pretty);
    }

    public static DebugPage Instancesz(ControlLoop loop, QueryFields query, bool pretty)
    {
        var proxies = new JsonObject();
        foreach (AdsStream stream in ConnectionPages.Introduced(loop))
        {
            var rows = new JsonArray();
            foreach (ServiceTarget target in stream.Session.Scope?.Targets ?? [])
            {
                JsonObject port = Port(target.Port);
                port["TargetPort"] = target.TargetPort;
                rows.Add((JsonNode)new JsonObject { ["Service"] = Row(target.Service), ["Port"] = port });
            }
            proxies[stream.Session.Node!.WorkloadId] = rows;
        }
        return ConnectionPages.Page(proxies, pretty);
    }

    public static DebugPage Networkz(ControlLoop loop, QueryFields query, bool pretty)
    {
        return Gateways(loop) is { } gateways ? ConnectionPages.Page(gateways, pretty) : DebugPage.Json("null");
    }

    /// <summary>The gateways of other networks; null where there are none.</summary>
    public static JsonArray? Gateways(ControlLoop loop) =>
        View(loop).NetworkGateways.IsEmpty ? null : new([.. View(loop).NetworkGateways.Select(gateway => (JsonNode)new JsonObject
        {
            ["Network"] = gateway.Network, ["Cluster"] = gateway.ClusterId, ["Addr"] = gateway.Address, ["Port"] =
                gateway.Port, ["HBONEPort"] = gateway.HbonePort,
        })]);

    private static RegistryView View(ControlLoop loop) => loop.Hub.Snapshot?.Registry ?? RegistryView.Empty;

    /// <summary>One service.</summary>
    public static JsonObject Row(Service service)
    {
        var row = new JsonObject { ["Attributes"] = Attributes(service) };
        if (!service.Ports.IsEmpty) row["ports"] = new JsonArray([.. service.Ports.Select(port => (JsonNode)Port(port))]);
        row["creationTime"] = service.CreationTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'");
        row["hostname"] = service.Hostname;
        row["clusterVIPs"] = new JsonObject
        {
            ["Addresses"] = service.ClusterAddresses.Count == 0
                ? Unspecified(service) : new JsonObject(
                    [.. service.ClusterAddresses.Select(pair => KeyValuePair.Create(pair.Key, (JsonNode?)Strings(pair.Value)))]),
        };
        row["defaultAddress"] = service.DefaultAddress;
        if (service.AutoAllocatedIPv4 is { } four) row["autoAllocatedIPv4Address"] = four;
        if (service.AutoAllocatedIPv6 is { } six) row["autoAllocatedIPv6Address"] = six;
        row["Resolution"] = Number(service.Resolution);
        row["MeshExternal"] = service.MeshExternal;
        row["ResourceVersion"] = "";
        return row;
    }

    // A service of a cluster always has an address there, if only the one that stands for none.
    private static JsonObject? Unspecified(Service service) =>
        service.Source == ServiceSource.Kubernetes ? new JsonObject { ["Kubernetes"] = Strings([service.DefaultAddress]) } : null;

    private static JsonObject Attributes(Service service) => new()
    {
        ["ServiceRegistry"] = Provider(service),
        ["Name"] = service.Name,
        ["Namespace"] = service.Namespace,
        ["Labels"] = Labels(service.Labels),
        ["ExportTo"] = service.ExportTo.Count == 0
            ? null
            : new JsonObject([.. service.ExportTo.Order(StringComparer.Ordinal)
                .Select(name => KeyValuePair.Create(name, (JsonNode?)new JsonObject()))]),
        ["Visibility"] = 0,
        ["LabelSelectors"] = Labels(service.Selector),
        ["Aliases"] = service.Aliases.IsDefaultOrEmpty
            ? null
            : new JsonArray([.. service.Aliases.Select(
                alias => (JsonNode)new JsonObject { ["Hostname"] = alias.Hostname, ["Namespace"] = alias.Namespace })]),
        ["ClusterExternalAddresses"] = new JsonObject { ["Addresses"] = service.ExternalAddresses.Count == 0
            ? null
            : new JsonObject(
                [.. service.ExternalAddresses.Select(pair => KeyValuePair.Create(pair.Key, (JsonNode?)Strings(pair.Value)))]) },
        ["ClusterExternalPorts"] = null,
        ["PassthroughTargetPorts"] = null,
        ["Type"] = service.KubernetesType,
        ["ExternalName"] = service.ExternalName ?? "",
        ["NodeLocal"] = service.NodeLocal,
        ["TrafficDistribution"] = (int)service.TrafficDistribution,
        ["ObjectName"] = "",
        ["DNSConnectStrategy"] = 0,
        ["PublishNotReadyAddresses"] = service.PublishNotReady,
    };

    private static JsonObject Shards(Service service, ServiceEndpoints endpoints)
    {
        var shards = new JsonObject();
        foreach (IGrouping<string, Endpoint> cluster in endpoints.All.GroupBy(endpoint => endpoint.ClusterId))
            shards[$"{Provider(service)}/{cluster.Key}"] = new JsonArray([.. cluster.Select(endpoint => (JsonNode)Row(endpoint))]);
        return new JsonObject
        {
            ["Shards"] = shards,
            ["ServiceAccounts"] = new JsonObject(
                [.. endpoints.Identities.Select(identity => KeyValuePair.Create(identity, (JsonNode?)new JsonObject()))]),
        };
    }

    private static JsonObject Row(Endpoint endpoint) => new()
    {
        ["Labels"] = Labels(endpoint),
        ["Addresses"] = Strings(endpoint.Addresses),
        ["ServicePortName"] = endpoint.PortName,
        ["LegacyClusterPortKey"] = 0,
        ["ServiceAccount"] = endpoint.Identity,
        ["Network"] = endpoint.Network,
        ["Locality"] = new JsonObject
        {
            ["Label"] = endpoint.Locality.IsNone ? "" : $"{endpoint.Locality.Region}/{endpoint.Locality.Zone}/{endpoint.Locality.Subzone}",
            ["ClusterID"] = endpoint.ClusterId,
        },
        ["EndpointPort"] = endpoint.Port,
        ["LbWeight"] = endpoint.Weight,
        ["TLSMode"] = endpoint.AcceptsMtls ? "istio" : "disabled",
        ["Namespace"] = endpoint.Namespace,
        ["WorkloadName"] = endpoint.WorkloadName,
        ["HostName"] = endpoint.PodHostname,
        ["SubDomain"] = endpoint.PodSubdomain,
        ["HealthStatus"] = endpoint.Health switch
        {
            EndpointHealth.Healthy => 1,
            EndpointHealth.Unhealthy => 2,
            EndpointHealth.Draining => 3,
            _ => 4,
        },
        ["SendUnhealthyEndpoints"] = endpoint.SendUnhealthy,
        ["NodeName"] = endpoint.NodeName,
    };

    private static JsonObject Port(ServicePort port) =>
        new() { ["name"] = port.Name, ["port"] = port.Number, ["protocol"] = Name(port.Protocol) };

    // istiod's numbers and spellings.
    private static int Number(ServiceResolution resolution) => resolution switch
    {
        ServiceResolution.ClientSide => 0,
        ServiceResolution.Dns => 1,
        ServiceResolution.Passthrough => 2,
        ServiceResolution.DnsRoundRobin => 3,
        ServiceResolution.Alias => 4,
        _ => 5,
    };

    private static string Name(Protocol protocol) => protocol switch
    {
        Protocol.Unsupported => "UnsupportedProtocol",
        Protocol.GrpcWeb => "GRPC-Web",
        Protocol.HttpProxy => "HTTP_PROXY",
        Protocol.Mongo => "Mongo",
        Protocol.Redis => "Redis",
        Protocol.MySql => "MySQL",
        _ => protocol.ToString().ToUpperInvariant(),
    };

    private static string Provider(Service service) => service.Source == ServiceSource.Kubernetes ? "Kubernetes" : "External";

    // Where a labelled endpoint stands is among its labels, its network even where it has none.
    private static JsonObject? Labels(Endpoint endpoint)
    {
        JsonObject? labels = Labels(endpoint.Labels);
        if (labels?.ContainsKey("topology.istio.io/cluster") == true) labels.TryAdd("topology.istio.io/network", endpoint.Network);
        return labels;
    }

    private static JsonObject? Labels(IReadOnlyDictionary<string, string> labels) =>
        labels.Count == 0
            ? null
            : new JsonObject([.. labels.OrderBy(label => label.Key, StringComparer.Ordinal)
                .Select(label => KeyValuePair.Create(label.Key, (JsonNode?)label.Value))]);

    private static JsonArray Strings(IEnumerable<string> values) => new([.. values.Select(value => (JsonNode)value)]);
}
