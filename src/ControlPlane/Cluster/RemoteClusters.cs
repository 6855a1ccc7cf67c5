using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;
using Lateen.Config.Sources.Kubernetes;
using Lateen.Config.Sources.Kubernetes.Access;
using Lateen.Config.Store;
using Lateen.ControlPlane.Hosting;

namespace Lateen.ControlPlane.Cluster;

/// <summary>Other clusters of the mesh: each a kubeconfig in a Secret of the root namespace, labelled `istio/multiCluster: "true"`, under
/// the cluster's name. They give services and workloads, no configuration.</summary>
/// <remarks>
/// A kubeconfig out of a secret may not run programs, read files of this machine or skip checks, unless the installation names the option
/// in PILOT_INSECURE_MULTICLUSTER_KUBECONFIG_OPTIONS: whoever may write secrets is not whoever runs this process.
/// </remarks>
public sealed class RemoteClusters : IAsyncDisposable
{
    private const string Label = "istio/multiCluster";
    private const string InsecureOptions = "PILOT_INSECURE_MULTICLUSTER_KUBECONFIG_OPTIONS";

    private sealed record Named(string Secret, string Text);

    private sealed record Remote(string Text, ApiClient Client, KubernetesSource Source) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await Source.DisposeAsync();
            Client.Dispose();
        }
    }

    private readonly ControlPlaneOptions _options;
    private readonly ResourceStore _store;
    private readonly WriterLoop _loop;
    private readonly TimeProvider _time;
    private readonly Action<string> _say;
    private readonly Func<ClusterAccess, ApiClient> _open;
    private readonly Dictionary<string, Remote> _remotes = [];
    private readonly Dictionary<string, string> _refused = [];
    private readonly SemaphoreSlim _one = new(1, 1);

    /// <summary>Begins to follow the secrets of a store.</summary>
    /// <param name="options">The root namespace, and what kubeconfigs may hold.</param>
    /// <param name="store">Where the secrets are.</param>
    /// <param name="loop">Hears of what the clusters have.</param>
    /// <param name="time">The clock.</param>
    /// <param name="say">Takes a line for the log.</param>
    /// <param name="open">Makes a client; for tests.</param>
    public RemoteClusters(ControlPlaneOptions options, ResourceStore store, WriterLoop loop, TimeProvider time, Action<string> say,
        Func<ClusterAccess, ApiClient>? open = null)
    {
        (_options, _store, _loop, _time, _say) = (options, store, loop, time, say);
        _open = open ?? ApiClient.Open;
        store.Changed += OnChanged;
    }

    /// <summary>Clusters that are followed.</summary>
    public IReadOnlyCollection<string> Names => _remotes.Keys;

    /// <summary>Joins the clusters that are named now and waits until they have told what they have, as long as patience lasts: a restart
    /// must not make endpoints vanish for a while.</summary>
    public async Task StartAsync(TimeSpan patience, CancellationToken cancel)
    {
        await FollowAsync();
        foreach ((string name, Remote remote) in _remotes.ToArray())
        {
            using var bounded = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            bounded.CancelAfter(patience);
            await remote.Source.Synced.WaitAsync(bounded.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancel.ThrowIfCancellationRequested();
            if (!remote.Source.Synced.IsCompletedSuccessfully)
                _say($"warn\tclusters\tcluster {name} has not told what it has within {patience.TotalSeconds:0} s; going on without it");
        }
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        _store.Changed -= OnChanged;
        await _one.WaitAsync();
        foreach (Remote remote in _remotes.Values) await remote.DisposeAsync();
        _remotes.Clear();
    }

    private void OnChanged(StoreChange change)
    {
        if (change.Keys.Any(key => key.Kind == Kinds.Secret && key.Namespace == _options.RootNamespace)) _ = FollowAsync();
    }

    private async Task FollowAsync()
    {
        await _one.WaitAsync();
        try
        {
            Dictionary<string, Named> wanted = Wanted();
            foreach (string gone in _remotes.Keys.Concat(_refused.Keys).Where(name => !wanted.ContainsKey(name)).Distinct().ToArray())
                await LeaveAsync(gone);
            foreach ((string name, Named named) in wanted)
            {
                if (_remotes.GetValueOrDefault(name)?.Text != named.Text && _refused.GetValueOrDefault(name) != named.Text)
                    await JoinAsync(name, named);
            }
        }
        finally
        {
            _one.Release();
        }
    }

    // Of two secrets that name one cluster the first by name counts.
    private Dictionary<string, Named> Wanted()
    {
        var wanted = new Dictionary<string, Named>();
        foreach (Resource<Kubernetes.Core.V1.Secret> secret in _store.Current.In(Kinds.Secret, _options.RootNamespace)
            .Where(secret => secret.Labels.GetValueOrDefault(Label) == "true").OrderBy(secret => secret.Name, StringComparer.Ordinal))
        {
            foreach ((string name, Google.Protobuf.ByteString bytes) in secret.Spec.Data)
            {
                if (name == _options.ClusterId) _say($"warn\tclusters\tsecret {secret.Name} names the cluster {name}, which is this one");
                else if (!wanted.TryAdd(name, new($"{secret.Namespace}/{secret.Name}", bytes.ToStringUtf8())))
                    _say($"warn\tclusters\tsecret {secret.Name} names the cluster {name}, which another one names already");
            }
        }
        return wanted;
    }

    // A kubeconfig that can't be used takes nothing away: who rotates badly keeps what was there.
    private async Task JoinAsync(string name, Named named)
    {
        var found = new DiagnosticBag();
        if (new KubeConfigReader(_time).Read(named.Text, $"the kubeconfig of {name}", null, Allowed(), found) is not { } access)
        {
            _refused[name] = named.Text;
            string why = string.Join("; ", found.Where(mistake => mistake.IsError).Select(mistake => mistake.Text));
            bool isFollowed = _remotes.ContainsKey(name);
            _say($"error\tclusters\tsecret {named.Secret}: cluster {name} is "
                + $"{(isFollowed ? "followed with the kubeconfig that it had" : "left out")}: {why}");
            if (!isFollowed) Tell(name, named.Secret, "left out: " + why);
            return;
        }
        _refused.Remove(name);
        // With a new kubeconfig it is the same cluster: what it had stays until the new one has told what it has.
        if (_remotes.Remove(name, out Remote? former)) await former.DisposeAsync();
        ApiClient client = _open(access);
        var held = new ResourceStore(_ => [], _time);
        held.Changed += change => _ = _loop.PostAsync((control, now) => control.SetRemote(name, change.After, now)).AsTask();
        var wanted = new KubernetesSourceOptions
        {
            Server = $"cluster {name} ({access.Server.Authority})",
            Kinds = KubernetesSourceOptions.WorkloadKinds,
        };
        var source = new KubernetesSource(client, wanted, held, _time, Random.Shared, _say);
        _remotes[name] = new Remote(named.Text, client, source);
        Tell(name, named.Secret, "syncing");
        _ = source.Synced.ContinueWith(_ => Tell(name, named.Secret, "synced"), CancellationToken.None,
            TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
        _say($"info\tclusters\tcluster {name} at {access.Server.Authority} is followed");
    }

    private async Task LeaveAsync(string name)
    {
        _refused.Remove(name);
        if (_remotes.Remove(name, out Remote? remote)) await remote.DisposeAsync();
        await _loop.PostAsync((control, now) => control.SetRemote(name, null, now));
        _say($"info\tclusters\tcluster {name} is no longer followed");
    }

    private void Tell(string name, string secret, string status) =>
        _ = _loop.PostAsync((control, _) => control.NoteRemote(name, new RemoteState(secret, status))).AsTask();

    private KubeConfigReader.Allow Allowed()
    {
        string[] named = _options.Environment.GetValueOrDefault(InsecureOptions, "")
            .Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var allowed = KubeConfigReader.Allow.Proxy;
        foreach (string option in named)
        {
            allowed |= option switch
            {
                "exec" => KubeConfigReader.Allow.Exec,
                "insecureSkipTLSVerify" => KubeConfigReader.Allow.Insecure,
                "tokenFile" or "clientCertificate" or "clientKey" or "certificateAuthority" => KubeConfigReader.Allow.Files,
                _ => KubeConfigReader.Allow.None,
            };
        }
        return allowed;
    }
}
