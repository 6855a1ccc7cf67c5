using Envoy.Config.Cluster.V3;
using Envoy.Service.Discovery.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Pilot.Generation;
using Lateen.Pilot.Push;
using Lateen.Pilot.Scope;
using Xunit;

namespace Lateen.Test.Unit.Pilot.Push;

public sealed class HeldOutTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly TestMesh _mesh = new();
    private readonly Told _told = new();
    private readonly PushHub _hub;
    private readonly AdsSession _session;

    public HeldOutTests()
    {
        _hub = new PushHub(new PushOptions(), [_told]);
        Publish(seconds: 1, seconds2: 1);
        _session = _hub.Connect("s1", Now);
    }

    [Fact]
    public void What_a_proxy_would_refuse_is_not_sent_and_nothing_is_taken_away()
    {
        _session.Receive(new DeltaDiscoveryRequest { Node = TestMesh.NodeOf("web-1", "10.1.0.1"), TypeUrl = TypeUrls.Cluster }, Now);
        Assert.True(_session.TryTake(out var first));
        _session.Receive(new DeltaDiscoveryRequest { TypeUrl = TypeUrls.Cluster, ResponseNonce = first.Nonce }, Now);
        Publish(seconds: -1, seconds2: 2);
        Assert.True(_session.TryTake(out var second));
        Assert.Equal(["second"], second.Resources.Select(resource => resource.Name));
        Assert.Empty(second.Delta!.RemovedResources);
        Assert.Equal(["first"], _hub.HeldOut.Select(held => held.Name));
        Assert.Contains("ConnectTimeout", _hub.HeldOut.Single().Fault, StringComparison.Ordinal);
    }

    [Fact]
    public void A_list_of_all_that_there_is_has_the_last_good_form()
    {
        _session.Receive(new DiscoveryRequest { Node = TestMesh.NodeOf("web-1", "10.1.0.1"), TypeUrl = TypeUrls.Cluster }, Now);
        Assert.True(_session.TryTake(out var first));
        _session.Receive(new DiscoveryRequest { TypeUrl = TypeUrls.Cluster, ResponseNonce = first.Nonce }, Now);
        var good = _told.All[0].Version;
        Publish(seconds: -1, seconds2: 2);
        Assert.True(_session.TryTake(out var second));
        Assert.Equal([good, _told.All[1].Version], second.Resources.Select(resource => resource.Version));
    }

    private void Publish(long seconds, long seconds2)
    {
        _told.All = [Cluster("first", seconds), Cluster("second", seconds2)];
        _hub.Publish(_mesh.Compile(_mesh.Resources));
    }

    private static WireResource Cluster(string name, long seconds) =>
        WireResource.Of(name, new Cluster { Name = name, ConnectTimeout = new Duration { Seconds = seconds } });

    private sealed class Told : IResourceGenerator
    {
        public string TypeUrl => TypeUrls.Cluster;

        public IReadOnlyList<WireResource> All { get; set; } = [];

        public IReadOnlyList<WireResource> Generate(ProxyScope scope, IReadOnlySet<string>? names) => All;

        public void BeginSnapshot()
        {
        }
    }
}
