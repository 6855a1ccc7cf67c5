using Lateen.Proxy.Clusters;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Clusters;

public sealed class HashRingTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Weights_that_differ_much_cost_the_places_of_the_ring_and_no_more(bool murmur)
    {
        const int Places = 200_000;
        var directory = new ClusterDirectory(new MemoryNetwork(7).AddHost("proxy", Address.V4(1, 0)).AddLoop(), 1);
        var cluster = new Cluster
        {
            Name = "service",
            StatName = "service",
            Balancer = new BalancerOptions { Kind = BalancerKind.RingHash, MaximumRingSize = Places, Murmur2 = murmur },
        };
        var endpoints = new EndpointSet
        {
            Localities =
            [
                LocalityEndpoints.Of(
                [
                    new Endpoint { Address = Address.V4(1, 80), Weight = 3_000_000_000 },
                    new Endpoint { Address = Address.V4(2, 80), Weight = 1 },
                ]),
            ],
        };
        // One ring of all hosts, one of the healthy ones.
        long before = GC.GetAllocatedBytesForCurrentThread();
        directory.Publish(cluster, endpoints);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 12L * Places, (2 * 12L * Places) + 1_000_000);
    }
}
