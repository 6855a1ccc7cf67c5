using System.Threading.Channels;
using Lateen.Config.Resources;

namespace Lateen.Config.Sources.Kubernetes.Watching;

/// <summary>What a watcher tells the source.</summary>
internal sealed record KindNews(ResourceKind Kind, ServedKind? Served, KindChange Change);

/// <summary>Follows one kind, also when its definition is installed later, replaced, or removed.</summary>
internal sealed class KindWatcher
{
    // A definition is served some seconds after it is told; after that, only a change of definitions makes a kind appear.
    private static readonly TimeSpan AskSoon = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan AskLater = TimeSpan.FromMinutes(1);
    private const int SoonTimes = 5;

    private readonly ResourceKind _kind;
    private readonly string _selector;
    private readonly ApiResources _resources;
    private readonly DefinitionWatch _definitions;
    private readonly ChannelWriter<KindNews> _news;
    private readonly ListWatch _machine;
    private readonly ApiFollower _follower;
    private readonly TimeProvider _time;
    private ServedKind? _served;

    public KindWatcher(ResourceKind kind, string selector, ApiClient client, ApiResources resources, DefinitionWatch definitions,
        ServerHealth health, ChannelWriter<KindNews> news, TimeProvider time, Random chance)
    {
        (_kind, _selector, _resources, _definitions, _news, _time) = (kind, selector, resources, definitions, news, time);
        _machine = new ListWatch(chance);
        _follower = new ApiFollower(client, _machine, time, chance, change => Tell(change), failure => Heard(health, failure));
    }

    public async Task RunAsync(CancellationToken stop)
    {
        for (var asked = 0; ; asked++)
        {
            var changed = _definitions.Changed;
            var found = await _resources.FindAsync(_kind, stop).ConfigureAwait(false);
            if (found.Failure is { } failure)
            {
                await _follower.FailedAsync(failure, stop).ConfigureAwait(false);
                continue;
            }

            if (found.Value is { } served)
            {
                _served = served;
                await _follower.UntilAbsentAsync(new FollowedPath(served.Path, _selector), stop).ConfigureAwait(false);
                asked = 0;
            }

            if (_served is null || _machine.Count > 0 || !_machine.HasSynced) await Tell(_machine.Absent()).ConfigureAwait(false);
            _served = null;
            await Task.WhenAny(changed, Task.Delay(asked < SoonTimes ? AskSoon : AskLater, _time, stop)).ConfigureAwait(false);
            stop.ThrowIfCancellationRequested();
            asked = changed.IsCompleted ? 0 : asked;
        }
    }

    private ValueTask Tell(KindChange change) => _news.WriteAsync(new KindNews(_kind, _served, change));

    /// <summary>A definition that this account may not read must not keep the mesh from starting; the cluster's own kinds may not be
    /// missing.</summary>
    private void Heard(ServerHealth health, ApiFailure? failure)
    {
        health.Heard(_kind.Plural, failure);
        if (failure is { IsForbidden: true } && !_machine.HasSynced && _kind.IsConfiguration)
            _news.TryWrite(new KindNews(_kind, null, _machine.Absent()));
    }
}

/// <summary>Watches the definitions of kinds by name, so that a kind that is installed is followed at once.</summary>
internal sealed class DefinitionWatch(ApiClient client, ServerHealth health, TimeProvider time, Random chance)
{
    private const string Path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    private volatile TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes at the next change.</summary>
    public Task Changed => _changed.Task;

    public async Task RunAsync(CancellationToken stop)
    {
        var follower = new ApiFollower(client, new ListWatch(chance), time, chance, _ => Tell(),
            failure => health.Heard("customresourcedefinitions", failure));
        while (true)
        {
            await follower.UntilAbsentAsync(new FollowedPath(Path, "", ApiClient.MetadataOnly), stop).ConfigureAwait(false);
            await Task.Delay(TimeSpan.FromMinutes(1), time, stop).ConfigureAwait(false);
        }
    }

    private ValueTask Tell()
    {
        var told = _changed;
        _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        told.SetResult();
        return ValueTask.CompletedTask;
    }
}
