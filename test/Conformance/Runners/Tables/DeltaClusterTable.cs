using System.Text.Json;
using Envoy.Service.Discovery.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Config.Resources;
using Lateen.Pilot.Generation;
using Lateen.Pilot.Generation.Clusters;
using Lateen.Pilot.Push;
using Lateen.Pilot.Scope;
using Lateen.Registry;
using Resource = Lateen.Config.Resources.Resource;
using Node = Envoy.Config.Core.V3.Node;

namespace Lateen.Test.Conformance.Runners.Tables;

/// <summary>Incremental CDS: a client comes with what it has, of which all that the row does not expect to be sent is up to date.</summary>
/// <remarks>What is sent follows from the bytes here, and from kinds of changes in istiod; where istiod sends everything there is nothing
/// to compare but the rest.</remarks>
internal static class DeltaClusterTable
{
    public static string? Play(JsonElement row, JsonElement context)
    {
        var services = row.Items("services").Select(Rows.Service).ToList();
        var endpoints = row.Items("instances").ToDictionary(
            item => Rows.Service(item.GetProperty("service")).Key,
            item => Instances(Rows.Service(item.GetProperty("service")), item));
        var resources = row.Items("configs").Select((config, index) => Resource(config, index)).OfType<Resource>().ToArray();
        var registry = Rows.Registry(services, endpoints);
        var snapshot = Rows.Snapshot(registry, Rows.Settings(), resources);

        var hub = new PushHub(new PushOptions(), [new ClusterGenerator()]);
        hub.Publish(snapshot);
        var all = hub.Generate(TypeUrls.Cluster, new ScopeBuilder(snapshot).ScopeOf(NodeParser.Parse(Client).Node!), null)
            .ToDictionary(cluster => cluster.Name);
        var wanted = row.Texts("expectedClusters").ToHashSet();
        var request = new DeltaDiscoveryRequest { Node = Client, TypeUrl = TypeUrls.Cluster };
        foreach (var name in row.Texts("watchedResourceNames"))
        {
            request.InitialResourceVersions[name] = !wanted.Contains(name) && all.TryGetValue(name, out var known) ? known.Version : "old";
        }
        var session = hub.Connect("row", DateTimeOffset.UnixEpoch);
        session.Receive(request, DateTimeOffset.UnixEpoch);
        if (!session.TryTake(out var response) || response.Delta is not { } delta) return "no response";
        var removed = delta.RemovedResources.ToHashSet();
        if (removed.FirstOrDefault(all.ContainsKey) is { } wrong) return $"removes {wrong}, which exists";
        if (row.Texts("removedClusters").FirstOrDefault(name => !removed.Contains(name)) is { } left) return $"does not remove {left}";
        return Rows.SameList(delta.Resources.Select(resource => resource.Name).Order(StringComparer.Ordinal),
            wanted.Order(StringComparer.Ordinal));
    }

    private static readonly Node Client = new()
    {
        Id = "sidecar~127.0.0.1~row.foo~foo.svc.cluster.local",
        Metadata = new Struct { Fields = { ["NAMESPACE"] = Value.ForString("foo"), ["CLUSTER_ID"] = Value.ForString("Kubernetes") } },
    };

    private static ServiceEndpoints Instances(Service service, JsonElement item)
    {
        var endpoint = Rows.Endpoint(item.GetProperty("endpoint"), service.Ports[0].Name) with
        {
            PortName = service.Ports[0].Name,
            ClusterId = "Kubernetes",
        };
        return new ServiceEndpoints(service.Key, [endpoint], []);
    }

    private static Resource? Resource(JsonElement config, int age) => config.Text("kind") switch
    {
        "DestinationRule" => Rows.Resource(Kinds.DestinationRule, config, age),
        "VirtualService" => Rows.Resource(Kinds.VirtualService, config, age),
        "Sidecar" => Rows.Resource(Kinds.Sidecar, config, age),
        _ => null,
    };
}
