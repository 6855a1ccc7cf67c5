using System.Collections.Concurrent;
using Lateen.Config.Sources.Kubernetes;
using Lateen.ControlPlane.Cluster;
using Lateen.Test.Rigs.Clusters;
using Xunit;

namespace Lateen.Test.Unit.ControlPlane.Cluster;

public sealed class LeaseElectionTests : IAsyncDisposable
{
    private const string Leases = "/apis/coordination.k8s.io/v1/leases";
    private readonly MemoryApiServer _server = new();
    // 15 s to renew within are 150 ms here: a busy machine must not lose the lease.
    private readonly FastTime _time = new(100);
    private readonly ConcurrentQueue<string> _said = [];
    private readonly List<LeaseElection> _replicas = [];

    public LeaseElectionTests() => _server.Serve(Leases);

    public async ValueTask DisposeAsync()
    {
        foreach (LeaseElection replica in _replicas) await replica.DisposeAsync();
    }

    private LeaseElection Replica(string name)
    {
        var replica = new LeaseElection(new ApiClient(_server, MemoryApiServer.Address), new LeaseLock("istio-system", "lock"), name, _time,
            _said.Enqueue);
        _replicas.Add(replica);
        return replica;
    }

    private string Holder => (string?)_server.Get(Leases, "istio-system", "lock")?["spec"]?["holderIdentity"] ?? "";

    private async Task UntilAsync(Func<bool> condition, string what)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(1));
        for (DateTime until = DateTime.UtcNow.AddSeconds(20); !condition(); await timer.WaitForNextTickAsync())
            Assert.True(DateTime.UtcNow < until, $"{what}; said was {string.Join('\n', _said)}");
    }

    [Fact]
    public async Task One_of_several_leads_and_another_follows_at_once_when_it_leaves()
    {
        LeaseElection first = Replica("one");
        await UntilAsync(() => first.IsLeader, "the first leads");
        LeaseElection second = Replica("two"), third = Replica("three");
        Assert.False(second.IsLeader || third.IsLeader);
        _replicas.Remove(first);
        await first.DisposeAsync();
        DateTimeOffset left = _time.GetUtcNow();
        await UntilAsync(() => second.IsLeader || third.IsLeader, "another leads");
        Assert.False(second.IsLeader && third.IsLeader);
        Assert.Contains(Holder, new[] { "two", "three" });
    }

    [Fact]
    public async Task Who_cannot_renew_stops_before_another_may_lead()
    {
        LeaseElection first = Replica("one");
        await UntilAsync(() => first.IsLeader, "the first leads");
        _server.GoAway();
        await UntilAsync(() => !first.IsLeader, "it stops");
        Assert.Contains(_said, line => line.Contains("one leads", StringComparison.Ordinal));
        await UntilAsync(() => _said.Any(line => line.Contains("lock lost", StringComparison.Ordinal)), "and says so");
        _server.Return();
        await UntilAsync(() => first.IsLeader, "it leads again");
    }

    [Fact]
    public async Task A_lease_whose_holder_is_dead_runs_out()
    {
        LeaseElection dead = Replica("dead");
        await UntilAsync(() => dead.IsLeader, "it leads");
        _replicas.Remove(dead);
        // As with kill -9: nothing is let go of.
        _server.GoAway();
        await dead.DisposeAsync();
        _server.Return();
        Assert.Equal("dead", Holder);
        LeaseElection heir = Replica("heir");
        await UntilAsync(() => heir.IsLeader, "the heir leads");
        Assert.Equal(("heir", 1), (Holder, (int)_server.Get(Leases, "istio-system", "lock")!["spec"]!["leaseTransitions"]!));
    }
}
