using Envoy.Config.Cluster.V3;
using Envoy.Config.Endpoint.V3;
using Envoy.Config.Route.V3;
using Lateen.Pilot.Generation;
using Lateen.Pilot.Generation.Clusters;
using Lateen.Pilot.Generation.Endpoints;
using Lateen.Pilot.Generation.Routes;
using Lateen.Pilot.Scope;
using Xunit;

namespace Lateen.Test.Unit.Pilot.Generation;

/// <summary>A host that two entries of one namespace declare is one service with the ports and endpoints of both.</summary>
public sealed class SameHostTests
{
    private const string Two = """
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {name: plain, namespace: default}
        spec:
          hosts: [api.example]
          ports: [{number: 80, name: http, protocol: HTTP}]
          resolution: STATIC
          endpoints: [{address: 10.9.0.1}]
        ---
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {name: secure, namespace: default}
        spec:
          hosts: [api.example]
          ports: [{number: 8080, name: other, protocol: HTTP}]
          resolution: STATIC
          endpoints: [{address: 10.9.0.2}]
        """;

    [Fact]
    public void Each_port_has_its_cluster_with_its_own_endpoints()
    {
        ProxyScope scope = Scope();
        var names = new ClusterGenerator().Generate(scope, null).Select(made => made.Name)
            .Where(name => name.EndsWith("|api.example", StringComparison.Ordinal)).ToList();
        Assert.Equal(["outbound|80||api.example", "outbound|8080||api.example"], names.OrderBy(name => name.Length));
        Assert.Equal([("outbound|80||api.example", "10.9.0.1"), ("outbound|8080||api.example", "10.9.0.2")],
            Endpoints(scope, names).OrderBy(endpoint => endpoint.Address, StringComparer.Ordinal));
    }

    [Fact]
    public void Each_port_has_its_routes()
    {
        ProxyScope scope = Scope();
        foreach (string port in (string[])["80", "8080"])
        {
            var routes = (RouteConfiguration)new RouteGenerator().Generate(scope, new HashSet<string> { port })[0].Message;
            Assert.Contains(routes.VirtualHosts, host => host.Name == $"api.example:{port}");
        }
    }

    private static IEnumerable<(string Cluster, string Address)> Endpoints(ProxyScope scope, IEnumerable<string> names) =>
        from made in new EndpointGenerator().Generate(scope, names.ToHashSet())
        let assignment = (ClusterLoadAssignment)made.Message
        from locality in assignment.Endpoints
        from endpoint in locality.LbEndpoints
        select (made.Name, endpoint.Endpoint.Address.SocketAddress.Address);

    private static ProxyScope Scope() =>
        new ScopeBuilder(new TestMesh().Apply(Two)).ScopeOf(NodeParser.Parse(TestMesh.NodeOf("client", "10.0.0.9")).Node!);
}
