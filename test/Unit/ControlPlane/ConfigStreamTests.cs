using Envoy.Service.Discovery.V3;
using Lateen.Config.Resources;
using Lateen.Config.Sources.Discovery;
using Lateen.Config.Store;
using Lateen.ControlPlane;
using Lateen.Test.Rigs.Discovery;
using Lateen.Test.Rigs.Clusters;
using Xunit;
using Resource = Lateen.Config.Resources.Resource;

namespace Lateen.Test.Unit.ControlPlane;

/// <summary>One control plane's configuration as the source of another, over real sockets.</summary>
public sealed class ConfigStreamTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("lateen").FullName;
    private readonly ResourceStore _copy = new(_ => [], TimeProvider.System);
    private RunningControlPlane _running = null!;
    private int _writes;

    public async ValueTask InitializeAsync()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "mesh"));
        Write("a", "a.com");
        _running = await StartAsync("127.0.0.1:0");
    }

    public async ValueTask DisposeAsync()
    {
        await _running.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private Task<RunningControlPlane> StartAsync(string grpc) => Wiring.StartAsync(
        LocalControlPlane.OwnPorts(Path.Combine(_folder, "state")) with
        {
            ConfigFolder = Path.Combine(_folder, "mesh"),
            GrpcAddress = grpc,
        }, TimeProvider.System, TestContext.Current.CancellationToken);

    private void Write(string name, string? host)
    {
        string path = Path.Combine(_folder, "mesh", name + ".yaml");
        if (host is null) File.Delete(path);
        else
            File.WriteAllText(path,
                $"apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}, labels: {{n: "
                + $"\"{++_writes}\"}}}}\nspec: {{hosts: [{host}], ports: [{{number: 80, name: http, protocol: HTTP}}], resolution: "
                    + $"DNS}}\n");
    }

    private async Task UntilAsync(string hosts)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        string Now() =>
            string.Join(' ', _copy.Current.All(Kinds.ServiceEntry).Select(entry => entry.Spec.Hosts[0]).Order(StringComparer.Ordinal));
        for (DateTime until = DateTime.UtcNow.AddSeconds(20); Now() != hosts; await timer.WaitForNextTickAsync())
            Assert.True(DateTime.UtcNow < until, $"\"{Now()}\" is not \"{hosts}\"");
    }

    [Fact]
    public async Task Objects_come_change_and_go_and_stay_while_the_other_is_away()
    {
        await using var source = new ConfigStreamSource(_running.Address.Grpc, _copy, new FastTime(20), Random.Shared, _ => { });
        await source.Synced.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        Resource entry = _copy.Current.Find(Kinds.ServiceEntry, "default", "a")!;
        Assert.Equal(("1", ResourceOrigin.FromStream), (entry.Labels["n"], entry.Origin.Source));
        Write("b", "b.com");
        await UntilAsync("a.com b.com");
        Write("a", null);
        await UntilAsync("b.com");
        string grpc = _running.Address.Grpc;
        await _running.DisposeAsync();
        Write("c", "c.com");
        await UntilAsync("b.com");
        _running = await StartAsync(grpc);
        await UntilAsync("b.com c.com");
    }

    [Fact]
    public async Task A_type_that_nobody_knows_is_answered_with_nothing()
    {
        await using AdsClient client = await AdsClient.OpenAsync(_running.Address.Grpc, AdsClient.StateOfTheWorld);
        Envoy.Config.Core.V3.Node node = AdsClient.Sidecar("tool", "istio-system");
        node.Metadata.Fields["GENERATOR"] = Google.Protobuf.WellKnownTypes.Value.ForString("api");
        client.Send(new DiscoveryRequest { Node = node, TypeUrl = "networking.istio.io/v9/Nothing" });
        DiscoveryResponse none = (await client.ReadAsync(DiscoveryResponse.Parser))!;
        Assert.Equal(("networking.istio.io/v9/Nothing", 0), (none.TypeUrl, none.Resources.Count));
        client.Send(new DiscoveryRequest { TypeUrl = "networking.istio.io/v1beta1/ServiceEntry" });
        DiscoveryResponse entries = (await client.ReadAsync(DiscoveryResponse.Parser))!;
        Assert.Equal("default/a", Istio.Mcp.V1Alpha1.Resource.Parser.ParseFrom(entries.Resources[0].Value).Metadata.Name);
    }
}
