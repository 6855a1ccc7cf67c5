using Lateen.Config.Resources;
using Lateen.Config.Sources.Kubernetes;
using Lateen.Config.Store;
using Lateen.Config.Validation;
using Lateen.Test.Rigs.Clusters;
using Xunit;

namespace Lateen.Test.Unit.Config.Sources.Kubernetes;

public sealed class KubernetesSourceTests : IAsyncDisposable
{
    private static readonly ResourceKind[] Few = [Kinds.Service, Kinds.Pod, Kinds.ServiceEntry, Kinds.VirtualService,
        Kinds.MutatingWebhookConfiguration];

    private readonly MemoryApiServer _server = new(Few);
    private readonly ResourceStore _store = new(Validator.Check, TimeProvider.System);
    private readonly List<string> _said = [];
    private KubernetesSource? _source;

    public async ValueTask DisposeAsync()
    {
        if (_source is not null) await _source.DisposeAsync();
    }

    private Task StartAsync(string revision = "", params ResourceKind[] kinds)
    {
        var options = new KubernetesSourceOptions { Server = "memory", Kinds = kinds.Length > 0 ? kinds : Few, Revision = revision };
        _source = new KubernetesSource(new ApiClient(_server, MemoryApiServer.Address), options, _store, new FastTime(), Random.Shared,
            Say);
        return _source.Synced.WaitAsync(TimeSpan.FromSeconds(20));
    }

    private void Say(string line)
    {
        lock (_said) _said.Add(line);
    }

    private bool Said(string words)
    {
        lock (_said) return _said.Any(l => l.Contains(words, StringComparison.Ordinal));
    }

    private static string Entry(string host) =>
        $$$"""{"spec": {"hosts": ["{{{host}}}"], "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}], "resolution": "DNS"}}""";

    private static string Labelled(string host, string revision) =>
        $$$"""{"metadata": {"labels": {"istio.io/rev": "{{{revision}}}"}}, {{{Entry(host)[1..]}}}""";

    private string Hosts =>
        string.Join(' ', _store.Current.All(Kinds.ServiceEntry).Select(e => e.Spec.Hosts[0]).Order(StringComparer.Ordinal));

    private async Task UntilAsync(Func<bool> condition, string what)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(2));
        for (var until = DateTime.UtcNow.AddSeconds(20); !condition(); await timer.WaitForNextTickAsync())
        {
            Assert.True(DateTime.UtcNow < until, $"{what}; the store has {Hosts}; said was {string.Join('\n', _said)}");
        }
    }

    [Fact]
    public async Task All_that_is_there_comes_as_one_generation_and_changes_follow()
    {
        _server.Put(Kinds.ServiceEntry, "shop", "a", Entry("a.com"));
        _server.Put(Kinds.Service, "shop", "web", """{"spec": {"ports": [{"port": 80}], "clusterIP": "10.0.0.1"}}""");
        await StartAsync();
        Assert.Equal(1, _store.Current.Generation);
        Assert.Equal("10.0.0.1", _store.Current.Find(Kinds.Service, "shop", "web")!.Spec.Spec.ClusterIp);
        _server.Put(Kinds.ServiceEntry, "shop", "b", Entry("b.com"));
        await UntilAsync(() => Hosts == "a.com b.com", "a new object is seen");
        _server.Put(Kinds.ServiceEntry, "shop", "a", Entry("a2.com"));
        _server.Delete(Kinds.ServiceEntry, "shop", "b");
        await UntilAsync(() => Hosts == "a2.com", "changes and deletions are seen");
        Assert.Equal((ResourceOrigin.FromCluster, 2L),
            (_store.Current.Find(Kinds.ServiceEntry, "shop", "a")!.Origin.Source,
                _store.Current.Find(Kinds.ServiceEntry, "shop", "a")!.Metadata.Generation));
    }

    [Fact]
    public async Task What_was_known_stays_while_the_server_is_away_and_the_gap_is_made_up_for()
    {
        _server.Put(Kinds.ServiceEntry, "shop", "a", Entry("a.com"));
        _server.Put(Kinds.ServiceEntry, "shop", "b", Entry("b.com"));
        await StartAsync();
        _server.GoAway();
        await UntilAsync(() => Said("does not answer"), "the outage is told");
        Assert.Equal("a.com b.com", Hosts);
        _server.Delete(Kinds.ServiceEntry, "shop", "b");
        _server.Put(Kinds.ServiceEntry, "shop", "c", Entry("c.com"));
        _server.Compact();
        _server.Return();
        await UntilAsync(() => Hosts == "a.com c.com", "what happened meanwhile is seen");
        await UntilAsync(() => Said("answers again"), "its return is told");
        // A request that was under way when it came back may still have failed; five kinds were followed, and each failed several times.
        lock (_said) Assert.InRange(_said.Count(l => l.Contains("does not answer", StringComparison.Ordinal)), 1, 2);
    }

    [Fact]
    public async Task Expired_watches_are_begun_anew()
    {
        _server.Put(Kinds.ServiceEntry, "shop", "a", Entry("a.com"));
        await StartAsync();
        _server.Compact();
        _server.EndWatches(expired: true);
        _server.Put(Kinds.ServiceEntry, "shop", "b", Entry("b.com"));
        await UntilAsync(() => Hosts == "a.com b.com", "the new object is seen");
        _server.EndWatches(expired: false);
        _server.Delete(Kinds.ServiceEntry, "shop", "a");
        await UntilAsync(() => Hosts == "b.com", "the deletion is seen");
    }

    [Fact]
    public async Task An_event_that_is_told_twice_makes_no_generation()
    {
        await StartAsync();
        _server.Put(Kinds.ServiceEntry, "shop", "a", Entry("a.com"));
        await UntilAsync(() => Hosts == "a.com", "the object is seen");
        var generation = _store.Current.Generation;
        _server.TellAgain(Kinds.ServiceEntry);
        _server.TellBookmark(Kinds.ServiceEntry);
        _server.Put(Kinds.Service, "shop", "web", "{}");
        await UntilAsync(() => _store.Current.Find(Kinds.Service, "shop", "web") is not null, "a later event is seen");
        Assert.Equal(generation + 1, _store.Current.Generation);
    }

    [Fact]
    public async Task The_heartbeat_of_an_election_makes_no_generation()
    {
        const string Record =
            """{"metadata": {"annotations": {"control-plane.alpha.kubernetes.io/leader": "{\"renewTime\": 1}", "own": "a"}}}""";
        _server.Install(Kinds.ConfigMap);
        _server.Put(Kinds.ConfigMap, "shop", "lock", Record);
        await StartAsync("", Kinds.ConfigMap);
        _server.Put(Kinds.ConfigMap, "shop", "lock", Record.Replace(": 1", ": 2", StringComparison.Ordinal));
        _server.Put(Kinds.ConfigMap, "shop", "other", """{"data": {"a": "b"}}""");
        await UntilAsync(() => _store.Current.Find(Kinds.ConfigMap, "shop", "other") is not null, "a later event is seen");
        Assert.Equal(2, _store.Current.Generation);
        Assert.Equal(["own"], _store.Current.Find(Kinds.ConfigMap, "shop", "lock")!.Annotations.Keys);
    }

    [Fact]
    public async Task Of_a_pod_is_read_what_a_mesh_knows_and_the_rest_may_have_any_form()
    {
        _server.Put(Kinds.Pod, "shop", "web",
            """
            {"metadata": {"labels": {"app": "web", "a/b": "c"}, "managedFields": [{"manager": "kubectl"}]},
             "spec": {"inventedLater": {"name": 7}, "containers": [{"name": "app", "image": "app", "inventedToo": [null],
              "ports": [{"containerPort": 80, "inventedLater": {}}]}]},
             "status": {"podIP": "10.0.0.1", "inventedLast": [[{}]]}}
            """);
        await StartAsync();
        var pod = _store.Current.Find(Kinds.Pod, "shop", "web")!;
        var container = pod.Spec.Spec.Containers[0];
        Assert.Equal(("10.0.0.1", "app", 80), (pod.Spec.Status.PodIp, container.Name, container.Ports[0].ContainerPort_));
        Assert.Equal("c", pod.Labels["a/b"]);
    }

    [Fact]
    public async Task Five_thousand_objects_come_in_pages_and_as_one_generation()
    {
        for (var i = 0; i < 5000; i++) _server.Put(Kinds.ServiceEntry, "shop", $"e{i}", Entry($"e{i}.com"));
        await StartAsync("", Kinds.ServiceEntry);
        Assert.Equal((5000, 1L), (_store.Current.All(Kinds.ServiceEntry).Count, _store.Current.Generation));
        Assert.Equal(10, _server.Requests.Count(r => r == "GET /apis/networking.istio.io/v1/serviceentries") - 1);
    }

    [Fact]
    public async Task A_kind_whose_definition_is_missing_is_followed_when_it_is_installed_and_empty_when_it_is_removed()
    {
        await StartAsync("", Kinds.ServiceEntry, Kinds.Gateway);
        _server.Install(Kinds.Gateway);
        _server.Put(Kinds.Gateway, "shop", "edge",
            """{"spec": {"selector": {"istio": "edge"}, "servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}]}}""");
        await UntilAsync(() => _store.Current.Find(Kinds.Gateway, "shop", "edge") is not null, "the new kind is followed");
    }

    [Fact]
    public async Task An_old_version_is_taken_where_the_server_has_no_other()
    {
        _server.Install(Kinds.EndpointSlice, "v1beta1");
        _server.Put(Kinds.EndpointSlice, "shop", "web-1",
            """{"addressType": "IPv4", "endpoints": [{"addresses": ["10.1.0.1"], "topology": {"kubernetes.io/hostname": "n1", "topology.kubernetes.io/zone": "z1"}}], "ports": [{"name": "http", "port": 80}]}""");
        await StartAsync("", Kinds.EndpointSlice);
        var endpoint = _store.Current.Find(Kinds.EndpointSlice, "shop", "web-1")!.Spec.Endpoints[0];
        Assert.Equal(("n1", "z1"), (endpoint.NodeName, endpoint.Zone));
    }

    [Fact]
    public async Task A_bad_object_is_held_out_and_harms_no_other()
    {
        _server.Put(Kinds.VirtualService, "shop", "good",
            """{"spec": {"hosts": ["a"], "http": [{"route": [{"destination": {"host": "a"}}]}]}}""");
        _server.Put(Kinds.VirtualService, "shop", "wrong-type", """{"spec": {"hosts": "a"}}""");
        _server.Put(Kinds.VirtualService, "shop", "newer",
            """{"spec": {"hosts": ["b"], "inventedLater": 1, "http": [{"route": [{"destination": {"host": "b"}}]}]}}""");
        _server.Put(Kinds.VirtualService, "shop", "no-rule", """{"spec": {"hosts": ["c"]}}""");
        await StartAsync();
        Assert.Equal(["good", "newer"], _store.Current.All(Kinds.VirtualService).Select(v => v.Name).Order(StringComparer.Ordinal));
        Assert.Equal(["no-rule", "wrong-type"], _store.Current.Held.Keys.Select(k => k.Name).Order(StringComparer.Ordinal));
        Assert.Contains(_store.Current.Held[new ResourceKey(Kinds.VirtualService, "shop", "wrong-type")].Diagnostics,
            d => d.IsError && d.Path == "spec.hosts");
        Assert.True(Said("VirtualService shop/wrong-type cannot be read"));
        _server.Put(Kinds.VirtualService, "shop", "good", """{"spec": {"hosts": 5}}""");
        await UntilAsync(() => Said("VirtualService shop/good cannot be read"), "the mistake is told");
        Assert.Equal("a", _store.Current.Find(Kinds.VirtualService, "shop", "good")!.Spec.Hosts[0]);
    }

    [Fact]
    public async Task A_kind_that_this_account_may_not_read_does_not_keep_the_mesh_from_starting()
    {
        _server.Forbidden.Add("virtualservices");
        _server.Put(Kinds.ServiceEntry, "shop", "a", Entry("a.com"));
        await StartAsync();
        Assert.Equal("a.com", Hosts);
        Assert.True(Said("does not let this account read virtualservices"));
    }

    [Fact]
    public async Task Revisions_and_tags_choose_their_configuration()
    {
        _server.Put(Kinds.ServiceEntry, "shop", "all", Entry("all.com"));
        _server.Put(Kinds.ServiceEntry, "shop", "ours", Labelled("ours.com", "v2"));
        _server.Put(Kinds.ServiceEntry, "shop", "theirs", Labelled("theirs.com", "v1"));
        _server.Put(Kinds.ServiceEntry, "shop", "prod", Labelled("prod.com", "prod"));
        await StartAsync("v2");
        Assert.Equal("all.com ours.com", Hosts);
        _server.Put(Kinds.MutatingWebhookConfiguration, "", "istio-revision-tag-prod",
            """{"metadata": {"labels": {"istio.io/rev": "v2", "istio.io/tag": "prod"}}}""");
        await UntilAsync(() => Hosts == "all.com ours.com prod.com", "the tag is ours");
        _server.Put(Kinds.MutatingWebhookConfiguration, "", "istio-revision-tag-prod",
            """{"metadata": {"labels": {"istio.io/rev": "v1", "istio.io/tag": "prod"}}}""");
        await UntilAsync(() => Hosts == "all.com ours.com", "the tag has moved away");
    }
}
