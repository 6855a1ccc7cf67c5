// Proxyless: gRPC's own xDS clients resolve xds:/// names at our control plane and call services by what VirtualServices and
// DestinationRules say, without any proxy. The same tests for each library: Debian's python3-grpcio, which is gRPC's C core, and Node's
// @grpc/grpc-js-xds (pinned in node/package-lock.json, put into .build/npm by .ci/run).
//
// Routes are chosen by path: C core 1.51 does not know the form of header matches that Envoy and newer libraries take.
using System.Diagnostics;
using System.Text.Json.Nodes;
using Xunit;

namespace Lateen.Test.Real.Proxyless;

/// <summary>Calls of gRPC's C core.</summary>
public sealed class PythonClientTests() : GrpcClientTests(GrpcLibrary.Python);

/// <summary>Calls of gRPC for Node.js.</summary>
public sealed class NodeClientTests() : GrpcClientTests(GrpcLibrary.Node);

/// <summary>Calls of a gRPC library under the control plane's routes.</summary>
public abstract class GrpcClientTests(GrpcLibrary library) : IAsyncDisposable
{
    private const string Host = ProxylessMesh.Host;
    private readonly ProxylessMesh _mesh = new(library);

    public async ValueTask DisposeAsync()
    {
        await _mesh.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task Calls_follow_weights_and_new_weights_without_a_failure()
    {
        await SkipWithoutLibraryAsync();
        Process client = await _mesh.StartAsync(Routes(80, 20));
        JsonNode told = (await ProxylessMesh.CallAsync(client, """{"method": "Say", "times": 300, "wait": true}"""))["told"]!;
        // 300 calls at 80 %: six standard deviations are 42.
        Assert.InRange((int)told["v1"]!, 198, 282);
        Assert.Equal(300, (int)told["v1"]! + (int)told["v2"]!);
        await _mesh.WriteAsync("routes.yaml", Routes(0, 100));
        JsonObject all = [];
        Assert.True(
            await Stands.Lateen.UntilAsync(
                async () =>
                    (all = (await ProxylessMesh.CallAsync(client, """{"method": "Say", "times": 20}"""))["told"]!.AsObject()).Count == 1
                        && all.ContainsKey("v2")), all.ToJsonString());
        Assert.DoesNotContain(all, pair => pair.Key.Contains(':', StringComparison.Ordinal));
    }

    [Fact]
    public async Task Faults_are_injected_by_the_client_itself()
    {
        await SkipWithoutLibraryAsync();
        Process client = await _mesh.StartAsync($$"""
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: echo}
            spec:
              hosts: [{{Host}}]
              http:
              - match: [{uri: {exact: /demo.Echo/Refused} }]
                fault: {abort: {grpcStatus: PERMISSION_DENIED, percentage: {value: 100} } }
                route: [{destination: {host: {{Host}}, subset: v1} }]
              - match: [{uri: {exact: /demo.Echo/Slow} }]
                fault: {delay: {fixedDelay: 0.4s, percentage: {value: 100} } }
                route: [{destination: {host: {{Host}}, subset: v2} }]
              - route: [{destination: {host: {{Host}}, subset: v1} }]
            """);
        Assert.Equal(20, (int?)(await ProxylessMesh.CallAsync(client, """{"method": "Say", "times": 20, "wait": true}"""))["told"]!["v1"]);
        JsonObject failed = (await ProxylessMesh.CallAsync(client, """{"method": "Refused", "times": 5}"""))["told"]!.AsObject();
        Assert.StartsWith("PERMISSION_DENIED", Assert.Single(failed).Key, StringComparison.Ordinal);
        JsonNode slow = await ProxylessMesh.CallAsync(client, """{"method": "Slow", "times": 2}""");
        Assert.Equal(2, (int?)slow["told"]!["v2"]);
        Assert.True((double)slow["seconds"]! >= 0.8, slow.ToJsonString());
    }

    [Fact]
    public async Task Calls_are_retried_as_the_route_says()
    {
        await SkipWithoutLibraryAsync();
        Process client = await _mesh.StartAsync($$"""
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: echo}
            spec:
              hosts: [{{Host}}]
              http:
              - match: [{uri: {exact: /demo.Echo/Flaky} }]
                retries: {attempts: 3, retryOn: unavailable}
                route: [{destination: {host: {{Host}}, subset: v1} }]
              - retries: {attempts: 0}
                route: [{destination: {host: {{Host}}, subset: v1} }]
            """);
        await ProxylessMesh.CallAsync(client, """{"method": "Say", "wait": true}""");
        Assert.Equal(3, (int?)(await ProxylessMesh.CallAsync(client, """{"method": "Flaky", "times": 3}"""))["told"]!["3"]);
        Assert.Equal("UNAVAILABLE: not yet",
            Assert.Single((await ProxylessMesh.CallAsync(client, """{"method": "Stubborn"}"""))["told"]!.AsObject()).Key);
    }

    private async Task SkipWithoutLibraryAsync()
    {
        string? obstacle = await library.ObstacleAsync();
        Assert.SkipWhen(obstacle is not null, obstacle ?? "");
    }

    private static string Routes(int first, int second) => $$"""
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: echo}
        spec:
          hosts: [{{Host}}]
          http:
          - route:
            - {destination: {host: {{Host}}, subset: v1}, weight: {{first}} }
            - {destination: {host: {{Host}}, subset: v2}, weight: {{second}} }
        """;
}
