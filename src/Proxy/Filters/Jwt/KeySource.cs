using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Proxy.Statistics;
using Lateen.Proxy.Upstream.Calls;

namespace Lateen.Proxy.Filters.Jwt;

/// <summary>Who waits for keys.</summary>
public abstract class KeyWaiter
{
    /// <summary>They are there, or (null) could not be had. On the worker that asked.</summary>
    public abstract void OnKeys(KeySource source, KeySet? keys);
}

/// <summary>
/// A server of keys. What it gave is shared by all workers until it is too old; each worker asks by itself, at most once at a time for all
/// of its requests. With <paramref name="refetch"/> one worker asks at the start and before the keys are too old, so that requests seldom
/// wait.
/// </summary>
/// <param name="target">The server's cluster.</param>
/// <param name="authority">The :authority.</param>
/// <param name="path">The path.</param>
/// <param name="cacheMicros">How long keys hold.</param>
/// <param name="refetch">Keys are fetched ahead.</param>
/// <param name="failedMicros">The wait after a failed fetch ahead.</param>
/// <param name="stats">Where fetches are counted; null for nowhere.</param>
public sealed class KeySource(SideTarget target, string authority, string path, long cacheMicros, bool refetch, long failedMicros,
    StatGroup? stats = null)
{
    private const long AheadMicros = 5_000_000;

    private readonly Fetch?[] _fetches = new Fetch?[target.Upstreams.Directory.Workers];
    private volatile Kept? _kept;

    private sealed record Kept(KeySet Keys, long Until);

    /// <summary>The keys that hold; null where there are none or they are too old.</summary>
    public KeySet? Current(long now) => _kept is { } kept && now < kept.Until ? kept.Keys : null;

    /// <summary>Asks the server; the waiter hears of it on a later turn.</summary>
    public void Ask(Worker worker, KeyWaiter waiter) => (_fetches[worker.Index] ??= new Fetch(this, worker)).Add(waiter);

    /// <summary>The waiter waits no more.</summary>
    public void Forget(Worker worker, KeyWaiter waiter) => _fetches[worker.Index]?.Remove(waiter);

    /// <summary>Begins to fetch ahead, where that is asked for. Any thread.</summary>
    public void Start(Worker worker)
    {
        if (refetch)
            worker.Loop.Post(new Ahead(this, worker));
    }

    private KeySet? Take(SideCall call, Worker worker)
    {
        KeySet? keys = call.Status == 200 ? KeySet.Parse(call.ResponseBody) : null;
        Count(worker, keys is null ? JwtCounter.JwksFetchFailed : JwtCounter.JwksFetchSuccess);
        if (keys is not null)
            _kept = new Kept(keys, worker.Loop.Now + cacheMicros);
        return keys;
    }

    private void Count(Worker worker, JwtCounter counter) => stats?.Of(worker.Index).Count((int)counter);

    private sealed class Fetch : SideCallReceiver
    {
        private readonly KeySource _source;
        private readonly Worker _worker;
        private readonly SideCall _call;
        private readonly List<KeyWaiter> _waiters = [];

        public Fetch(KeySource source, Worker worker)
        {
            _source = source;
            _worker = worker;
            _call = new SideCall(this);
        }

        public void Add(KeyWaiter waiter)
        {
            _waiters.Add(waiter);
            if (!_call.IsRunning)
                _source.Begin(_call, _worker);
        }

        public void Remove(KeyWaiter waiter) => _waiters.Remove(waiter);

        public override void OnAnswer(SideCall call) => Tell(_source.Take(call, _worker));

        public override void OnFailed(SideCall call, UpstreamCause cause)
        {
            _source.Count(_worker, JwtCounter.JwksFetchFailed);
            Tell(null);
        }

        // Waiters that come while others are told wait for the next fetch.
        private void Tell(KeySet? keys)
        {
            KeyWaiter[] waiting = [.. _waiters];
            _waiters.Clear();
            foreach (KeyWaiter waiter in waiting)
                waiter.OnKeys(_source, keys);
        }
    }

    private void Begin(SideCall call, Worker worker)
    {
        call.Clear();
        call.RequestHead.Add(KnownHeader.Method, "GET"u8);
        call.RequestHead.Add(KnownHeader.Path, System.Text.Encoding.UTF8.GetBytes(path));
        call.RequestHead.Add(KnownHeader.Authority, System.Text.Encoding.UTF8.GetBytes(authority));
        // Some identity providers answer only what looks like a program of this kind (Envoy's name for it).
        call.RequestHead.Add(KnownHeader.UserAgent, "Go-browser"u8);
        call.Begin(worker, target);
    }

    // Holds its source weakly: a configuration that is gone ends its fetches.
    private sealed class Ahead(KeySource source, Worker worker) : Letter
    {
        protected internal override void Deliver() => new AheadWaiter(new WeakReference<KeySource>(source), worker).Ask();
    }

    private sealed class AheadWaiter(WeakReference<KeySource> source, Worker worker) : KeyWaiter
    {
        public void Ask()
        {
            if (source.TryGetTarget(out KeySource? alive))
                alive.Ask(worker, this);
        }

        public override void OnKeys(KeySource asked, KeySet? keys) =>
            worker.Loop.Arm(new Again(this),
                keys is null ? asked.FailedMicros : Math.Max(asked.CacheMicros - AheadMicros, Math.Min(asked.CacheMicros, 1_000_000)));
    }

    private long FailedMicros => failedMicros;

    private long CacheMicros => cacheMicros;

    private sealed class Again(AheadWaiter waiter) : Deadline
    {
        protected internal override void OnDue(long now) => waiter.Ask();
    }
}
