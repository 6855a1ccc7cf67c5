using Envoy.Config.Listener.V3;
using Envoy.Config.Route.V3;
using Lateen.Pilot.Generation.Listeners;
using Lateen.Pilot.Generation.Routes;
using Lateen.Pilot.Generation.Security;
using Lateen.Pilot.Scope;
using Xunit;

namespace Lateen.Test.Unit.Pilot.Generation;

public sealed class GenerationTests
{
    private const string Rule = """
        ---
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: reviews, namespace: default}
        spec:
          hosts: [reviews]
          http:
          - match: [{uri: {prefix: /v2}}]
            timeout: 3s
            route: [{destination: {host: reviews, subset: v2}}]
          - route: [{destination: {host: reviews, subset: v1}}]
        """;

    private static ProxyScope ScopeIn(TestMesh mesh, string yaml)
    {
        var snapshot = mesh.Apply(yaml);
        return new ScopeBuilder(snapshot).ScopeOf(NodeParser.Parse(TestMesh.NodeOf("client", "10.0.0.9")).Node!);
    }

    [Fact]
    public void RulesOfAVirtualServiceBecomeRoutesInOrder()
    {
        var scope = ScopeIn(new TestMesh(), TestMesh.Service("reviews", "10.96.0.1", "10.0.0.1") + "\n" + Rule);
        var routes = (RouteConfiguration)new RouteGenerator().Generate(scope, new HashSet<string> { "80" })[0].Message;
        var host = Assert.Single(routes.VirtualHosts, h => h.Name == "reviews.default.svc.cluster.local:80");
        Assert.Equal(["outbound|80|v2|reviews.default.svc.cluster.local", "outbound|80|v1|reviews.default.svc.cluster.local"],
            host.Routes.Select(r => r.Route_.Cluster));
        Assert.Equal(3, host.Routes[0].Route_.Timeout.Seconds);
        Assert.Equal("allow_any", routes.VirtualHosts[^1].Name);
    }

    [Fact]
    public void ASidecarListensForCapturedTrafficBothWays()
    {
        var scope = ScopeIn(new TestMesh(), TestMesh.Service("reviews", "10.96.0.1", "10.0.0.1"));
        var names = new ListenerGenerator().Generate(scope, null).Select(r => r.Name).ToList();
        Assert.Equal(["0.0.0.0_80", "virtualOutbound", "virtualInbound"], names);
    }

    [Fact]
    public void TheSameWorldGivesTheSameBytes()
    {
        var yaml = TestMesh.Service("reviews", "10.96.0.1", "10.0.0.1") + "\n" + Rule;
        var left = new ListenerGenerator().Generate(ScopeIn(new TestMesh(), yaml), null).Select(r => r.Version);
        var right = new ListenerGenerator().Generate(ScopeIn(new TestMesh(), yaml), null).Select(r => r.Version);
        Assert.Equal(left, right);
    }

    [Fact]
    public void AnUnknownRouteNameIsAnsweredEmpty()
    {
        var scope = ScopeIn(new TestMesh(), TestMesh.Service("reviews", "10.96.0.1", "10.0.0.1"));
        var routes = (RouteConfiguration)new RouteGenerator().Generate(scope, new HashSet<string> { "no-such-name" })[0].Message;
        Assert.Equal("no-such-name", routes.Name);
        Assert.Empty(routes.VirtualHosts);
    }

    [Theory]
    [InlineData("cluster.local/ns/a/sa/b", "td1/ns/a/sa/b td2/ns/a/sa/b")]
    [InlineData("td2/ns/a/sa/b", "td1/ns/a/sa/b td2/ns/a/sa/b")]
    [InlineData("other/ns/a/sa/b", "other/ns/a/sa/b")]
    [InlineData("*/ns/a/sa/b", "*/ns/a/sa/b")]
    public void IdentitiesOfTheMeshCountInAllItsTrustDomains(string identity, string want) =>
        Assert.Equal(want, string.Join(' ', TrustDomainAliases.Expand([identity], ["td1", "td2"])));

    [Fact]
    public void WhatCantBeFetchedValidatesNothing() =>
    Assert.StartsWith("{\"keys\":[{\"kty\":\"RSA\"", UnfetchedKeys.Of("issuer", "https://example.com"), StringComparison.Ordinal);
}
