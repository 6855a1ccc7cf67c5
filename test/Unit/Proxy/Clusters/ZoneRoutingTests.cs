using Lateen.Proxy;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Clusters.Balancing;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Lateen.Proxy.Upstream;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Clusters;

public sealed class ZoneRoutingTests
{
    private static readonly Locality A = new("r", "a", ""), B = new("r", "b", ""), C = new("r", "c", "");

    private readonly MemoryLoop _loop;
    private readonly ClusterDirectory _directory;
    private readonly WorkerUpstreams _upstreams;

    public ZoneRoutingTests()
    {
        _loop = new MemoryNetwork(7).AddHost("proxy", Address.V4(1, 0)).AddLoop();
        var worker = new Worker(0, _loop);
        _directory = new ClusterDirectory(_loop, 1);
        _upstreams = new Upstreams(_directory, [worker])[worker];
        _upstreams.Zone = new ZonePlace(_directory.Handle("proxies"), A);
    }

    private void Publish(string name, params (Locality Place, int Hosts)[] places)
    {
        uint ip = name == "proxies" ? 1000u : 1u;
        var cluster = new Cluster
        {
            Name = name,
            StatName = name,
            Balancer = new BalancerOptions { Kind = BalancerKind.Random, ZoneAware = new ZoneAwareOptions(MinimumClusterSize: 3) },
        };
        _directory.Publish(cluster, new EndpointSet
        {
            Localities = [.. places.Select(
                p => LocalityEndpoints.Of([.. Enumerable.Range(0, p.Hosts).Select(_ => new Endpoint { Address = Address.V4(ip++, 80) })],
                    locality: p.Place))],
        });
    }

    private Dictionary<Locality, int> Share(int requests = 10_000)
    {
        WorkerCluster cluster = _upstreams.Of(_directory.Handle("service"))!;
        var counts = new Dictionary<Locality, int> { [A] = 0, [B] = 0, [C] = 0 };
        for (int i = 0; i < requests; i++)
            counts[cluster.PickHost(new Anything(), default, out _)!.Locality]++;
        return counts;
    }

    private sealed class Anything : PickInputs
    {
        public override bool Rejects(Host host) => false;
    }

    [Fact]
    public void All_stays_in_our_place_where_its_hosts_can_bear_it()
    {
        Publish("proxies", (A, 1), (B, 1));
        Publish("service", (A, 3), (B, 3));
        Assert.Equal(10_000, Share()[A]);
    }

    [Fact]
    public void What_our_place_cannot_bear_goes_where_capacity_is_left()
    {
        // Half of the proxies are here, a quarter of the hosts: half of what we send stays. B has its share of proxies, C takes the rest.
        Publish("proxies", (A, 2), (B, 1), (C, 1));
        Publish("service", (A, 2), (B, 2), (C, 4));
        Dictionary<Locality, int> share = Share();
        Assert.InRange(share[A], 4_800, 5_200);
        Assert.Equal(0, share[B]);
        Assert.InRange(share[C], 4_800, 5_200);
    }

    [Fact]
    public void Places_do_not_matter_where_hosts_are_few_or_proxies_unknown()
    {
        Publish("service", (A, 2), (B, 4));
        Assert.InRange(Share()[A], 3_000, 3_700);
        Publish("proxies", (A, 1), (B, 1));
        Publish("service", (A, 1), (B, 1));
        Assert.InRange(Share()[A], 4_700, 5_300);
    }

    [Fact]
    public void It_follows_the_proxies_as_they_come_and_go()
    {
        Publish("service", (A, 3), (B, 3));
        Publish("proxies", (A, 1), (B, 1));
        Assert.Equal(10_000, Share()[A]);
        Publish("proxies", (A, 3), (B, 1));
        Assert.InRange(Share()[A], 6_300, 7_000);
    }
}
