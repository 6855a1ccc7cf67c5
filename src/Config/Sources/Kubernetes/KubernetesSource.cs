using System.Threading.Channels;
using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;
using Lateen.Config.Sources.Kubernetes.Watching;
using Lateen.Config.Store;

namespace Lateen.Config.Sources.Kubernetes;

/// <summary>Follows the kinds of one API server and brings them into a store: everything in one change when all is known, then what
/// changes.</summary>
public sealed class KubernetesSource : IAsyncDisposable
{
    // Watches that are faster than the store wait here; the server holds the rest back.
    private const int WaitingMax = 1024;

    private readonly KubernetesSourceOptions _options;
    private readonly ResourceStore _store;
    private readonly Action<string> _say;
    private readonly ApiObjectDecoder _decoder = new(ResourceOrigin.FromCluster);
    private readonly RevisionFilter _revision;
    private readonly Channel<KindNews> _news =
        Channel.CreateBounded<KindNews>(new BoundedChannelOptions(WaitingMax) { SingleReader = true });
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _synced = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly HashSet<ResourceKind> _unsynced;
    private readonly Dictionary<ResourceKey, IReadOnlyList<Diagnostic>> _unreadable = [];
    private readonly Dictionary<ResourceKey, Resource> _put = [];
    private readonly Dictionary<ResourceKey, HeldResource> _held = [];
    private readonly HashSet<ResourceKey> _deleted = [];
    private readonly Task _running;

    /// <summary>Begins to follow.</summary>
    /// <param name="client">The server.</param>
    /// <param name="options">What is taken from it.</param>
    /// <param name="store">Where it goes.</param>
    /// <param name="time">The clock of waits.</param>
    /// <param name="chance">Spreads retries.</param>
    /// <param name="say">Takes a line for the log; called by any thread.</param>
    public KubernetesSource(ApiClient client, KubernetesSourceOptions options, ResourceStore store, TimeProvider time, Random chance,
        Action<string> say)
    {
        (_options, _store, _say, _revision) = (options, store, say, new RevisionFilter(options.Revision));
        _unsynced = [.. options.Kinds];
        var resources = new ApiResources(client, time);
        var health = new ServerHealth(options.Server, time, say);
        var definitions = new DefinitionWatch(client, health, time, chance);
        var watchers = options.Kinds.Select(
            k => new KindWatcher(k, KubernetesSourceOptions.SelectorOf(k), client, resources, definitions, health, _news.Writer, time,
                chance).RunAsync(_stop.Token));
        _running = Task.WhenAll([definitions.RunAsync(_stop.Token), TakeAsync(_stop.Token), .. watchers]);
        // A watcher that broke down must not leave the rest running as if nothing were missing.
        _ = _running.ContinueWith(_ => _synced.TrySetException(_running.Exception!), CancellationToken.None,
            TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
    }

    /// <summary>Completes when everything that the server has is in the store.</summary>
    public Task Synced => _synced.Task;

    /// <summary>Faults when following broke down by a fault of ours.</summary>
    public Task Completion => _running;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task TakeAsync(CancellationToken stop)
    {
        while (await _news.Reader.WaitToReadAsync(stop).ConfigureAwait(false))
        {
            // All that waits becomes one change: a rollout of a thousand pods is not a thousand generations.
            for (var taken = 0; taken < WaitingMax && _news.Reader.TryRead(out var news); taken++) Take(news);
            if (_unsynced.Count == 0) Apply();
        }
    }

    private void Take(KindNews news)
    {
        foreach (var (ns, name) in news.Change.Deleted) Delete(new ResourceKey(news.Kind, ns, name));
        foreach (var found in news.Change.Put) Put(news.Served!, found);
        if (news.Change.IsList) _unsynced.Remove(news.Kind);
    }

    private void Put(ServedKind served, ApiObject found)
    {
        var key = new ResourceKey(served.Kind, found.Namespace, found.Name);
        var diagnostics = new DiagnosticBag();
        if (_decoder.Decode(served, found, diagnostics) is not { } resource)
        {
            if (!_unreadable.ContainsKey(key))
            {
                _say($"warn\tkube\t{key} cannot be read, its last good form stays in "
                    + $"force: {string.Join("; ", diagnostics.Where(d => d.IsError).Select(d => $"{d.Path}: {d.Text}"))}");
            }

            _unreadable[key] = [.. diagnostics];
            if (_decoder.Envelope(served, found) is { } envelope && _revision.Takes(envelope))
                _held[key] = new HeldResource(envelope, _unreadable[key]);
            return;
        }

        _unreadable.Remove(key);
        _held.Remove(key);
        if (_revision.Note(key, resource)) JudgeAgain();
        if (_revision.Takes(resource))
        {
            _put[key] = resource;
            _deleted.Remove(key);
        }
        else LeaveOut(key);
    }

    private void Delete(ResourceKey key)
    {
        _unreadable.Remove(key);
        _revision.Forget(key);
        LeaveOut(key);
        if (_revision.Note(key, null)) JudgeAgain();
    }

    private void LeaveOut(ResourceKey key)
    {
        _put.Remove(key);
        _held.Remove(key);
        _deleted.Add(key);
    }

    private void JudgeAgain()
    {
        foreach (var (resource, isOurs) in _revision.Judged())
        {
            if (isOurs)
            {
                _put[resource.Key] = resource;
                _deleted.Remove(resource.Key);
            }
            else LeaveOut(resource.Key);
        }
    }

    private void Apply()
    {
        if (_synced.Task.IsCompleted && _put.Count == 0 && _deleted.Count == 0 && _held.Count == 0) return;
        var result = _store.Apply(
            new ChangeSet
            {
                Put = [.. _put.Values],
                Delete = [.. _deleted],
                Unreadable = [.. _held.Values],
                Author = _options.Server,
                IsObserved = true,
            });
        _put.Clear();
        _held.Clear();
        _deleted.Clear();
        // What can't be read has been told.
        var told = _unreadable.Keys.Select(key => key.ToString()).ToHashSet();
        foreach (var held in result.Diagnostics.Where(d => d.Code == StoreCodes.HeldOut && !told.Contains(d.Resource)))
        {
            _say(
                $"warn\tkube\t{held.Resource} {held.Text}: {string.Join("; ", result.Diagnostics.Where(d => d.IsError && d.Resource == held.Resource).Select(d => $"{d.Path}: {d.Text}"))}");
        }

        if (_synced.TrySetResult())
            _say($"info\tkube\t{_options.Server}: {result.View.Count} objects of {_options.Kinds.Count} kinds are known");
    }
}
