using Lateen.Proxy;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Lateen.Proxy.Statistics;
using Lateen.Proxy.Upstream;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Clusters;

public sealed class PublishingTests
{
    private static (ClusterDirectory Directory, MemoryNetwork Network) With(int clusters, BalancerOptions? balancer = null)
    {
        var network = new MemoryNetwork(1);
        var directory = new ClusterDirectory(network.AddHost("proxy", Address.V4(1, 0)).AddLoop("main"), 1, new StatStore(1));
        for (int i = 0; i < clusters; i++)
            directory.Publish(new Cluster
            {
                Name = $"outbound|80||svc-{i}",
                StatName = $"svc-{i}",
                Balancer = balancer ?? BalancerOptions.Default,
            }, Endpoints(10));
        return (directory, network);
    }

    private static EndpointSet Endpoints(int count) =>
        new() { Localities = [LocalityEndpoints.Of(
            [.. Enumerable.Range(0, count).Select(i => new Endpoint { Address = Address.V4(0x0a000000 + (uint)i, 80) })])] };

    // What one publication allocates, once everything that happens once has happened.
    private static long CostOfOne(int clusters)
    {
        (ClusterDirectory directory, _) = With(clusters);
        long cost = 0;
        for (int i = 0; i < 3; i++)
        {
            EndpointSet set = Endpoints(10 + (i % 2));
            long before = GC.GetAllocatedBytesForCurrentThread();
            directory.PublishEndpoints("outbound|80||svc-7", set);
            cost = GC.GetAllocatedBytesForCurrentThread() - before;
        }
        return cost;
    }

    [Fact]
    public void Publishing_one_of_five_thousand_clusters_costs_what_one_of_ten_does()
    {
        long few = CostOfOne(10), many = CostOfOne(5_000);
        Assert.InRange(many, 1, few + (few / 10) + 200);
        Assert.True(many < 20_000, $"{many} bytes");
    }

    [Fact]
    public void Hash_tables_are_made_by_who_publishes_and_only_read_by_workers()
    {
        (ClusterDirectory directory, MemoryNetwork network) =
            With(1, new BalancerOptions { Kind = BalancerKind.Maglev, TableSize = 65537 });
        var worker = new Worker(0, network.AddHost("worker", Address.V4(2, 0)).AddLoop());
        WorkerUpstreams upstreams = new Upstreams(directory, [worker])[worker];
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.NotNull(upstreams.Of(directory.Handle("outbound|80||svc-0")));
        // A table of 65,537 places is half a megabyte.
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 50_000);
    }
}
