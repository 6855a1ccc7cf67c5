// Cluster: what a control plane does in and for a Kubernetes cluster, beside taking configuration from it: it writes status back, runs what
// Gateways need, keeps the authority's keys, and among several replicas one leads. Config/Sources/Kubernetes has the client and the source;
// here stands who uses them, and when.
//
// Nothing of this is needed to serve proxies: without an API server the mesh goes on with what it knows. All writes are the leader's, each
// at most once for a state, at a bounded rate. No state is kept here that a restart would lose.
using System.Globalization;
using System.Text.Json;
using Lateen.Citadel.Authorities;
using Lateen.Config.Sources.Kubernetes;
using Lateen.Config.Sources.Kubernetes.Access;
using Lateen.Config.Store;
using Lateen.ControlPlane.Cluster.Gateways;
using Lateen.ControlPlane.Hosting;
using Lateen.ControlPlane.Operator;
using Lateen.Pilot.Meaning;

namespace Lateen.ControlPlane.Cluster;

/// <summary>The API server that configuration comes from.</summary>
public sealed class ClusterConnection : IAsyncDisposable
{
    // Istio's names, so that an istiod of the same revision and this never write both.
    private const string StatusLease = "istio-gateway-status-leader-", DeploymentLease = "istio-gateway-deployment-";
    private const string NamespaceLock = "istio-namespace-controller-election", AddressLock = "istio-ip-autoallocate",
        IngressLock = "istio-leader";

    private static readonly TimeSpan RemotePatience = TimeSpan.FromSeconds(30), LookAgain = TimeSpan.FromMinutes(1);

    private readonly ControlPlaneOptions _options;
    private readonly KubernetesSource _source;
    private readonly TimeProvider _time;
    private readonly Action<string> _say;
    private ResourceStore? _store;
    private LedWrites? _status;
    private LedWrites? _deployments;
    private LedWrites? _namespaces;
    private LedWrites? _addresses;
    private LedWrites? _ingresses;
    private DeployedGateways? _gateways;
    private AuthoritySecret? _secret;
    private Authority? _authority;
    private ITimer? _again;
    private WebhookRegistration? _registration;
    private RemoteClusters? _remotes;

    private ClusterConnection(ApiClient client, KubernetesSource source, ControlPlaneOptions options, TimeProvider time,
        Action<string> say) =>
        (Client, _source, _options, _time, _say) = (client, source, options, time, say);

    /// <summary>Requests to it.</summary>
    public ApiClient Client { get; }

    /// <summary>Faults when following the cluster broke down.</summary>
    public Task Completion => _source.Completion;

    /// <summary>Whether this replica writes status.</summary>
    public bool IsLeader => _status?.IsLeader == true;

    /// <summary>Connects, and waits until everything that the mesh reads is in the store, however long that takes.</summary>
    public static async Task<ClusterConnection> OpenAsync(ClusterAccess access, ControlPlaneOptions options, ResourceStore store,
        TimeProvider time, Action<string> say, CancellationToken cancel)
    {
        string server = $"the API server {access.Server.Authority} ({access.Name})";
        say($"info\tkube\treading from {server}");
        return await OpenAsync(ApiClient.Open(access), server, options, store, time, say, cancel);
    }

    /// <summary>The same with a client that is there already.</summary>
    public static async Task<ClusterConnection> OpenAsync(ApiClient client, string server, ControlPlaneOptions options, ResourceStore store,
        TimeProvider time, Action<string> say, CancellationToken cancel)
    {
        var source = new KubernetesSource(client, new KubernetesSourceOptions { Server = server, Revision = options.Revision }, store, time,
            Random.Shared, say);
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

    /// <summary>Brings the keys that all replicas share into the folder of this replica's authority; nothing where an administrator plugged
    /// keys in.</summary>
    /// <exception cref="IOException">The shared keys can't be used.</exception>
    public async Task ShareKeysAsync(string folder, string trustDomain, AuthorityOptions bounds, CancellationToken cancel)
    {
        if (new KeyFolder(_options.AuthorityFolder).HasKeys) return;
        _secret = await AuthoritySecret.OpenAsync(new ClusterObjects(Client, _time), _options.RootNamespace, new KeyFolder(folder),
            trustDomain, bounds, _say, cancel);
    }

    /// <summary>True where the authority's keys are those of all replicas, so that none may renew them for itself.</summary>
    public bool SharesKeys => _secret is not null;

    /// <summary>Takes part in the elections, and writes after each compilation while this leads.</summary>
    /// <param name="loop">The control loop.</param>
    /// <param name="store">What is read.</param>
    /// <param name="signing">The authority whose certificates pods are told.</param>
    /// <param name="cancel">Ends the wait.</param>
    public async Task WriteAsync(WriterLoop loop, ResourceStore store, Authority signing, CancellationToken cancel)
    {
        _authority = signing;
        _gateways = new DeployedGateways(_options, await VersionAsync(cancel), _say);
        _store = store;
        _status = Led(new LeaseLock(_options.RootNamespace, StatusLease + Revision),
            () => _ = loop.PostAsync((now, _) => WishStatus(now)).AsTask());
        _deployments = Led(new LeaseLock(_options.RootNamespace, DeploymentLease + Revision), () => Again(loop));
        _namespaces = Led(new ConfigMapLock(_options.RootNamespace, NamespaceLock, Revision), () => Again(loop));
        _addresses = Led(new ConfigMapLock(_options.RootNamespace, AddressLock, Revision), () => Again(loop));
        _ingresses = Led(new ConfigMapLock(_options.RootNamespace, IngressLock, Revision), () => Again(loop));
        _secret?.Follow(store, () => IsLeader, _time);
        signing.Replaced += _ => Again(loop);
        _again = _time.CreateTimer(_ => Again(loop), null, LookAgain, LookAgain);
        await loop.PostAsync((control, _) => control.Compiled += () => Wish(control), cancel);
    }

    /// <summary>Follows the other clusters that secrets name; returns when they have told what they have, or after half a minute.</summary>
    public Task JoinOthersAsync(WriterLoop loop, ResourceStore store, CancellationToken cancel)
    {
        _remotes = new RemoteClusters(_options, store, loop, _time, _say);
        return _remotes.StartAsync(new Features(_options.Environment).Duration("PILOT_REMOTE_CLUSTER_TIMEOUT", RemotePatience), cancel);
    }

    /// <summary>Keeps the webhooks' registrations right.</summary>
    /// <param name="roots">The authority's certificates as they are now, PEM.</param>
    public void Register(Func<string> roots) =>
        _registration = new WebhookRegistration(Client, Revision, _options.RootNamespace, roots, () => IsLeader, _time, _say);

    /// <summary>Stops writing, and lets another replica lead at once.</summary>
    public async Task ResignAsync()
    {
        if (_again is not null) await _again.DisposeAsync();
        _secret?.Dispose();
        LedWrites?[] all = [_ingresses, _addresses, _namespaces, _deployments, _status];
        (_ingresses, _addresses, _namespaces, _deployments, _status) = (null, null, null, null, null);
        foreach (LedWrites? led in all)
            if (led is not null) await led.DisposeAsync();
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        await ResignAsync();
        if (_registration is not null) await _registration.DisposeAsync();
        if (_remotes is not null) await _remotes.DisposeAsync();
        await _source.DisposeAsync();
        Client.Dispose();
    }

    private string Revision => _options.Revision.Length == 0 ? Revisions.Default : _options.Revision;

    private LedWrites Led(ElectionLock about, Action won) => new(Client, _options.Instance, about, won, _time, _say, Yields);

    // Who holds a lock that all revisions share makes way for the revision that the tag `default` names.
    private bool Yields(ElectionRecord leader) =>
        leader.Revision.Length > 0 && leader.Revision != Revision && Revisions.DefaultOf(_store!.Current) == Revision;

    private void Wish(ControlLoop loop)
    {
        WishStatus(loop);
        WishDeployments(loop);
        WishAcrossRevisions(loop);
    }

    // What all revisions of a mesh would write alike.
    private void WishAcrossRevisions(ControlLoop loop)
    {
        if (loop.Hub.Snapshot is not { } snapshot) return;
        ResourceView view = loop.Configuration.View;
        if (_namespaces?.IsLeader == true) _namespaces.Wish(NamespaceTrust.Of(view, snapshot, _authority!.Bundle.RootsPem));
        if (_addresses?.IsLeader == true) _addresses.Wish(AllocatedStatus.Of(view, snapshot));
        if (_ingresses?.IsLeader == true) _ingresses.Wish(IngressStatuses.Of(view, snapshot));
    }

    private void WishStatus(ControlLoop loop)
    {
        if (!IsLeader) return;
        Configuration written = loop.Configuration;
        _status?.Wish(StatusWish.Of(written.View, written.GatewayApiStatuses(), written.FindingsNow()));
    }

    private void WishDeployments(ControlLoop loop)
    {
        if (_deployments?.IsLeader != true || loop.Hub.Snapshot is not { } snapshot) return;
        ResourceView view = loop.Configuration.View;
        _deployments.Wish(ClassWish.Of(view, snapshot.Settings.Features));
        _deployments.Wish(_gateways!.Wishes(view, snapshot, loop.Configuration.GatewayApiStatuses()));
    }

    // What was written may have been deleted by somebody.
    private void Again(WriterLoop loop) => _ = loop.PostAsync((control, _) =>
    {
        _gateways!.Forget();
        WishDeployments(control);
        WishAcrossRevisions(control);
    }).AsTask();

    // 128 for 1.28; a server that does not say is taken for a new one.
    private async Task<int> VersionAsync(CancellationToken cancel)
    {
        ApiResult<JsonDocument> read = await Client.GetAsync("/version", cancel);
        using JsonDocument? version = read.Value;
        string minor = version is not null && version.RootElement.TryGetProperty("minor", out JsonElement told)
            ? told.GetString() ?? "" : "";
        return int.TryParse(string.Concat(minor.TakeWhile(char.IsAsciiDigit)), CultureInfo.InvariantCulture, out int number)
            ? 100 + number : 128;
    }
}
