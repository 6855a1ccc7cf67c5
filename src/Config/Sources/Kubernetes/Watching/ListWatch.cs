namespace Lateen.Config.Sources.Kubernetes.Watching;

/// <summary>What is to be done next to follow a kind.</summary>
public abstract record WatchStep
{
    /// <summary>Ask for a part of the list; an empty token for the first. Without pages when the server could not keep one list over
    /// several.</summary>
    public sealed record List(string Continue, bool InPages) : WatchStep;

    /// <summary>Watch from a version.</summary>
    public sealed record Watch(string Version) : WatchStep;

    /// <summary>Leave the server alone until then.</summary>
    public sealed record Wait(DateTimeOffset Until) : WatchStep;
}

/// <summary>What became known about a kind.</summary>
/// <param name="Put">New forms of objects.</param>
/// <param name="Deleted">Objects that are gone.</param>
/// <param name="IsList">It comes from a list that is complete.</param>
public sealed record KindChange(IReadOnlyList<ApiObject> Put, IReadOnlyList<(string Namespace, string Name)> Deleted, bool IsList);

/// <summary>
/// Follows one kind as a state machine: list all of it, watch from there, go on where a watch ended, list anew when the server has
/// forgotten that place. It does no input or output and reads no clock; whoever drives it asks <see cref="Next"/> and tells what came.
/// </summary>
/// <remarks>After any sequence of failures, and after an event told twice or out of date, the objects told are exactly those of the server,
/// once it answers.</remarks>
public sealed class ListWatch(Random chance)
{
    private const int OutageFailures = 3;
    private readonly Dictionary<(string Namespace, string Name), string> _known = [];
    private readonly Backoff _backoff = Backoff.Default(chance);
    private List<ApiObject>? _listing;
    private HashSet<(string Namespace, string Name)>? _listed;
    private string _continue = "";
    private bool _inPages = true;
    private string _version = "";
    private DateTimeOffset _waitUntil;
    private DateTimeOffset _watchingSince;
    private bool _watchSaidSomething;

    /// <summary>A whole list has been told.</summary>
    public bool HasSynced { get; private set; }

    /// <summary>Objects that are known.</summary>
    public int Count => _known.Count;

    public WatchStep Next(DateTimeOffset now)
    {
        if (now < _waitUntil) return new WatchStep.Wait(_waitUntil);
        if (_version.Length == 0) return new WatchStep.List(_continue, _inPages);
        (_watchingSince, _watchSaidSomething) = (now, false);
        return new WatchStep.Watch(_version);
    }

    /// <summary>A part of the list came. A first list is told part by part, since nobody acts on it before it is whole; a later one as one
    /// difference, when it is.</summary>
    public KindChange? Listed(ListPage page)
    {
        if (page.Continue.Length > 0)
        {
            _continue = page.Continue;
            if (HasSynced)
            {
                (_listing ??= []).AddRange(page.Items);
                return null;
            }

            (_listed ??= []).UnionWith(page.Items.Select(item => (item.Namespace, item.Name)));
            return new KindChange(New(page.Items), [], false);
        }

        var change = Difference(_listing is null ? page.Items : [.. _listing, .. page.Items]);
        (_listing, _listed, _continue, _inPages, _version, HasSynced) = (null, null, "", true, page.Version, true);
        return change;
    }

    /// <summary>A line of the watch came. Null when nothing changed by it.</summary>
    public KindChange? Told(WatchEvent said, DateTimeOffset now)
    {
        _watchSaidSomething = true;
        if (said.Failure is { } failure)
        {
            Failed(failure, now);
            return null;
        }

        _backoff.Succeeded();
        if (said.Version.Length > 0) _version = said.Version;
        return said.Kind switch
        {
            WatchEventKind.Put => Put(said.Object!),
            WatchEventKind.Deleted when _known.Remove((said.Object!.Namespace, said.Object.Name)) =>
                new KindChange([], [(said.Object.Namespace, said.Object.Name)], false),
            _ => null,
        };
    }

    /// <summary>The server ended the watch in order. One that ends at once, again and again, is treated as a failure.</summary>
    public void Ended(DateTimeOffset now)
    {
        if (!_watchSaidSomething && now - _watchingSince < TimeSpan.FromSeconds(1)) _waitUntil = now + _backoff.Next();
    }

    /// <summary>A request failed, or a watch broke.</summary>
    public void Failed(ApiFailure failure, DateTimeOffset now)
    {
        var isFirst = _backoff.Failures == 0;
        var wait = _backoff.Next();
        if (failure.IsGone)
        {
            // A list over several pages that was forgotten in between is asked for in one.
            _inPages = _continue.Length == 0;
            Forget();
            wait = isFirst ? TimeSpan.Zero : wait;
        }
        else if (_backoff.Failures >= OutageFailures)
        {
            // Who was away this long may come back from a backup, with versions that are behind ours and a watch that stays silent until
            // they are not.
            Forget();
        }

        _waitUntil = now + (failure.RetryAfter > wait ? failure.RetryAfter.Value : wait);
    }

    /// <summary>The kind is not there (any more): everything of it is gone, and it counts as known.</summary>
    public KindChange Absent()
    {
        Forget();
        HasSynced = true;
        return Difference([]);
    }

    private void Forget() => (_version, _listing, _listed, _continue) = ("", null, null, "");

    private KindChange? Put(ApiObject put)
    {
        var key = (put.Namespace, put.Name);
        if (_known.TryGetValue(key, out var version) && version == put.Version && version.Length > 0) return null;
        _known[key] = put.Version;
        return new KindChange([put], [], false);
    }

    private List<ApiObject> New(IReadOnlyList<ApiObject> items) => [.. items.Where(item => Put(item) is not null)];

    private KindChange Difference(IReadOnlyList<ApiObject> now)
    {
        var gone = _known.Keys.ToHashSet();
        if (_listed is not null) gone.ExceptWith(_listed);
        gone.ExceptWith(now.Select(item => (item.Namespace, item.Name)));
        foreach (var key in gone) _known.Remove(key);
        return new KindChange(New(now), [.. gone], true);
    }
}
