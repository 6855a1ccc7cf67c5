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
using Lateen.Test.Rigs.Clusters;
using Xunit;

namespace Lateen.Test.Unit.ControlPlane.Cluster;

/// <summary>What a control plane writes into its cluster beside status: what runs gateways, classes, and the certificates that pods
/// trust.</summary>
public sealed class DeployedGatewaysTests : IAsyncLifetime
{
    private const string Deployments = "/apis/apps/v1/deployments", Services = "/api/v1/services", Accounts = "/api/v1/serviceaccounts",
        Leases = "/apis/coordination.k8s.io/v1/leases";

    private const string NewerSignature = """{"gateway.istio.io/controller-version": "99"}""";

    private readonly MemoryApiServer _server =
        new([.. KubernetesSourceOptions.WorkloadKinds, Kinds.ConfigMap, Kinds.Secret, Kinds.GatewayClass, Kinds.KubernetesGateway,
            Kinds.HTTPRoute]);

    // A lease of 15 s lasts 150 ms here: a busy machine must not lose it.
    private readonly FastTime _time = new(100);
    private readonly ConcurrentQueue<string> _said = [];
    private readonly ControlPlaneOptions _options = new()
    {
        StateFolder = "",
        DebounceAfter = TimeSpan.FromMilliseconds(1),
        Instance = "one",
    };
    private readonly SigningBundle _keys = RootRotation.First("cluster.local", new AuthorityOptions(), TimeProvider.System.GetUtcNow());
    private ClusterConnection _connection = null!;
    private WriterLoop _loop = null!;

    public async ValueTask InitializeAsync()
    {
        foreach (string collection in new[] { Deployments, Accounts, Leases }) _server.Serve(collection);
        _server.Put(Kinds.Namespace, "", "shop", "{}");
        _server.Put(Kinds.Namespace, "", "kube-public", "{}");
        var store = new ResourceStore(Validator.Check, _time);
        _connection = await ClusterConnection.OpenAsync(new ApiClient(_server, MemoryApiServer.Address), "memory", _options, store, _time,
            _said.Enqueue, CancellationToken.None);
        _loop = new WriterLoop(new ControlLoop(_options, store, Wiring.Generators(), _time.GetUtcNow(), _time), _time);
        store.Changed += _ => _loop.Poke();
        await _connection.WriteAsync(_loop, store, new Authority(_keys, new AuthorityOptions()), CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await _connection.DisposeAsync();
        await _loop.DisposeAsync();
    }

    private void Gateway(string annotations = "{}") => _server.Put(Kinds.KubernetesGateway, "shop", "edge", $$"""
        {"metadata": {"uid": "u-1", "annotations": {{annotations}} }, "spec": {"gatewayClassName": "istio", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}] } }
        """);

    private void OtherGateway() => _server.Put(Kinds.KubernetesGateway, "shop", "other",
        """{"metadata": {"uid": "u-2"}, "spec": {"gatewayClassName": "istio", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]}}""");

    private async Task UntilAsync(Func<bool> condition, string what)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(2));
        for (DateTime until = DateTime.UtcNow.AddSeconds(30); !condition(); await timer.WaitForNextTickAsync())
            Assert.True(DateTime.UtcNow < until, $"{what}; said was {string.Join('\n', _said)}");
    }

    [Fact]
    public async Task A_gateway_gets_its_account_deployment_and_service_and_they_are_its_own()
    {
        Gateway();
        await UntilAsync(() => _server.Get(Services, "shop", "edge-istio") is not null
            && _server.Get(Deployments, "shop", "edge-istio") is not null
            && _server.Get(Accounts, "shop", "edge-istio") is not null, "all three are there");
        JsonObject deployment = _server.Get(Deployments, "shop", "edge-istio")!;
        JsonNode owner = Assert.Single(deployment["metadata"]!["ownerReferences"]!.AsArray())!;
        Assert.Equal(("Gateway", "edge", "u-1"), ((string?)owner["kind"], (string?)owner["name"], (string?)owner["uid"]));
        Assert.Equal("istio.io-gateway-controller", (string?)deployment["metadata"]!["labels"]!["gateway.istio.io/managed"]);
        Assert.Equal("istio.io/gateway-controller", (string?)deployment["metadata"]!["managedFields"]![0]!["manager"]);
        Assert.Equal([15021, 80],
            _server.Get(Services, "shop", "edge-istio")!["spec"]!["ports"]!.AsArray().Select(port => (int)port!["port"]!));
        await UntilAsync(
            () => (string?)_server.Get(Kinds.KubernetesGateway, "shop",
                "edge")!["metadata"]!["annotations"]?["gateway.istio.io/controller-version"] == "5", "the gateway is signed");
    }

    [Fact]
    public async Task What_somebody_deletes_is_made_again()
    {
        Gateway();
        await UntilAsync(() => _server.Get(Deployments, "shop", "edge-istio") is not null, "it is deployed");
        _server.Delete(Deployments, "shop", "edge-istio");
        await UntilAsync(() => _server.Get(Deployments, "shop", "edge-istio") is not null, "it is deployed again");
    }

    [Fact]
    public async Task A_deployment_of_somebody_elses_is_left_alone_and_so_is_a_gateway_that_a_newer_one_signed()
    {
        _server.Put(Deployments, "shop", "edge-istio", new JsonObject { ["spec"] = new JsonObject { ["replicas"] = 3 } });
        Gateway();
        await UntilAsync(() => _server.Get(Services, "shop", "edge-istio") is not null, "the service is there");
        Assert.Null(_server.Get(Deployments, "shop", "edge-istio")!["spec"]!["template"]);
        Gateway(NewerSignature);
        OtherGateway();
        // The other's service, twice: by then everything that was wished for before is over.
        for (int round = 0; round < 2; round++)
        {
            await UntilAsync(() => _server.Get(Services, "shop", "other-istio") is not null, "the other is deployed");
            _server.Delete(Services, "shop", "edge-istio");
            _server.Delete(Services, "shop", "other-istio");
        }
        await UntilAsync(() => _server.Get(Services, "shop", "other-istio") is not null, "the other is deployed again");
        Assert.Null(_server.Get(Services, "shop", "edge-istio"));
    }

    [Fact]
    public async Task A_gateway_that_a_newer_one_signs_at_the_same_moment_keeps_that_signature()
    {
        int signed = 0;
        _server.Asked = request =>
        {
            if (request.StartsWith("PATCH", StringComparison.Ordinal) && request.EndsWith("/gateways/edge", StringComparison.Ordinal)
                && Interlocked.Increment(ref signed) == 1) Gateway(NewerSignature);
        };
        Gateway();
        await UntilAsync(() => Volatile.Read(ref signed) > 0, "it is being signed");
        OtherGateway();
        // Written after all that was wished for before.
        await UntilAsync(() => _server.Get(Services, "shop", "other-istio") is not null, "the other is deployed");
        Assert.Equal("99", (string?)_server.Get(Kinds.KubernetesGateway, "shop",
            "edge")!["metadata"]!["annotations"]!["gateway.istio.io/controller-version"]);
        Assert.Null(_server.Get(Services, "shop", "edge-istio"));
        Assert.Equal(1, signed);
    }

    [Fact]
    public async Task An_overlay_that_is_not_there_is_said_and_one_that_is_there_is_laid_over()
    {
        const string Named =
            """{"metadata": {"uid": "u-3"}, "spec": {"gatewayClassName": "istio", "infrastructure": {"parametersRef": {"group": "", "kind": "ConfigMap", "name": "more"}}, "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]}}""";
        _server.Put(Kinds.KubernetesGateway, "shop", "edge", Named);
        await UntilAsync(() => _said.Any(line => line.Contains("ConfigMap shop/more", StringComparison.Ordinal)), "it is said");
        Assert.Null(_server.Get(Deployments, "shop", "edge-istio"));
        _server.Put(Kinds.ConfigMap, "shop", "more", """{"data": {"deployment": "spec: {replicas: 4}"}}""");
        await UntilAsync(() => (int?)_server.Get(Deployments, "shop", "edge-istio")?["spec"]?["replicas"] == 4, "it is laid over");
    }

    [Fact]
    public async Task Classes_are_there_and_namespaces_know_whom_to_trust()
    {
        await UntilAsync(() => _server.Get(Kinds.GatewayClass, "", "istio") is not null
            && _server.Get(Kinds.GatewayClass, "", "istio-remote") is not null, "the classes are there");
        // Although there is no gateway of theirs yet.
        await UntilAsync(
            () => (string?)_server.Get(Kinds.GatewayClass, "", "istio")!["status"]?["conditions"]?[0]?["reason"] == "Accepted",
            "it is said that the class is served");
        await UntilAsync(
            () => (string?)_server.Get(Kinds.ConfigMap, "shop", "istio-ca-root-cert")?["data"]?["root-cert.pem"] == _keys.RootsPem,
            "the namespace has the certificates");
        Assert.Equal("true",
            (string?)_server.Get(Kinds.ConfigMap, "shop", "istio-ca-root-cert")!["metadata"]!["labels"]!["istio.io/config"]);
        _server.Put(Kinds.ConfigMap, "shop", "istio-ca-root-cert", """{"data": {"root-cert.pem": "mine"}}""");
        await UntilAsync(
            () => (string?)_server.Get(Kinds.ConfigMap, "shop", "istio-ca-root-cert")?["data"]?["root-cert.pem"] == _keys.RootsPem,
            "it has them again");
        Assert.Null(_server.Get(Kinds.ConfigMap, "kube-public", "istio-ca-root-cert"));
    }
}
