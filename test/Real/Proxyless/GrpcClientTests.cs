// Proxyless: gRPC's own xDS client (Debian's python3-grpcio, which is gRPC's C core) resolves xds:/// names at our control plane and calls services by what
// VirtualServices and DestinationRules say, without any proxy. Routes are chosen by path: this library (1.51) does not know the form of header matches that Envoy
// and newer ones take.
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Lateen.Test.Real.Cluster;
using Xunit;

namespace Lateen.Test.Real.Proxyless;

/// <summary>Calls of a gRPC library under the control plane's routes.</summary>
public sealed class GrpcClientTests : IAsyncDisposable
{
    private const string Python = "/usr/bin/python3";
    private const string Host = "echo.default.svc.cluster.local";
    private readonly string folder = Directory.CreateTempSubdirectory("lateen-grpc-").FullName;
    private readonly List<Process> started = [];
    private ControlPlaneProcess? plane;

    private static string Script => Path.Combine(Stands.Lateen.Root, "test", "Real", "Proxyless", "echo.py");

    public async ValueTask DisposeAsync()
    {
        foreach (Process process in started)
        {
            process.StandardInput.Close();
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(5));
            await process.WaitForExitAsync(patience.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!process.HasExited) process.Kill();
            process.Dispose();
        }
        if (plane is not null) await plane.DisposeAsync();
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task Calls_follow_weights_and_new_weights_without_a_failure()
    {
        await SkipWithoutLibraryAsync();
        Process client = await MeshAsync(Routes(80, 20));
        JsonNode told = (await CallAsync(client, """{"method": "Say", "times": 300, "wait": true}"""))["told"]!;
        // 300 calls at 80 %: six standard deviations are 42.
        Assert.InRange((int)told["v1"]!, 198, 282);
        Assert.Equal(300, (int)told["v1"]! + (int)told["v2"]!);
        await WriteAsync("routes.yaml", Routes(0, 100));
        JsonObject all = [];
        Assert.True(await Stands.Lateen.UntilAsync(async () => (all = (await CallAsync(client, """{"method": "Say", "times": 20}"""))["told"]!.AsObject()).Count == 1 && all.ContainsKey("v2")), all.ToJsonString());
        Assert.DoesNotContain(all, pair => pair.Key.Contains(':', StringComparison.Ordinal));
    }

    [Fact]
    public async Task Faults_are_injected_by_the_client_itself()
    {
        await SkipWithoutLibraryAsync();
        Process client = await MeshAsync($$"""
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
        Assert.Equal(20, (int?)(await CallAsync(client, """{"method": "Say", "times": 20, "wait": true}"""))["told"]!["v1"]);
        JsonObject failed = (await CallAsync(client, """{"method": "Refused", "times": 5}"""))["told"]!.AsObject();
        Assert.StartsWith("PERMISSION_DENIED", Assert.Single(failed).Key, StringComparison.Ordinal);
        JsonNode slow = await CallAsync(client, """{"method": "Slow", "times": 2}""");
        Assert.Equal(2, (int?)slow["told"]!["v2"]);
        Assert.True((double)slow["seconds"]! >= 0.8, slow.ToJsonString());
    }

    [Fact]
    public async Task Calls_are_retried_as_the_route_says()
    {
        await SkipWithoutLibraryAsync();
        Process client = await MeshAsync($$"""
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
        await CallAsync(client, """{"method": "Say", "wait": true}""");
        Assert.Equal(3, (int?)(await CallAsync(client, """{"method": "Flaky", "times": 3}"""))["told"]!["3"]);
        Assert.Equal("UNAVAILABLE: not yet", Assert.Single((await CallAsync(client, """{"method": "Stubborn"}"""))["told"]!.AsObject()).Key);
    }

    private static async Task SkipWithoutLibraryAsync()
    {
        if (!File.Exists(Python)) Assert.Skip("there is no " + Python);
        Stands.CommandEnd probe = await Stands.Lateen.RunAsync(new ProcessStartInfo(Python, ["-c", "import grpc"]) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true });
        Assert.SkipUnless(probe.Code == 0, "gRPC's library for Python is not installed (python3-grpcio)");
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

    // Two versions of a service, the control plane over a folder, and a client that was told nothing but where it is.
    private async Task<Process> MeshAsync(string routes)
    {
        Process servers = Start(null, "serve", "v1", "v2");
        (string first, string second) = (await PortAsync(servers), await PortAsync(servers));
        await WriteAsync("echo.yaml", $$"""
            apiVersion: networking.istio.io/v1
            kind: ServiceEntry
            metadata: {name: echo}
            spec:
              hosts: [{{Host}}]
              ports: [{number: 7070, name: grpc, protocol: GRPC}]
              resolution: STATIC
              endpoints:
              - {address: 127.0.0.1, ports: {grpc: {{first}} }, labels: {version: v1} }
              - {address: 127.0.0.1, ports: {grpc: {{second}} }, labels: {version: v2} }
            ---
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: echo}
            spec: {host: {{Host}}, subsets: [{name: v1, labels: {version: v1} }, {name: v2, labels: {version: v2} }] }
            """);
        await WriteAsync("routes.yaml", routes);
        plane = await ControlPlaneProcess.StartAsync("grpc", "--config-dir", Path.Combine(folder, "mesh"));
        string bootstrap = Path.Combine(folder, "bootstrap.json");
        await File.WriteAllTextAsync(bootstrap, $$"""
            {"xds_servers": [{"server_uri": "{{plane.Grpc}}", "channel_creds": [{"type": "insecure"}], "server_features": ["xds_v3"]}],
             "node": {"id": "sidecar~127.0.0.1~client.default~default.svc.cluster.local", "metadata": {"GENERATOR": "grpc", "NAMESPACE": "default", "CLUSTER_ID": "Kubernetes", "ISTIO_VERSION": "1.30.0"} } }
            """);
        return Start(bootstrap, "call", $"xds:///{Host}:7070");
    }

    private Process Start(string? bootstrap, params string[] arguments)
    {
        var start = new ProcessStartInfo(Python, [Script, .. arguments]) { RedirectStandardOutput = true, RedirectStandardInput = true };
        if (bootstrap is not null) start.Environment["GRPC_XDS_BOOTSTRAP"] = bootstrap;
        foreach (string proxy in new[] { "http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY", "HTTPS_PROXY" }) start.Environment.Remove(proxy);
        Process process = Process.Start(start)!;
        started.Add(process);
        return process;
    }

    private async Task WriteAsync(string name, string text)
    {
        Directory.CreateDirectory(Path.Combine(folder, "mesh"));
        await File.WriteAllTextAsync(Path.Combine(folder, "mesh", name), text);
    }

    private static async Task<string> PortAsync(Process servers) => (await LineAsync(servers)).Split(' ')[1].ToString(CultureInfo.InvariantCulture);

    private static async Task<JsonNode> CallAsync(Process client, string command)
    {
        await client.StandardInput.WriteLineAsync(command);
        await client.StandardInput.FlushAsync();
        return JsonNode.Parse(await LineAsync(client)) ?? throw new JsonException("null");
    }

    private static async Task<string> LineAsync(Process process) =>
        await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromSeconds(60)) ?? throw new IOException($"{process.StartInfo.FileName} has ended");
}
