using Lateen.Proxy;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Clusters.Balancing;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Lateen.Proxy.Upstream;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Clusters;

/// <summary>Consistent hashing with bounded loads (hash_balance_factor).</summary>
public sealed class BoundedLoadTests
{
    private const int Hosts = 6;

    private sealed class Hashed(ulong hash) : PickInputs
    {
        public Hashed Prepared()
        {
            (HasHash, Hash) = (true, hash);
            return this;
        }

        public override bool Rejects(Host host) => false;
    }

    // The orders are those that MT19937 gives for the seed, as Envoy draws them; the host of the ring itself comes first.
    [Theory]
    [InlineData(0, new[] { 3, 0, 4, 5, 1, 2 })]
    [InlineData(1, new[] { 2, 5, 4, 1, 0, 3 })]
    [InlineData(7, new[] { 0, 2, 5, 3, 4, 1 })]
    [InlineData(12345678901234567890, new[] { 3, 0, 4, 5, 2, 1 })]
    public void A_host_that_is_full_passes_on_in_the_order_of_the_hash(ulong hash, int[] order)
    {
        MemoryLoop loop = new MemoryNetwork(7).AddHost("proxy", Address.V4(1, 0)).AddLoop();
        var worker = new Worker(0, loop);
        var directory = new ClusterDirectory(loop, 1);
        WorkerUpstreams upstreams = new Upstreams(directory, [worker])[worker];
        directory.Publish(
            new Cluster
            {
                Name = "service",
                StatName = "service",
                Balancer = new BalancerOptions { Kind = BalancerKind.RingHash, HashBalanceFactor = 100 },
            },
            new EndpointSet
            {
                Localities =
                    [LocalityEndpoints.Of([.. Enumerable.Range(0, Hosts).Select(i => new Endpoint { Address = Address.V4((uint)i, 80) })])],
            });
        WorkerCluster cluster = upstreams.Of(directory.Handle("service"))!;
        var picked = new List<int>();
        for (int i = 0; i < Hosts + 1; i++)
        {
            Host host = cluster.PickHost(new Hashed(hash).Prepared(), default, out _)!;
            picked.Add((int)host.Address.Low);
            host.CountRequest(10);
        }
        // Once all have as much, nobody is above the bound.
        Assert.Equal([picked[0], .. order.Where(o => o != picked[0]), picked[0]], picked);
    }
}
