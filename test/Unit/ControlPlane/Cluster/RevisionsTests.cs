using System.Collections.Concurrent;
using System.Text;
using System.Text.Json.Nodes;
using Lateen.Config.Resources;
using Lateen.Config.Sources.Kubernetes;
using Lateen.Config.Store;
using Lateen.Config.Validation;
using Lateen.ControlPlane;
using Lateen.ControlPlane.Certificates;
using Lateen.ControlPlane.Cluster;
using Lateen.ControlPlane.Injection;
using Lateen.Test.Rigs.Clusters;
using Xunit;

namespace Lateen.Test.Unit.ControlPlane.Cluster;

/// <summary>Two control planes of one cluster, `default` and `canary`, with a tag that moves from one to the other.</summary>
public sealed class RevisionsTests : IAsyncLifetime
{
    private readonly MemoryApiServer _server = new(KubernetesSourceOptions.MeshKinds);
    private readonly FastTime _time = new(100);
    private readonly ConcurrentQueue<string> _said = [];
    private readonly List<IAsyncDisposable> _open = [];

    public ValueTask InitializeAsync()
    {
        _server.Put(Kinds.Namespace, "", "shop", "{}");
        _server.Put(Kinds.Namespace, "", "tested", """{"metadata": {"labels": {"istio.io/rev": "prod"} } }""");
        Tag("prod", "default");
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (IAsyncDisposable open in _open) await open.DisposeAsync();
    }

    [Fact]
    public async Task Each_reads_its_own_configuration_and_what_is_labelled_for_nobody()
    {
        Entry("all");
        Entry("ours", "canary");
        Entry("theirs", "default");
        Entry("tagged", "prod");
        (ResourceStore stable, ResourceStore canary) = (await StoreAsync("default"), await StoreAsync("canary"));
        Assert.Equal(("all tagged theirs", "all ours"), (Entries(stable), Entries(canary)));
        Tag("prod", "canary");
        await UntilAsync(() => (Entries(stable), Entries(canary)) == ("all theirs", "all ours tagged"), "the tag has moved");
        // What nobody labelled any longer is everybody's.
        Entry("ours");
        await UntilAsync(() => Entries(stable) == "all ours theirs", "the label is gone");
    }

    [Fact]
    public async Task A_gateway_is_of_the_revision_that_its_label_or_its_namespace_names()
    {
        Gateway("shop", "plain", null);
        Gateway("shop", "labelled", "canary");
        Gateway("tested", "tagged", null);
        (ResourceStore stable, ResourceStore canary, ResourceStore alone) =
            (await StoreAsync("default"), await StoreAsync("canary"), await StoreAsync(""));
        Assert.Equal(("plain tagged", "labelled", "labelled plain tagged"),
            (Gateways(stable, "default"), Gateways(canary, "canary"), Gateways(alone, "")));
        Tag("prod", "canary");
        await UntilAsync(() => (Gateways(stable, "default"), Gateways(canary, "canary")) == ("plain", "labelled tagged"),
            "the tag has moved");
    }

    [Fact]
    public async Task Each_injects_by_its_own_settings_and_tells_pods_whose_they_are()
    {
        _server.Put(Kinds.ConfigMap, "istio-system", "istio", """{"data": {"mesh": "trustDomain: stable.example"} }""");
        _server.Put(Kinds.ConfigMap, "istio-system", "istio-canary", """{"data": {"mesh": "trustDomain: canary.example"} }""");
        (JsonObject stable, JsonObject canary) = (await InjectedAsync("default"), await InjectedAsync("canary"));
        Assert.Equal(("default", "canary"), (Revision(stable), Revision(canary)));
        Assert.Contains("stable.example", stable.ToJsonString(), StringComparison.Ordinal);
        Assert.Contains("canary.example", canary.ToJsonString(), StringComparison.Ordinal);
        Assert.Contains("istiod-canary.istio-system.svc:15012", canary.ToJsonString(), StringComparison.Ordinal);
        Assert.DoesNotContain("istiod-canary", stable.ToJsonString(), StringComparison.Ordinal);
        Assert.Contains("istiod-canary.istio-system.svc", ServingCertificates.HostsOf("istio-system", "canary"));
        Assert.Equal(3, ServingCertificates.HostsOf("istio-system", "default").Count);
    }

    [Fact]
    public async Task The_default_revision_takes_a_lock_that_all_share_from_a_living_leader()
    {
        _server.Serve("/api/v1/configmaps");
        LeaseElection canary = Election("one", "canary", _ => false);
        await UntilAsync(() => canary.IsLeader, "the canary leads, as nobody else is there");
        LeaseElection other = Election("two", "other", _ => false);
        LeaseElection stable = Election("three", "default", leader => leader.Revision is "canary" or "other");
        await UntilAsync(() => stable.IsLeader && !canary.IsLeader, "the default revision leads");
        Assert.False(other.IsLeader);
        Assert.Contains(_said, line => line.Contains("leader election lock lost", StringComparison.Ordinal));
    }

    private LeaseElection Election(string name, string revision, Func<ElectionRecord, bool> yields)
    {
        var election = new LeaseElection(new ApiClient(_server, MemoryApiServer.Address), new ConfigMapLock("istio-system", "istio-leader",
            revision), name, _time, _said.Enqueue, yields);
        _open.Add(election);
        return election;
    }

    private async Task<ResourceStore> StoreAsync(string revision)
    {
        var store = new ResourceStore(Validator.Check, _time);
        var options = new ControlPlaneOptions { StateFolder = "", Revision = revision };
        _open.Add(await ClusterConnection.OpenAsync(new ApiClient(_server, MemoryApiServer.Address), "memory", options, store, _time,
            _said.Enqueue, CancellationToken.None));
        return store;
    }

    private async Task<JsonObject> InjectedAsync(string revision)
    {
        ResourceStore store = await StoreAsync(revision);
        var loop = new ControlLoop(new ControlPlaneOptions { StateFolder = "", Revision = revision }, store, Wiring.Generators(),
            _time.GetUtcNow(), _time);
        MeshInjection mesh = new InjectorConfigMap("istio-system", loop.OwnRevision).Injection(store.Current, loop.Hub.Snapshot!);
        const string Review = """
            {"apiVersion": "admission.k8s.io/v1", "request": {"uid": "u", "namespace": "shop", "object": {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "web"}, "spec": {"containers": [{"name": "web", "image": "web", "resources": {} }] } } } }
            """;
        (string body, InjectionOutcome outcome) = InjectionReviews.Answer(Review, "/inject", mesh);
        Assert.Equal(InjectionOutcome.Injected, outcome);
        string patch = (string)JsonNode.Parse(body)!["response"]!["patch"]!;
        return new JsonObject { ["patch"] = JsonNode.Parse(Encoding.UTF8.GetString(Convert.FromBase64String(patch))) };
    }

    private static string? Revision(JsonObject injected) => injected["patch"]!.AsArray()
        .Where(change => (string?)change!["path"] == "/metadata/annotations")
        .Select(change => (string?)change!["value"]!["istio.io/rev"]).Single();

    private void Tag(string tag, string revision) => _server.Put(Kinds.MutatingWebhookConfiguration, "", "istio-revision-tag-" + tag,
        $$$"""{"metadata": {"labels": {"istio.io/rev": "{{{revision}}}", "istio.io/tag": "{{{tag}}}"} } }""");

    private void Entry(string name, string? revision = null) => _server.Put(Kinds.ServiceEntry, "shop", name, $$"""
        {"metadata": {{Labels(revision)}}, "spec": {"hosts": ["{{name}}.com"], "resolution": "DNS",
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}] } }
        """);

    private void Gateway(string ns, string name, string? revision) => _server.Put(Kinds.KubernetesGateway, ns, name, $$"""
        {"metadata": {{Labels(revision)}}, "spec": {"gatewayClassName": "istio",
        "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}] } }
        """);

    private static string Labels(string? revision) =>
        revision is null ? "{}" : $$$"""{"labels": {"istio.io/rev": "{{{revision}}}"} }""";

    private static string Entries(ResourceStore store) =>
        string.Join(' ', store.Current.All(Kinds.ServiceEntry).Select(entry => entry.Name).Order(StringComparer.Ordinal));

    private static string Gateways(ResourceStore store, string revision) => string.Join(' ', store.Current.All(Kinds.KubernetesGateway)
        .Where(gateway => Revisions.IsOf(revision, store.Current, gateway)).Select(gateway => gateway.Name).Order(StringComparer.Ordinal));

    private async Task UntilAsync(Func<bool> condition, string what)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(2));
        for (DateTime until = DateTime.UtcNow.AddSeconds(20); !condition(); await timer.WaitForNextTickAsync())
            Assert.True(DateTime.UtcNow < until, $"{what}; said was {string.Join('\n', _said)}");
    }
}
