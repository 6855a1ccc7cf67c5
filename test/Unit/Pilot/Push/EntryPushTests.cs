using Envoy.Service.Discovery.V3;
using Lateen.ControlPlane;
using Lateen.Pilot.Generation;
using Lateen.Pilot.Push;
using Xunit;

namespace Lateen.Test.Unit.Pilot.Push;

/// <summary>Who serves a ServiceEntry changes: those who see it are told of that alone, and nothing else is made for anybody.</summary>
public sealed class EntryPushTests
{
    private static readonly string[] Types =
        [TypeUrls.Cluster, TypeUrls.Endpoint, TypeUrls.Listener, TypeUrls.Route, TypeUrls.NameTable];

    private readonly TestMesh _mesh = new();
    private readonly PushHub _hub = new(new PushOptions(), Wiring.Generators());

    public EntryPushTests()
    {
        _hub.Publish(_mesh.Apply(string.Join("\n---\n",
            Entry("web", "endpoints: [{ address: 10.0.0.1 }]"), Entry("db", "endpoints: [{ address: 10.0.0.2 }]", "TCP"),
            Entry("own", "endpoints: [{ address: 10.0.0.3 }]", exportTo: "."),
            Entry("chosen", "workloadSelector: { labels: { app: chosen } }"), Workload("10.0.0.4"),
            TestMesh.Service("plain", "10.96.0.1", "10.0.0.5"))));
    }

    [Theory]
    [InlineData("web", "HTTP")]
    [InlineData("db", "TCP")]
    public void Endpoints_of_an_entry_go_to_all_who_see_it_and_nothing_else_does(string name, string protocol)
    {
        var (near, far) = (Connected("near", "default"), Connected("far", "elsewhere"));
        var before = Types.Select(type => Everything(near, type)).ToList();
        _hub.Publish(_mesh.Apply(Entry(name, "endpoints: [{ address: 10.0.0.1 }, { address: 10.0.0.9 }]", protocol)));
        AssertToldOf(near, name);
        AssertToldOf(far, name);
        foreach (var (type, known) in Types.Zip(before))
        {
            var other = Everything(near, type).Where((resource, at) => !ReferenceEquals(resource, known[at])).Select(made => made.Name);
            Assert.Equal(type == TypeUrls.Endpoint ? [ClusterOf(name)] : [], other);
        }
    }

    [Fact]
    public void Who_does_not_see_an_entry_is_told_nothing()
    {
        var (near, far) = (Connected("near", "default"), Connected("far", "elsewhere"));
        var awake = _hub.Publish(_mesh.Apply(Entry("own", "endpoints: [{ address: 10.0.0.9 }]", exportTo: ".")));
        AssertToldOf(near, "own");
        Assert.False(far.TryTake(out _));
        Assert.Equal([near], awake);
    }

    [Fact]
    public void A_workload_that_an_entry_selects_moves_its_endpoints_alone()
    {
        var near = Connected("near", "default");
        _hub.Publish(_mesh.Apply(Workload("10.0.0.9")));
        AssertToldOf(near, "chosen");
    }

    private static void AssertToldOf(AdsSession session, string name)
    {
        Assert.True(session.TryTake(out var response));
        Assert.Equal(TypeUrls.Endpoint, response.TypeUrl);
        Assert.Equal(ClusterOf(name), Assert.Single(response.Resources).Name);
        Ack(session, response);
        Assert.False(session.TryTake(out _));
    }

    private List<WireResource> Everything(AdsSession session, string type) => [.. _hub.Generate(type, session.Scope!, NamesOf(type))];

    private static HashSet<string>? NamesOf(string type) => type == TypeUrls.Route ? ["80"]
        : type == TypeUrls.Endpoint ? [.. new[] { "web", "db", "own", "chosen" }.Select(ClusterOf)] : null;

    private AdsSession Connected(string name, string ns)
    {
        var session = _hub.Connect(name, default);
        var node = TestMesh.NodeOf(name, ns == "default" ? "10.0.9.1" : "10.0.9.2", ns);
        node.Metadata.Fields["DNS_CAPTURE"] = Google.Protobuf.WellKnownTypes.Value.ForString("true");
        foreach (var type in Types)
        {
            session.Receive(new DeltaDiscoveryRequest { Node = node, TypeUrl = type, ResourceNamesSubscribe = { NamesOf(type) ?? [] } },
                default);
            while (session.TryTake(out var response)) Ack(session, response);
        }
        return session;
    }

    private static void Ack(AdsSession session, AdsResponse response) =>
        session.Receive(new DeltaDiscoveryRequest { TypeUrl = response.TypeUrl, ResponseNonce = response.Nonce }, default);

    private static string ClusterOf(string name) => $"outbound|80||{name}.example";

    private static string Entry(string name, string served, string protocol = "HTTP", string exportTo = "*") => $$"""
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: { name: {{name}}, namespace: default, creationTimestamp: "2026-01-01T00:00:00Z" }
        spec:
          hosts: [{{name}}.example]
          addresses: [10.8.0.{{name.Length}}{{(protocol == "TCP" ? 1 : 0)}}]
          exportTo: ["{{exportTo}}"]
          ports: [{ number: 80, name: main, protocol: {{protocol}} }]
          location: MESH_INTERNAL
          resolution: STATIC
          {{served}}
        """;

    private static string Workload(string address) => $$"""
        apiVersion: networking.istio.io/v1
        kind: WorkloadEntry
        metadata: { name: one, namespace: default, creationTimestamp: "2026-01-01T00:00:00Z" }
        spec: { address: {{address}}, labels: { app: chosen } }
        """;
}
