using Envoy.Config.Core.V3;
using Envoy.Config.Route.V3;
using Envoy.Service.Discovery.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Config.Resources;
using Lateen.Pilot.Generation;
using Lateen.Pilot.Generation.Routes;
using Lateen.Pilot.Push;
using Xunit;

namespace Lateen.Test.Unit.Pilot.Push;

public sealed class VirtualHostTests
{
    private readonly TestMesh _mesh = new();
    private readonly PushHub _hub;

    public VirtualHostTests()
    {
        var routes = new RouteGenerator();
        _hub = new PushHub(new PushOptions(), [routes, new VirtualHostGenerator(routes)]);
        _hub.Publish(_mesh.Apply(Rule("5s")));
    }

    [Fact]
    public void A_rule_that_changes_sends_its_own_host_and_no_table()
    {
        var session = Connected(isSplit: true);
        _hub.Publish(_mesh.Apply(Rule("7s")));
        var pushed = Take(session);
        Assert.Equal(TypeUrls.VirtualHost, pushed.TypeUrl);
        var host = Assert.Single(pushed.Resources);
        Assert.Equal("80/reviews.default.svc.cluster.local:80", host.Name);
        Assert.Equal(7, host.Resource_.Unpack<VirtualHost>().Routes[0].Route_.Timeout.Seconds);
        Assert.False(session.TryTake(out _));
    }

    [Fact]
    public void Services_come_and_go_as_one_host_each()
    {
        var session = Connected(isSplit: true);
        _hub.Publish(_mesh.Apply(TestMesh.Service("ratings", "10.96.0.3", "10.0.0.3")));
        var added = Take(session);
        Assert.Equal(["80/ratings.default.svc.cluster.local:80"], added.Resources.Select(host => host.Name));
        Ack(session, added);
        _hub.Publish(_mesh.Delete(Kinds.Service, "default", "ratings"));
        var removed = Take(session);
        Assert.Empty(removed.Resources);
        Assert.Equal(["80/ratings.default.svc.cluster.local:80"], removed.RemovedResources);
    }

    [Fact]
    public void Shell_and_hosts_make_the_table_that_envoy_gets()
    {
        var (split, whole) = (new Dictionary<string, Any>(), new Dictionary<string, Any>());
        Connected(isSplit: true, split);
        Connected(isSplit: false, whole);
        var table = split["80"].Unpack<RouteConfiguration>();
        Assert.NotNull(table.Vhds);
        table.Vhds = null;
        table.VirtualHosts.Add(split.Where(resource => resource.Key.StartsWith("80/", StringComparison.Ordinal))
            .Select(resource => resource.Value.Unpack<VirtualHost>()));
        var wanted = Assert.Single(whole).Value.Unpack<RouteConfiguration>();
        Assert.Equal(Sorted(wanted), Sorted(table));
    }

    [Fact]
    public void Who_comes_back_with_all_hosts_is_sent_none()
    {
        var held = new Dictionary<string, Any>();
        var first = Connected(isSplit: true, held);
        var versions = first.Held(TypeUrls.VirtualHost).ToDictionary();
        _hub.Disconnect(first);
        var again = _hub.Connect("again", default);
        var request = new DeltaDiscoveryRequest
        {
            Node = Node(isSplit: true),
            TypeUrl = TypeUrls.VirtualHost,
            ResourceNamesSubscribe = { "80" },
        };
        request.InitialResourceVersions.Add(versions);
        again.Receive(request, default);
        var answer = Take(again);
        Assert.Empty(answer.Resources);
        Assert.Empty(answer.RemovedResources);
        Assert.Equal(3, versions.Count);
    }

    [Fact]
    public void A_stream_of_state_of_the_world_gets_whole_tables()
    {
        var session = _hub.Connect("whole", default);
        session.Receive(new DiscoveryRequest { Node = Node(isSplit: true), TypeUrl = TypeUrls.Route, ResourceNames = { "80" } }, default);
        Assert.True(session.TryTake(out var response));
        Assert.Equal(3, response.Whole!.Resources[0].Unpack<RouteConfiguration>().VirtualHosts.Count);
    }

    private static string Rule(string timeout) =>
        TestMesh.Service("reviews", "10.96.0.1", "10.0.0.1") + "\n---\n" + TestMesh.Service("details", "10.96.0.2", "10.0.0.2") + $$"""

        ---
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: reviews, namespace: default}
        spec:
          hosts: [reviews]
          http:
          - timeout: {{timeout}}
            route:
            - destination: {host: reviews}
        """;

    private AdsSession Connected(bool isSplit, Dictionary<string, Any>? held = null)
    {
        var session = _hub.Connect($"s{isSplit}", default);
        session.Receive(new DeltaDiscoveryRequest { Node = Node(isSplit), TypeUrl = TypeUrls.Route, ResourceNamesSubscribe = { "80" } },
            default);
        Keep(session, held);
        if (!isSplit) return session;
        session.Receive(new DeltaDiscoveryRequest { TypeUrl = TypeUrls.VirtualHost, ResourceNamesSubscribe = { "80" } }, default);
        Keep(session, held);
        return session;
    }

    private static void Keep(AdsSession session, Dictionary<string, Any>? held)
    {
        var response = Take(session);
        foreach (var resource in response.Resources) held?.Add(resource.Name, resource.Resource_);
        Ack(session, response);
    }

    private static Node Node(bool isSplit)
    {
        var node = TestMesh.NodeOf("client", "10.0.0.9");
        if (isSplit) node.Metadata.Fields["LATEEN_VIRTUAL_HOSTS"] = Value.ForString("true");
        return node;
    }

    private static RouteConfiguration Sorted(RouteConfiguration table)
    {
        var hosts = table.VirtualHosts.OrderBy(host => host.Name, StringComparer.Ordinal).ToList();
        table.VirtualHosts.Clear();
        table.VirtualHosts.Add(hosts);
        return table;
    }

    private static DeltaDiscoveryResponse Take(AdsSession session)
    {
        Assert.True(session.TryTake(out var response));
        return response.Delta!;
    }

    private static void Ack(AdsSession session, DeltaDiscoveryResponse response) =>
        session.Receive(new DeltaDiscoveryRequest { TypeUrl = response.TypeUrl, ResponseNonce = response.Nonce }, default);
}
