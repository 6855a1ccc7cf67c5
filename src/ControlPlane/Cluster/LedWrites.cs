using Lateen.Config.Sources.Kubernetes;

namespace Lateen.ControlPlane.Cluster;

/// <summary>One kind of writing that one of all replicas does: the election by which it is chosen, and its writer.</summary>
public sealed class LedWrites : IAsyncDisposable
{
    private readonly LeaseElection _election;
    private readonly ClusterWriter _writer;

    /// <summary>Takes part in the election.</summary>
    /// <param name="client">The API server.</param>
    /// <param name="instance">The replica.</param>
    /// <param name="about">The object that has the election's record.</param>
    /// <param name="won">Called when this replica leads from now on, by any thread.</param>
    /// <param name="time">The clock.</param>
    /// <param name="say">Takes a line for the log.</param>
    /// <param name="yields">Whether a leader, although it is alive, makes way for this replica; nobody does when null.</param>
    public LedWrites(ApiClient client, string instance, ElectionLock about, Action won, TimeProvider time, Action<string> say,
        Func<ElectionRecord, bool>? yields = null)
    {
        var election = new LeaseElection(client, about, instance, time, say, yields);
        (_election, _writer) = (election, new ClusterWriter(client, () => election.IsLeader, time, say));
        election.Won += won;
    }

    /// <summary>Whether this replica writes.</summary>
    public bool IsLeader => _election.IsLeader;

    /// <summary>Takes wishes; never waits.</summary>
    public void Wish(IEnumerable<ClusterWish> wishes) => _writer.Wish(wishes);

    /// <summary>Stops writing, then lets another replica lead at once.</summary>
    public async ValueTask DisposeAsync()
    {
        await _writer.DisposeAsync();
        await _election.DisposeAsync();
    }
}
