using Xunit;
using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Google.Rpc;
using Lateen.Api.Texts;
using Lateen.Config.Resources;
using Lateen.ControlPlane;
using Lateen.Pilot.Generation;
using Lateen.Pilot.Generation.Clusters;
using Lateen.Pilot.Generation.Endpoints;
using Lateen.Pilot.Push;

namespace Lateen.Test.Unit.Pilot.Push;

public sealed class AdsSessionTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private const string Web = "outbound|80||web.default.svc.cluster.local";

    private readonly TestMesh _mesh = new();
    private readonly PushHub _hub = new(new PushOptions(), [new ClusterGenerator(), new EndpointGenerator()]);
    private readonly AdsSession _session;

    public AdsSessionTests()
    {
        _hub.Publish(_mesh.Apply(TestMesh.Service("web", "10.0.0.1", "10.1.0.1")));
        _session = _hub.Connect("s1", Now);
    }

    [Fact]
    public void A_wildcard_request_gets_all_clusters_once()
    {
        Ask(TypeUrls.Cluster);
        var first = Take();
        Assert.Contains(first.Resources, resource => resource.Name == Web);
        Assert.False(_session.TryTake(out _));
        Ack(first);
        Assert.True(_session.InSync);
    }

    [Fact]
    public void An_endpoint_change_pushes_that_service_alone()
    {
        Connected();
        _hub.Publish(_mesh.Apply(TestMesh.Service("web", "10.0.0.1", "10.1.0.1", "10.1.0.2")));
        var pushed = Take();
        Assert.Equal(TypeUrls.Endpoint, pushed.TypeUrl);
        Assert.Equal([Web], pushed.Resources.Select(resource => resource.Name));
        Assert.False(_session.TryTake(out _));
    }

    [Fact]
    public void Equal_bytes_are_not_pushed_again()
    {
        Connected();
        _hub.Publish(_mesh.Compile(_mesh.Resources.Reverse()));
        Assert.False(_session.TryTake(out _));
        Assert.True(_session.InSync);
    }

    [Fact]
    public void A_vanished_service_is_removed()
    {
        Connected();
        _hub.Publish(_mesh.Delete(Kinds.Service, "default", "web"));
        var clusters = Take();
        Assert.Equal([Web], clusters.RemovedResources);
        var endpoints = Take();
        Assert.Equal(TypeUrls.Endpoint, endpoints.TypeUrl);
        Assert.Equal([Web], endpoints.RemovedResources);
    }

    [Fact]
    public void A_subset_that_is_gone_never_gets_the_endpoints_of_the_whole_service()
    {
        const string subset = "outbound|80|v1|web.default.svc.cluster.local";
        _hub.Publish(_mesh.Apply("""
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: web, namespace: default}
            spec: {host: web, subsets: [{name: v1, labels: {version: v1}}]}
            """));
        Connected();
        Ask(TypeUrls.Endpoint, subset);
        var defined = Take();
        Assert.Contains(defined.Resources, resource => resource.Name == subset);
        Ack(defined);
        _hub.Publish(_mesh.Delete(Kinds.DestinationRule, "default", "web"));
        while (_session.TryTake(out var response))
        {
            Assert.DoesNotContain(response.Resources, resource => resource.Name == subset);
            if (response.TypeUrl == TypeUrls.Endpoint) Assert.Contains(subset, response.Delta!.RemovedResources);
            Ack(response.Delta!);
        }
    }

    [Fact]
    public void While_an_answer_is_due_changes_are_gathered()
    {
        Connected();
        _hub.Publish(_mesh.Apply(TestMesh.Service("web", "10.0.0.1", "10.1.0.1", "10.1.0.2")));
        var first = Take();
        _hub.Publish(_mesh.Apply(TestMesh.Service("web", "10.0.0.1", "10.1.0.3")));
        _hub.Publish(_mesh.Apply(TestMesh.Service("web", "10.0.0.1", "10.1.0.4")));
        Assert.False(_session.TryTake(out _));
        Ack(first);
        var second = Take();
        var assignment = second.Resources[0].Resource_.Unpack<Envoy.Config.Endpoint.V3.ClusterLoadAssignment>();
        Assert.Equal("10.1.0.4", assignment.Endpoints[0].LbEndpoints[0].Endpoint.Address.SocketAddress.Address);
        Ack(second);
        Assert.True(_session.InSync);
    }

    [Fact]
    public void A_refused_resource_is_told_and_not_repeated_until_it_changes()
    {
        Ask(TypeUrls.Cluster);
        var first = Take();
        _session.Receive(new DeltaDiscoveryRequest
        {
            TypeUrl = TypeUrls.Cluster,
            ResponseNonce = first.Nonce,
            ErrorDetail = new Status { Message = "no" },
        }, Now);
        Assert.False(_session.TryTake(out _));
        var status = Assert.Single(_session.Status().Types);
        Assert.Contains(status.Nacked, nacked => nacked.Name == Web && nacked.Error == "no");
        Assert.Equal("", status.AckedRevision);
        Assert.True(_session.InSync);
    }

    [Fact]
    public void A_client_that_comes_back_with_its_versions_gets_nothing_twice()
    {
        Ask(TypeUrls.Cluster);
        var first = Take();
        var again = _hub.Connect("s2", Now);
        var request = new DeltaDiscoveryRequest { Node = TestMesh.NodeOf("client", "10.1.0.9"), TypeUrl = TypeUrls.Cluster };
        foreach (var resource in first.Resources) request.InitialResourceVersions[resource.Name] = resource.Version;
        again.Receive(request, Now);
        Assert.True(again.TryTake(out var answer));
        Assert.Empty(answer.Delta!.Resources);
        Assert.Empty(answer.Delta.RemovedResources);
    }

    [Fact]
    public void A_client_that_comes_back_with_something_else_is_sent_what_differs_and_told_what_is_gone()
    {
        Ask(TypeUrls.Cluster);
        var first = Take();
        var again = _hub.Connect("s2", Now);
        var request = new DeltaDiscoveryRequest { Node = TestMesh.NodeOf("client", "10.1.0.9"), TypeUrl = TypeUrls.Cluster };
        foreach (var resource in first.Resources.Skip(1)) request.InitialResourceVersions[resource.Name] = resource.Version;
        request.InitialResourceVersions[Web] = "0";
        request.InitialResourceVersions["gone"] = "1";
        // As it lies in memory when it arrives.
        var arrived = DeltaRequest.Read(request.ToByteArray(), new TextPool());
        Assert.Empty(arrived.Message.InitialResourceVersions);
        again.Receive(arrived.Message, arrived.Held, Now);
        Assert.True(again.TryTake(out var answer));
        Assert.Equal(new[] { first.Resources[0].Name, Web }.Distinct().Order(StringComparer.Ordinal),
            answer.Resources.Select(resource => resource.Name).Order(StringComparer.Ordinal));
        Assert.Equal(["gone"], answer.Delta!.RemovedResources);
    }

    [Fact]
    public void A_changed_cluster_brings_its_endpoints_along()
    {
        Connected();
        _hub.Publish(_mesh.Apply("""
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: web, namespace: default}
            spec: {host: web, trafficPolicy: {loadBalancer: {simple: RANDOM}}}
            """));
        Assert.Equal(TypeUrls.Cluster, Take().TypeUrl);
        var endpoints = Take();
        Assert.Equal(TypeUrls.Endpoint, endpoints.TypeUrl);
        Assert.Equal([Web], endpoints.Resources.Select(resource => resource.Name));
    }

    [Fact]
    public void A_subscription_to_nothing_is_answered_as_removed()
    {
        Ask(TypeUrls.Endpoint, "outbound|80||nowhere.default.svc.cluster.local");
        Assert.Equal(["outbound|80||nowhere.default.svc.cluster.local"], Take().RemovedResources);
    }

    [Fact]
    public void The_state_of_the_world_answers_with_everything_and_ignores_expired_nonces()
    {
        _session.Receive(new DiscoveryRequest { Node = TestMesh.NodeOf("client", "10.1.0.9"), TypeUrl = TypeUrls.Cluster }, Now);
        Assert.True(_session.TryTake(out var first));
        Assert.True(first.Whole!.Resources.Count > 1);
        _session.Receive(new DiscoveryRequest { TypeUrl = TypeUrls.Cluster, ResponseNonce = "stale" }, Now);
        Assert.False(_session.TryTake(out _));
        _session.Receive(new DiscoveryRequest
        {
            TypeUrl = TypeUrls.Cluster,
            ResponseNonce = first.Whole.Nonce,
            VersionInfo = first.Whole.VersionInfo,
        }, Now);
        Assert.True(_session.InSync);
        _hub.Publish(_mesh.Apply(TestMesh.Service("other", "10.0.0.2")));
        Assert.True(_session.TryTake(out var second));
        Assert.Equal(first.Whole.Resources.Count + 1, second.Whole!.Resources.Count);
    }

    [Fact]
    public void Routes_of_who_comes_back_with_the_state_of_the_world_wait_for_clusters_that_may_be_new_to_it()
    {
        var hub = new PushHub(new PushOptions(), Wiring.Generators());
        hub.Publish(_mesh.Apply(TestMesh.Service("web", "10.0.0.1", "10.1.0.1")));
        var again = hub.Connect("s2", Now);
        var node = TestMesh.NodeOf("client", "10.1.0.9");
        again.Receive(new DiscoveryRequest { Node = node, TypeUrl = TypeUrls.Cluster, VersionInfo = "earlier" }, Now);
        again.Receive(new DiscoveryRequest { TypeUrl = TypeUrls.Endpoint, VersionInfo = "earlier", ResourceNames = { "old" } }, Now);
        again.Receive(new DiscoveryRequest { TypeUrl = TypeUrls.Route, VersionInfo = "earlier", ResourceNames = { "80" } }, Now);
        var clusters = Taken(TypeUrls.Cluster);
        var old = Taken(TypeUrls.Endpoint);
        Assert.False(again.TryTake(out _));
        again.Receive(new DiscoveryRequest { TypeUrl = TypeUrls.Cluster, VersionInfo = "1", ResponseNonce = clusters.Nonce }, Now);
        again.Receive(new DiscoveryRequest { TypeUrl = TypeUrls.Endpoint, ResponseNonce = old.Nonce, ResourceNames = { "old", Web } }, Now);
        var endpoints = Taken(TypeUrls.Endpoint);
        Assert.Contains(endpoints.Resources, resource => resource.Name == Web);
        Assert.False(again.TryTake(out _));
        again.Receive(new DiscoveryRequest
        {
            TypeUrl = TypeUrls.Endpoint,
            VersionInfo = "2",
            ResponseNonce = endpoints.Nonce,
            ResourceNames = { "old", Web },
        }, Now);
        Taken(TypeUrls.Route);

        AdsResponse Taken(string type)
        {
            Assert.True(again.TryTake(out var response));
            Assert.Equal(type, response.TypeUrl);
            return response;
        }
    }

    [Theory]
    [InlineData(true)] // as gRPC for Node.js: each response is answered
    [InlineData(false)] // as gRPC's C core: of two that wait, the last one
    public void Names_asked_for_one_after_another_do_not_hold_up_what_comes_later(bool answersEach)
    {
        _hub.Publish(_mesh.Apply(TestMesh.Service("other", "10.0.0.2", "10.1.0.2")));
        const string Other = "outbound|80||other.default.svc.cluster.local";
        DiscoveryRequest Request(string nonce, params string[] names) =>
            new()
            {
                Node = TestMesh.NodeOf("client", "10.1.0.9"),
                TypeUrl = TypeUrls.Endpoint,
                ResponseNonce = nonce,
                ResourceNames = { names },
            };
        _session.Receive(Request("", Web), Now);
        Assert.True(_session.TryTake(out var first));
        _session.Receive(Request("", Web, Other), Now);
        Assert.True(_session.TryTake(out var second));
        if (answersEach) _session.Receive(Request(first.Nonce, Web, Other), Now);
        _session.Receive(Request(second.Nonce, Web, Other), Now);
        Assert.True(_session.InSync);
        _hub.Publish(_mesh.Apply(TestMesh.Service("other", "10.0.0.2", "10.1.0.3")));
        Assert.True(_session.TryTake(out var third));
        Assert.Contains(third.Whole!.Resources,
            resource => resource.Unpack<Envoy.Config.Endpoint.V3.ClusterLoadAssignment>().ClusterName == Other);
    }

    [Fact]
    public void A_stream_without_node_is_rejected()
    {
        _session.Receive(new DeltaDiscoveryRequest { TypeUrl = TypeUrls.Cluster }, Now);
        Assert.NotNull(_session.Rejection);
    }

    private void Connected()
    {
        Ask(TypeUrls.Cluster);
        Ack(Take());
        Ask(TypeUrls.Endpoint, Web);
        Ack(Take());
    }

    private void Ask(string type, params string[] names)
    {
        var request = new DeltaDiscoveryRequest { Node = TestMesh.NodeOf("client", "10.1.0.9"), TypeUrl = type };
        request.ResourceNamesSubscribe.Add(names);
        _session.Receive(request, Now);
    }

    private DeltaDiscoveryResponse Take()
    {
        Assert.True(_session.TryTake(out var response));
        return response.Delta!;
    }

    private void Ack(DeltaDiscoveryResponse response) =>
        _session.Receive(new DeltaDiscoveryRequest { TypeUrl = response.TypeUrl, ResponseNonce = response.Nonce }, Now);
}
