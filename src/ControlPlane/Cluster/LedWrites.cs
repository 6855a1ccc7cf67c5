using Lateen.Config.Sources.Kubernetes;

namespace Lateen.ControlPlane.Cluster;

/// <summary>One kind of writing that one of all replicas does: the lease by which it is chosen, and its writer.</summary>
public sealed class LedWrites : IAsyncDisposable
{
    private readonly LeaseElection election;
    private readonly ClusterWriter writer;

    /// <summary>Takes part in the election.</summary>
    /// <param name="client">The API server.</param>
    /// <param name="options">The replica, and where leases lie.</param>
    /// <param name="lease">The lease.</param>
    /// <param name="won">Called when this replica leads from now on, by any thread.</param>
    /// <param name="time">The clock.</param>
    /// <param name="say">Takes a line for the log.</param>
    public LedWrites(ApiClient client, ControlPlaneOptions options, string lease, Action won, TimeProvider time, Action<string> say)
    {
        var election = new LeaseElection(client, options.RootNamespace, lease, options.Instance, time, say);
        (this.election, writer) = (election, new ClusterWriter(client, () => election.IsLeader, time, say));
        election.Won += won;
    }

    /// <summary>Whether this replica writes.</summary>
    public bool IsLeader => election.IsLeader;

    /// <summary>Takes wishes; never waits.</summary>
    public void Wish(IEnumerable<ClusterWish> wishes) => writer.Wish(wishes);

    /// <summary>Stops writing, then lets another replica lead at once.</summary>
    public async ValueTask DisposeAsync()
    {
        await writer.DisposeAsync();
        await election.DisposeAsync();
    }
}
