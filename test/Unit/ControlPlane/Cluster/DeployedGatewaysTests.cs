using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Lateen.Citadel.Authorities;
using Lateen.Config.Resources;
using Lateen.Config.Sources.Kubernetes;
using Lateen.Config.Store;
using Lateen.Config.Validation;
using Lateen.ControlPlane;
using Lateen.ControlPlane.Cluster;
using Lateen.ControlPlane.Hosting;
using Lateen.Test.Unit.Config.Sources.Kubernetes;
using Xunit;

namespace Lateen.Test.Unit.ControlPlane.Cluster;

/// <summary>What a control plane writes into its cluster beside status: what runs gateways, classes, and the certificates that pods trust.</summary>
public sealed class DeployedGatewaysTests : IAsyncLifetime
{
    private const string Deployments = "/apis/apps/v1/deployments", Services = "/api/v1/services", Accounts = "/api/v1/serviceaccounts", Leases = "/apis/coordination.k8s.io/v1/leases";

    private readonly MemoryApiServer server = new([.. KubernetesSourceOptions.WorkloadKinds, Kinds.ConfigMap, Kinds.Secret, Kinds.GatewayClass, Kinds.KubernetesGateway, Kinds.HTTPRoute]);

    // A lease of 15 s lasts 150 ms here: a busy machine must not lose it.
    private readonly FastTime time = new(100);
    private readonly ConcurrentQueue<string> said = [];
    private readonly ControlPlaneOptions options = new() { StateFolder = "", DebounceAfter = TimeSpan.FromMilliseconds(1), Instance = "one" };
    private readonly SigningBundle keys = RootRotation.First("cluster.local", new AuthorityOptions(), TimeProvider.System.GetUtcNow());
    private ClusterConnection connection = null!;
    private WriterLoop loop = null!;

    public async ValueTask InitializeAsync()
    {
        foreach (string collection in new[] { Deployments, Accounts, Leases }) server.Serve(collection);
        server.Put(Kinds.Namespace, "", "shop", "{}");
        server.Put(Kinds.Namespace, "", "kube-public", "{}");
        var store = new ResourceStore(Validator.Check, time);
        connection = await ClusterConnection.OpenAsync(new ApiClient(server, MemoryApiServer.Address), "memory", options, store, time, said.Enqueue, CancellationToken.None);
        loop = new WriterLoop(new ControlLoop(options, store, Wiring.Generators(), time.GetUtcNow(), time), time);
        store.Changed += _ => loop.Poke();
        await connection.WriteAsync(loop, store, new Authority(keys, new AuthorityOptions()), CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await connection.DisposeAsync();
        await loop.DisposeAsync();
    }

    private void Gateway(string annotations = "{}") => server.Put(Kinds.KubernetesGateway, "shop", "edge", $$"""
        {"metadata": {"uid": "u-1", "annotations": {{annotations}} }, "spec": {"gatewayClassName": "istio", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}] } }
        """);

    private async Task UntilAsync(Func<bool> condition, string what)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(2));
        for (DateTime until = DateTime.UtcNow.AddSeconds(30); !condition(); await timer.WaitForNextTickAsync()) Assert.True(DateTime.UtcNow < until, $"{what}; said was {string.Join('\n', said)}");
    }

    [Fact]
    public async Task A_gateway_gets_its_account_deployment_and_service_and_they_are_its_own()
    {
        Gateway();
        await UntilAsync(() => server.Get(Services, "shop", "edge-istio") is not null && server.Get(Deployments, "shop", "edge-istio") is not null && server.Get(Accounts, "shop", "edge-istio") is not null, "all three are there");
        JsonObject deployment = server.Get(Deployments, "shop", "edge-istio")!;
        JsonNode owner = Assert.Single(deployment["metadata"]!["ownerReferences"]!.AsArray())!;
        Assert.Equal(("Gateway", "edge", "u-1"), ((string?)owner["kind"], (string?)owner["name"], (string?)owner["uid"]));
        Assert.Equal("istio.io-gateway-controller", (string?)deployment["metadata"]!["labels"]!["gateway.istio.io/managed"]);
        Assert.Equal("istio.io/gateway-controller", (string?)deployment["metadata"]!["managedFields"]![0]!["manager"]);
        Assert.Equal([15021, 80], server.Get(Services, "shop", "edge-istio")!["spec"]!["ports"]!.AsArray().Select(port => (int)port!["port"]!));
        await UntilAsync(() => (string?)server.Get(Kinds.KubernetesGateway, "shop", "edge")!["metadata"]!["annotations"]?["gateway.istio.io/controller-version"] == "5", "the gateway is signed");
    }

    [Fact]
    public async Task What_somebody_deletes_is_made_again()
    {
        Gateway();
        await UntilAsync(() => server.Get(Deployments, "shop", "edge-istio") is not null, "it is deployed");
        server.Delete(Deployments, "shop", "edge-istio");
        await UntilAsync(() => server.Get(Deployments, "shop", "edge-istio") is not null, "it is deployed again");
    }

    [Fact]
    public async Task A_deployment_of_somebody_elses_is_left_alone_and_so_is_a_gateway_that_a_newer_one_signed()
    {
        server.Put(Deployments, "shop", "edge-istio", new JsonObject { ["spec"] = new JsonObject { ["replicas"] = 3 } });
        Gateway();
        await UntilAsync(() => server.Get(Services, "shop", "edge-istio") is not null, "the service is there");
        Assert.Null(server.Get(Deployments, "shop", "edge-istio")!["spec"]!["template"]);
        Gateway("""{"gateway.istio.io/controller-version": "99"}""");
        server.Put(Kinds.KubernetesGateway, "shop", "other", """{"metadata": {"uid": "u-2"}, "spec": {"gatewayClassName": "istio", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]}}""");
        // The other's service, twice: by then everything that was wished for before is over.
        for (int round = 0; round < 2; round++)
        {
            await UntilAsync(() => server.Get(Services, "shop", "other-istio") is not null, "the other is deployed");
            server.Delete(Services, "shop", "edge-istio");
            server.Delete(Services, "shop", "other-istio");
        }
        await UntilAsync(() => server.Get(Services, "shop", "other-istio") is not null, "the other is deployed again");
        Assert.Null(server.Get(Services, "shop", "edge-istio"));
    }

    [Fact]
    public async Task An_overlay_that_is_not_there_is_said_and_one_that_is_there_is_laid_over()
    {
        const string Named = """{"metadata": {"uid": "u-3"}, "spec": {"gatewayClassName": "istio", "infrastructure": {"parametersRef": {"group": "", "kind": "ConfigMap", "name": "more"}}, "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]}}""";
        server.Put(Kinds.KubernetesGateway, "shop", "edge", Named);
        await UntilAsync(() => said.Any(line => line.Contains("ConfigMap shop/more", StringComparison.Ordinal)), "it is said");
        Assert.Null(server.Get(Deployments, "shop", "edge-istio"));
        server.Put(Kinds.ConfigMap, "shop", "more", """{"data": {"deployment": "spec: {replicas: 4}"}}""");
        await UntilAsync(() => (int?)server.Get(Deployments, "shop", "edge-istio")?["spec"]?["replicas"] == 4, "it is laid over");
    }

    [Fact]
    public async Task Classes_are_there_and_namespaces_know_whom_to_trust()
    {
        await UntilAsync(() => server.Get(Kinds.GatewayClass, "", "istio") is not null && server.Get(Kinds.GatewayClass, "", "istio-remote") is not null, "the classes are there");
        await UntilAsync(() => (string?)server.Get(Kinds.ConfigMap, "shop", "istio-ca-root-cert")?["data"]?["root-cert.pem"] == keys.RootsPem, "the namespace has the certificates");
        Assert.Equal("true", (string?)server.Get(Kinds.ConfigMap, "shop", "istio-ca-root-cert")!["metadata"]!["labels"]!["istio.io/config"]);
        server.Put(Kinds.ConfigMap, "shop", "istio-ca-root-cert", """{"data": {"root-cert.pem": "mine"}}""");
        await UntilAsync(() => (string?)server.Get(Kinds.ConfigMap, "shop", "istio-ca-root-cert")?["data"]?["root-cert.pem"] == keys.RootsPem, "it has them again");
        Assert.Null(server.Get(Kinds.ConfigMap, "kube-public", "istio-ca-root-cert"));
    }
}
