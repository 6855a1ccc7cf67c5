// Cluster: what a control plane does in and for a Kubernetes cluster, beside taking configuration from it: it writes status back, and among
// several replicas one leads. Config/Sources/Kubernetes has the client and the source; here stands who uses them, and when.
//
// Nothing of this is needed to serve proxies: without an API server the mesh goes on with what it knows. All writes are the leader's, each at
// most once for a state, at a bounded rate. No state is kept here that a restart would lose.
using Lateen.Config.Sources.Kubernetes;
using Lateen.Config.Sources.Kubernetes.Access;
using Lateen.Config.Store;
using Lateen.ControlPlane.Hosting;

namespace Lateen.ControlPlane.Cluster;

/// <summary>The API server that configuration comes from.</summary>
public sealed class ClusterConnection : IAsyncDisposable
{
    // Istio's names, so that an istiod of the same revision and this never write both.
    private const string StatusLease = "istio-gateway-status-leader-";

    private static readonly TimeSpan RemotePatience = TimeSpan.FromSeconds(30);

    private readonly ControlPlaneOptions options;
    private readonly KubernetesSource source;
    private readonly TimeProvider time;
    private readonly Action<string> say;
    private LeaseElection? election;
    private StatusWriter? writer;
    private WebhookRegistration? registration;
    private RemoteClusters? remotes;

    private ClusterConnection(ApiClient client, KubernetesSource source, ControlPlaneOptions options, TimeProvider time, Action<string> say) =>
        (Client, this.source, this.options, this.time, this.say) = (client, source, options, time, say);

    /// <summary>Requests to it.</summary>
    public ApiClient Client { get; }

    /// <summary>Faults when following the cluster broke down.</summary>
    public Task Completion => source.Completion;

    /// <summary>Whether this replica writes status.</summary>
    public bool IsLeader => election?.IsLeader == true;

    /// <summary>Connects, and waits until everything that the mesh reads is in the store, however long that takes.</summary>
    public static async Task<ClusterConnection> OpenAsync(ClusterAccess access, ControlPlaneOptions options, ResourceStore store, TimeProvider time, Action<string> say, CancellationToken cancel)
    {
        string server = $"the API server {access.Server.Authority} ({access.Name})";
        say($"info\tkube\treading from {server}");
        return await OpenAsync(ApiClient.Open(access), server, options, store, time, say, cancel);
    }

    /// <summary>The same with a client that is there already.</summary>
    public static async Task<ClusterConnection> OpenAsync(ApiClient client, string server, ControlPlaneOptions options, ResourceStore store, TimeProvider time, Action<string> say, CancellationToken cancel)
    {
        var source = new KubernetesSource(client, new KubernetesSourceOptions { Server = server, Revision = options.Revision }, store, time, Random.Shared, say);
        var connection = new ClusterConnection(client, source, options, time, say);
        try
        {
            await source.Synced.WaitAsync(cancel);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>Takes part in the election, and writes status after each compilation while this leads.</summary>
    public void WriteStatus(WriterLoop loop)
    {
        var won = new LeaseElection(Client, options.RootNamespace, StatusLease + Revision, options.Instance, time, say);
        writer = new StatusWriter(Client, () => won.IsLeader, time, say);
        won.Won += () => _ = loop.PostAsync((now, _) => Wish(now)).AsTask();
        _ = loop.PostAsync((control, _) => control.Compiled += () => Wish(control)).AsTask();
        election = won;
    }

    /// <summary>Follows the other clusters that secrets name; returns when they have told what they have, or after half a minute.</summary>
    public Task JoinOthersAsync(WriterLoop loop, ResourceStore store, CancellationToken cancel)
    {
        remotes = new RemoteClusters(options, store, loop, time, say);
        return remotes.StartAsync(RemotePatience, cancel);
    }

    /// <summary>Keeps the webhooks' registration right.</summary>
    /// <param name="roots">The authority's certificates as they are now, PEM.</param>
    public void Register(Func<string> roots) => registration = new WebhookRegistration(Client, Revision, options.RootNamespace, roots, () => IsLeader, time, say);

    /// <summary>Stops writing, and lets another replica lead at once.</summary>
    public async Task ResignAsync()
    {
        if (writer is not null) await writer.DisposeAsync();
        if (election is not null) await election.DisposeAsync();
        (writer, election) = (null, null);
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        await ResignAsync();
        if (registration is not null) await registration.DisposeAsync();
        if (remotes is not null) await remotes.DisposeAsync();
        await source.DisposeAsync();
        Client.Dispose();
    }

    private string Revision => options.Revision.Length == 0 ? "default" : options.Revision;

    private void Wish(ControlLoop loop)
    {
        if (election?.IsLeader == true) writer?.Wish([.. StatusWish.Of(loop.Configuration.View, loop.Configuration.GatewayApiStatuses())]);
    }
}
