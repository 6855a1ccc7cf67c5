using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;
using Lateen.ControlPlane.Findings;
using Xunit;

namespace Lateen.Test.Unit.ControlPlane.Findings;

/// <summary>What no request can come to is said, with the place of what takes it.</summary>
public sealed class DeadRouteTests
{
    [Theory]
    [InlineData("[{uri: {prefix: /a}}]", "[{uri: {prefix: /a/b}}]")]
    [InlineData("[{uri: {prefix: /a}}]", "[{uri: {exact: /a/b}, method: {exact: GET}}]")]
    [InlineData("[{uri: {prefix: /}}]", "[{uri: {regex: \"/x.*\"}}]")]
    [InlineData("[{uri: {regex: \".*\"}}]", "[{headers: {x: {exact: y}}}]")]
    [InlineData("[{headers: {x: {prefix: a}}}]", "[{headers: {x: {exact: abc}, y: {exact: z}}}]")]
    [InlineData("[{queryParams: {q: {exact: \"1\"}}}]", "[{uri: {exact: /x}, queryParams: {q: {exact: \"1\"}}}]")]
    [InlineData("[{uri: {prefix: /A}, ignoreUriCase: true}]", "[{uri: {exact: /a/b}}]")]
    [InlineData("[{port: 80}]", "[{port: 80, uri: {exact: /x}}]")]
    public void A_route_that_an_earlier_one_covers_is_never_reached(string first, string second) =>
        Assert.Contains(Of(first, second),
            said => said is { Path: "spec.http[1].match[0]", Level: DiagnosticLevel.Warning }
                && said.Text.Contains("spec.http[0].match[0] (test.yaml:", StringComparison.Ordinal));

    [Theory]
    [InlineData("[{uri: {prefix: /a/b}}]", "[{uri: {prefix: /a}}]")]
    [InlineData("[{uri: {prefix: /a}, method: {exact: GET}}]", "[{uri: {prefix: /a}}]")]
    [InlineData("[{headers: {x: {exact: a}}}]", "[{headers: {y: {exact: a}}}]")]
    [InlineData("[{uri: {prefix: /a}}]", "[{uri: {exact: /A/b}}]")]
    [InlineData("[{gateways: [edge]}]", "[{uri: {exact: /x}}]")]
    [InlineData("[{withoutHeaders: {x: {}}}]", "[{uri: {exact: /x}}]")]
    [InlineData("[{sourceLabels: {app: a}}]", "[{uri: {exact: /x}}]")]
    public void A_route_that_some_request_comes_to_is_not_blamed(string first, string second) =>
    Assert.Equal([], Of(first, second).Select(said => said.ToString()));

    [Fact]
    public void A_route_behind_one_without_a_match_is_never_reached() =>
        Assert.Equal("spec.http[1].match[0]", Assert.Single(Of("[]", "[{uri: {exact: /x}}]")).Path);

    [Fact]
    public void A_destination_without_weight_beside_others_gets_nothing() =>
    Assert.Equal("spec.http[0].route[1]", Assert.Single(DeadRoutes.Of(Decoded("""
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: a}
        spec: {hosts: [x], http: [{route: [{destination: {host: a}, weight: 100}, {destination: {host: b}, weight: 0}]}]}
        """))).Path);

    [Fact]
    public void Server_names_that_an_earlier_wildcard_covers() =>
    Assert.Equal("spec.tls[1].match[0]", Assert.Single(DeadRoutes.Of(Decoded("""
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: a}
        spec: {hosts: ["*.example"], tls: [{match: [{sniHosts: ["*.example"]}], route: [{destination: {host: a}}]}, {match: [{sniHosts: [shop.example]}], route: [{destination: {host: b}}]}]}
        """))).Path);

    [Fact]
    public void A_match_that_an_HTTPRoute_has_twice() => Assert.Equal("spec.rules[1].matches[0]", Assert.Single(DeadRoutes.Of(Decoded("""
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: a}
        spec: {parentRefs: [{name: edge}], rules: [{matches: [{path: {type: PathPrefix, value: /a}}], backendRefs: [{name: a, port: 80}]}, {matches: [{path: {value: /a}}], backendRefs: [{name: b, port: 80}]}]}
        """))).Path);

    private static IReadOnlyList<Diagnostic> Of(string first, string second) => [.. DeadRoutes.Of(Decoded($$$"""
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: a}
        spec:
          hosts: [x]
          http:
          - match: {{{first}}}
            route: [{destination: {host: a}}]
          - match: {{{second}}}
            route: [{destination: {host: b}}]
        """))];

    private static Resource Decoded(string text) => Assert.Single(new ResourceDecoder(new DecoderOptions()).Decode(text, "test.yaml", []));
}
