using System.Collections.Concurrent;
using System.Text;
using Lateen.Config.Resources;
using Lateen.Config.Sources.Kubernetes;
using Lateen.Config.Store;
using Lateen.ControlPlane;
using Lateen.ControlPlane.Cluster;
using Lateen.ControlPlane.Hosting;
using Lateen.Test.Rigs.Clusters;
using Xunit;

namespace Lateen.Test.Unit.ControlPlane.Cluster;

public sealed class RemoteClustersTests : IAsyncDisposable
{
    private const string Slice =
        """{"metadata": {"labels": {"kubernetes.io/service-name": "web"}}, "addressType": "IPv4", "endpoints": [{"addresses": ["ADDRESS"], "conditions": {"ready": true}}], "ports": [{"name": "http", "port": 80}]}""";
    private readonly MemoryApiServer _east = new(KubernetesSourceOptions.WorkloadKinds), _west = new(KubernetesSourceOptions.WorkloadKinds);
    private readonly ConcurrentQueue<string> _said = [];
    private readonly ResourceStore _store = new(_ => [], TimeProvider.System);
    private readonly WriterLoop _loop;
    private readonly RemoteClusters _remotes;

    public RemoteClustersTests()
    {
        var options = new ControlPlaneOptions { StateFolder = "", DebounceAfter = TimeSpan.FromMilliseconds(1) };
        Put(Kinds.Service.Create("shop", "web",
            new Kubernetes.Core.V1.Service { Spec = new()
            {
                ClusterIp = "10.0.0.1",
                Ports = { new Kubernetes.Core.V1.ServicePort { Name = "http", Port = 80 } },
            } }));
        _loop = new WriterLoop(new ControlLoop(options, _store, Wiring.Generators(), TimeProvider.System.GetUtcNow(), TimeProvider.System),
            TimeProvider.System);
        _store.Changed += _ => _loop.Poke();
        _remotes = new RemoteClusters(options, _store, _loop, new FastTime(), _said.Enqueue,
            access => new ApiClient(access.Server.Host == "west" ? _west : _east, access.Server));
        foreach ((MemoryApiServer server, string address) in new[] { (_east, "10.1.0.1"), (_west, "10.2.0.1") })
        {
            server.Put(Kinds.Service, "shop", "web", """{"spec": {"clusterIP": "10.0.0.2", "ports": [{"name": "http", "port": 80}]}}""");
            server.Put(Kinds.EndpointSlice, "shop", "web-1", Slice.Replace("ADDRESS", address, StringComparison.Ordinal));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _remotes.DisposeAsync();
        await _loop.DisposeAsync();
    }

    private void Put(Resource resource) => _store.Apply(new ChangeSet { Put = [resource], IsObserved = true });

    private void Secret(string server, string more = "")
    {
        string config = $$"""
            {"current-context": "x", "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"} }], "clusters": [{"name": "c", "cluster": {"server": "https://{{server}}"} }],
             "users": [{"name": "u", "user": {"token": "t"{{more}} } }]}
            """;
        var metadata = new ResourceMetadata
        {
            Name = "istio-remote-secret-far",
            Labels = new Dictionary<string, string> { ["istio/multiCluster"] = "true" },
        };
        Put(Kinds.Secret.Create("istio-system", "istio-remote-secret-far",
            new Kubernetes.Core.V1.Secret { Data = { ["far"] = Google.Protobuf.ByteString.CopyFrom(Encoding.UTF8.GetBytes(config)) } },
            metadata));
    }

    private ValueTask<string> EndpointsAsync() => _loop.AskAsync((control, _) =>
    {
        var registry = control.Hub.Snapshot!.Registry;
        return string.Join(' ', registry.Services.SelectMany(service => registry.EndpointsOf(service.Key).All)
            .Select(endpoint => $"{endpoint.ClusterId}:{endpoint.Address}").Order(StringComparer.Ordinal));
    });

    private async Task UntilAsync(string endpoints)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(2));
        string now = "";
        for (DateTime until = DateTime.UtcNow.AddSeconds(20); (now = await EndpointsAsync()) != endpoints;
            await timer.WaitForNextTickAsync())
            Assert.True(DateTime.UtcNow < until, $"\"{now}\" is not \"{endpoints}\"; said was {string.Join('\n', _said)}");
    }

    [Fact]
    public async Task A_cluster_gives_its_endpoints_while_its_secret_is_there()
    {
        Secret("east");
        await _remotes.StartAsync(TimeSpan.FromSeconds(20), CancellationToken.None);
        await UntilAsync("far:10.1.0.1");
        _east.Put(Kinds.EndpointSlice, "shop", "web-2", Slice.Replace("ADDRESS", "10.1.0.2", StringComparison.Ordinal));
        await UntilAsync("far:10.1.0.1 far:10.1.0.2");
        Secret("west");
        await UntilAsync("far:10.2.0.1");
        _store.Apply(new ChangeSet
        {
            Delete = [new ResourceKey(Kinds.Secret, "istio-system", "istio-remote-secret-far")],
            IsObserved = true,
        });
        await UntilAsync("");
    }

    [Fact]
    public async Task A_kubeconfig_that_reads_this_machines_files_is_left_out_and_said()
    {
        Secret("east", """, "tokenFile": "/etc/passwd" """);
        await _remotes.StartAsync(TimeSpan.FromSeconds(1), CancellationToken.None);
        Assert.Empty(_remotes.Names);
        Assert.Contains(_said, line => line.Contains("cluster far is left out", StringComparison.Ordinal)
            && line.Contains("tokenFile", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_kubeconfig_that_is_rotated_badly_takes_nothing_away_until_its_secret_goes()
    {
        Secret("east");
        await _remotes.StartAsync(TimeSpan.FromSeconds(20), CancellationToken.None);
        await UntilAsync("far:10.1.0.1");
        Secret("west", """, "tokenFile": "/etc/passwd" """);
        await UntilSaidAsync("secret istio-system/istio-remote-secret-far: cluster far is followed with the kubeconfig that it had");
        _east.Put(Kinds.EndpointSlice, "shop", "web-2", Slice.Replace("ADDRESS", "10.1.0.2", StringComparison.Ordinal));
        await UntilAsync("far:10.1.0.1 far:10.1.0.2");
        Assert.Equal(new RemoteState("istio-system/istio-remote-secret-far", "synced"),
            await _loop.AskAsync((control, _) => control.Remotes["far"], TestContext.Current.CancellationToken));
        Secret("west");
        await UntilAsync("far:10.2.0.1");
        Secret("west", """, "tokenFile": "/etc/passwd" """);
        _store.Apply(new ChangeSet
        {
            Delete = [new ResourceKey(Kinds.Secret, "istio-system", "istio-remote-secret-far")],
            IsObserved = true,
        });
        await UntilAsync("");
        Assert.Empty(await _loop.AskAsync((control, _) => control.Remotes.Keys.ToArray(), TestContext.Current.CancellationToken));
    }

    private async Task UntilSaidAsync(string words)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(2));
        for (DateTime until = DateTime.UtcNow.AddSeconds(20); !_said.Any(line => line.Contains(words, StringComparison.Ordinal));
            await timer.WaitForNextTickAsync())
            Assert.True(DateTime.UtcNow < until, string.Join('\n', _said));
    }
}
