using Envoy.Config.Endpoint.V3;
using Envoy.Config.Listener.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Pilot.Generation.Endpoints;
using Lateen.Pilot.Generation.Listeners;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Meaning.Settings;
using Lateen.Pilot.Scope;
using Xunit;

namespace Lateen.Test.Unit.Pilot.Generation;

/// <summary>Several networks in one mesh, and proxies of both address families.</summary>
public sealed class NetworkTests
{
    private const string Name = "outbound|80||web.default.svc.cluster.local";

    private const string Networks = """
        apiVersion: v1
        kind: Namespace
        metadata: {name: istio-system, labels: {topology.istio.io/network: near}}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: eastwest, namespace: istio-system, labels: {topology.istio.io/network: far}}
        spec:
          type: LoadBalancer
          clusterIP: 10.96.0.9
          ports: [{name: tls, port: 15443}]
        status: {loadBalancer: {ingress: [{ip: 34.0.0.1}]}}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: web, namespace: default}
        spec: {clusterIP: 10.96.0.1, selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: near, namespace: default, labels: {app: web, security.istio.io/tlsMode: istio}}
        status: {podIP: 10.0.0.1}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: far, namespace: default, labels: {app: web, security.istio.io/tlsMode: istio, topology.istio.io/network: far}}
        status: {podIP: 172.16.0.1}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: bare, namespace: default, labels: {app: web, topology.istio.io/network: far}}
        status: {podIP: 172.16.0.2}
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: web-1, namespace: default, labels: {kubernetes.io/service-name: web}}
        addressType: IPv4
        endpoints:
        - {addresses: [10.0.0.1], targetRef: {kind: Pod, name: near, namespace: default}}
        - {addresses: [172.16.0.1], targetRef: {kind: Pod, name: far, namespace: default}}
        - {addresses: [172.16.0.2], targetRef: {kind: Pod, name: bare, namespace: default}}
        ports: [{name: http, port: 8080}]
        """;

    [Fact]
    public void Endpoints_of_another_network_are_reached_by_its_gateway_and_only_with_mutual_TLS() =>
        Assert.Equal(["10.0.0.1:8080", "34.0.0.1:15443"], EndpointsOf(new TestMesh().Apply(Networks), "near"));

    [Fact]
    public void From_the_other_network_its_own_endpoints_are_direct_and_the_rest_has_no_way() =>
        Assert.Equal(["172.16.0.1:8080", "172.16.0.2:8080"],
            EndpointsOf(new TestMesh().Apply(Networks), "far").Where(address => address.StartsWith("172", StringComparison.Ordinal)));

    [Theory]
    [InlineData("10.0.0.9", "0.0.0.0_80")]
    [InlineData("fd00::9", "::_80")]
    [InlineData("10.0.0.9,fd00::9", "0.0.0.0_80 ::")]
    public void A_proxy_listens_in_the_families_that_it_has(string addresses, string want)
    {
        var mesh = new TestMesh { Settings = new MeshSettings
        {
            Mesh = MeshConfigs.Defaults(),
            Networks = new(),
            Features = new Features(new Dictionary<string, string> { ["ISTIO_DUAL_STACK"] = "true" }),
        } };
        var listeners = new ListenerGenerator().Generate(Scope(mesh.Apply(Both), addresses, ""), null)
            .Select(made => (Listener)made.Message).ToList();
        Listener http = Assert.Single(listeners, listener => listener.Name.EndsWith("_80", StringComparison.Ordinal));
        Assert.Equal(want,
            string.Join(' ', http.AdditionalAddresses.Select(more => more.Address.SocketAddress.Address).Prepend(http.Name)));
    }

    private const string Both = """
        apiVersion: v1
        kind: Service
        metadata: {name: web, namespace: default}
        spec: {clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1, "fd00:96::1"], ipFamilies: [IPv4, IPv6], ports: [{name: http, port: 80, targetPort: 8080}]}
        """;

    private static IEnumerable<string> EndpointsOf(MeshSnapshot snapshot, string network) =>
        from locality in ((ClusterLoadAssignment)Assert.Single(
            new EndpointGenerator().Generate(Scope(snapshot, "10.0.0.9", network), new HashSet<string> { Name })).Message).Endpoints
        from endpoint in locality.LbEndpoints
        let address = endpoint.Endpoint.Address.SocketAddress
        orderby address.Address
        select $"{address.Address}:{address.PortValue}";

    private static ProxyScope Scope(MeshSnapshot snapshot, string addresses, string network)
    {
        var node = TestMesh.NodeOf("client", addresses.Split(',')[0]);
        node.Metadata.Fields["INSTANCE_IPS"] = Value.ForString(addresses);
        if (network.Length > 0) node.Metadata.Fields["NETWORK"] = Value.ForString(network);
        return new ScopeBuilder(snapshot).ScopeOf(NodeParser.Parse(node).Node!);
    }
}
