using Lateen.Config.Resources;
using Lateen.ControlPlane.Findings;
using Xunit;

namespace Lateen.Test.Unit.ControlPlane.Findings;

/// <summary>What is written and changes nothing is said with its place.</summary>
public sealed class IdleFieldTests
{
    [Fact]
    public void Fields_deep_inside_are_found_and_those_that_count_are_not() => Assert.Equal(
        ["spec.trafficPolicy.outlierDetection.consecutiveErrors",
            "spec.trafficPolicy.portLevelSettings[0].outlierDetection.consecutiveErrors",
            "spec.subsets[0].trafficPolicy.outlierDetection.consecutiveErrors"],
        Paths("""
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {name: a}
        spec:
          host: x
          trafficPolicy:
            outlierDetection: {consecutiveErrors: 3, consecutive5xxErrors: 2, interval: 5s}
            connectionPool: {tcp: {maxConnections: 1}}
            portLevelSettings: [{port: {number: 80}, outlierDetection: {consecutiveErrors: 1}}]
          subsets: [{name: v1, labels: {a: b}, trafficPolicy: {outlierDetection: {consecutiveErrors: 1}}}]
        """).Order(StringComparer.Ordinal).Reverse().OrderBy(path => path.Contains("subsets", StringComparison.Ordinal))
        .ThenBy(path => path.Length));

    [Fact]
    public void Free_form_values_are_not_looked_into() => Assert.Equal(["spec.configPatches[0].patch.filterClass"], Paths("""
        apiVersion: networking.istio.io/v1alpha3
        kind: EnvoyFilter
        metadata: {name: a}
        spec: {configPatches: [{applyTo: HTTP_FILTER, match: {context: ANY}, patch: {operation: ADD, filterClass: AUTHN, value: {name: x}}}]}
        """));

    [Fact]
    public void A_resource_that_is_all_in_effect_has_none() => Assert.Empty(Paths("""
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: a}
        spec: {parentRefs: [{name: edge}], rules: [{matches: [{path: {value: /a}}], timeouts: {request: 1s}, backendRefs: [{name: a, port: 80, weight: 0}]}]}
        """));

    private static string[] Paths(string text) =>
        [.. IdleFields.Of(Assert.Single(new ResourceDecoder(new DecoderOptions()).Decode(text, "test.yaml", [])))
            .Select(idle => idle.Path)];
}
