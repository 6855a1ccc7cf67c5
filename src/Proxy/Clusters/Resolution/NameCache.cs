using Lateen.Proxy.Net;

namespace Lateen.Proxy.Clusters.Resolution;

/// <summary>A cache of names that requests ask for (Envoy's DnsCacheConfig); filters and clusters that share it give the same
/// name.</summary>
public sealed record NameCacheOptions
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>How names are asked for.</summary>
    public DnsOptions Dns { get; init; } = DnsOptions.Default;

    /// <summary>Names at a time.</summary>
    public int NamesMax { get; init; } = 1024;

    /// <summary>Requests that wait for names at a time.</summary>
    public int WaitersMax { get; init; } = 1024;

    /// <summary>A name that was not asked for so long is forgotten, in microseconds.</summary>
    public long UnusedMicros { get; init; } = 300_000_000;

    /// <summary>The shortest time between two questions for a name, in microseconds, whatever its time to live says.</summary>
    public long RefreshMinMicros { get; init; } = 5_000_000;

    /// <summary>Limit of a question, in microseconds.</summary>
    public long QueryMicros { get; init; } = 5_000_000;

    /// <summary>Names that are asked for in advance.</summary>
    public IReadOnlyList<string> Early { get; init; } = [];
}

/// <summary>How far a name is.</summary>
public enum NameState : byte
{
    /// <summary>It is being asked for; the waiter will hear.</summary>
    Pending,

    /// <summary>It has an address.</summary>
    Known,

    /// <summary>It has none.</summary>
    Failed,

    /// <summary>The cache is full.</summary>
    Full,

    /// <summary>Too many wait.</summary>
    Crowded,
}

/// <summary>Who waits for a name. Embedded in who asks.</summary>
public abstract class NameWaiter
{
    /// <summary>The name in whose queue it stands; null for none.</summary>
    internal CachedName? Place { get; set; }

    /// <summary>The name is known or has failed. On the worker's turn, once.</summary>
    public abstract void OnResolved(CachedName name);

    /// <summary>Waits no longer; harmless where it does not.</summary>
    public void Cancel()
    {
        if (Place is { } place && place.Waiters.Remove(this))
            place.Left?.Invoke();
        Place = null;
    }
}

/// <summary>A name in a cache.</summary>
public sealed class CachedName
{
    /// <summary>In lower case.</summary>
    public required string Name { get; init; }

    /// <summary>How far it is.</summary>
    public NameState State { get; internal set; } = NameState.Pending;

    /// <summary>Its addresses, without ports; the first is used.</summary>
    public IReadOnlyList<Address> Addresses { get; internal set; } = [];

    /// <summary>Why it failed, in Envoy's words.</summary>
    public string Failure { get; internal set; } = "";

    internal List<NameWaiter> Waiters { get; } = [];

    /// <summary>Told when a waiter has left.</summary>
    internal Action? Left { get; init; }

    internal long UsedAt { get; set; }
}

/// <summary>One worker's caches of names, asked for when a request first names them and again when their time to live is over. Shares
/// nothing with other workers: each asks by itself.</summary>
public sealed class NameCache(EventLoop loop, Func<SystemNames> system)
{
    private readonly Dictionary<(string Cache, string Name), Entry> _names = [];
    private readonly Dictionary<string, int> _counts = new(StringComparer.Ordinal);
    private DnsResolver? _resolver;
    private int _waiting;

    /// <summary>Looks a name up, and begins to ask where it is new; the waiter hears where the state is
    /// <see cref="NameState.Pending"/>.</summary>
    public CachedName Load(NameCacheOptions options, string name, NameWaiter? waiter)
    {
        string key = name.TrimEnd('.').ToLowerInvariant();
        if (!_names.TryGetValue((options.Name, key), out Entry? entry))
        {
            if (_counts.GetValueOrDefault(options.Name) >= options.NamesMax)
                return new CachedName { Name = key, State = NameState.Full };
            if (waiter is not null && _waiting >= options.WaitersMax)
                return new CachedName { Name = key, State = NameState.Crowded };
            _counts[options.Name] = _counts.GetValueOrDefault(options.Name) + 1;
            _names[(options.Name, key)] = entry = new Entry(this, options, key);
            entry.Begin();
        }
        CachedName found = entry.Value;
        found.UsedAt = loop.Now;
        if (found.State != NameState.Pending || waiter is null)
            return found;
        if (_waiting >= options.WaitersMax)
            return new CachedName { Name = key, State = NameState.Crowded };
        _waiting++;
        waiter.Place = found;
        found.Waiters.Add(waiter);
        return found;
    }

    private void Forget(Entry entry)
    {
        _names.Remove((entry.Options.Name, entry.Value.Name));
        _counts[entry.Options.Name]--;
    }

    private sealed class Entry(NameCache owner, NameCacheOptions options, string name) : Deadline
    {
        private NameQuery? _query;
        private long _failureWait;

        public CachedName Value { get; } = new() { Name = name, Left = () => owner._waiting-- };

        public NameCacheOptions Options => options;

        public void Begin()
        {
            if (Address.TryParse(name.AsSpan().Trim("[]"), 0, out Address literal))
            {
                Value.Addresses = [literal];
                Value.State = NameState.Known;
                owner.Loop.Arm(this, options.UnusedMicros);
                return;
            }
            DnsResolver resolver = owner._resolver ??= new DnsResolver(owner.Loop, owner.System);
            _query = new NameQuery(resolver, name, options.Dns.Family, options.Dns.Resolvers, OnAnswer);
            owner.Loop.Arm(this, options.QueryMicros);
            _query.Begin();
        }

        private void OnAnswer(DnsOutcome outcome, IReadOnlyList<Address> addresses, uint ttl)
        {
            _query = null;
            if (addresses.Count > 0)
                Value.Addresses = addresses;
            // A failure keeps what was known; that there is nothing is an answer.
            else if (outcome != DnsOutcome.Failure)
                Value.Addresses = [];
            Value.Failure = outcome == DnsOutcome.Failure
                ? "cares_failure:Could not contact DNS servers" : "cares_norecords:Domain name not found";
            Tell(Value.Addresses.Count > 0 ? NameState.Known : NameState.Failed);
            long wait = options.Dns.RefreshMicros;
            if (addresses.Count > 0)
            {
                _failureWait = 0;
                if (ttl != uint.MaxValue)
                    wait = ttl * 1_000_000L;
                wait = Math.Max(wait, options.RefreshMinMicros);
            }
            else if (options.Dns.FailureRefreshMicros > 0)
            {
                long most = options.Dns.FailureRefreshMaxMicros > 0
                    ? options.Dns.FailureRefreshMaxMicros : options.Dns.FailureRefreshMicros * 10;
                _failureWait = _failureWait == 0 ? options.Dns.FailureRefreshMicros : Math.Min(_failureWait * 2, most);
                wait = 1 + (long)(owner.Loop.Chance.NextULong() % (ulong)_failureWait);
            }
            owner.Loop.Arm(this, Math.Max(1000, wait));
        }

        private void Tell(NameState state)
        {
            Value.State = state;
            while (Value.Waiters.Count > 0)
            {
                NameWaiter waiter = Value.Waiters[^1];
                waiter.Cancel();
                waiter.OnResolved(Value);
            }
        }

        protected internal override void OnDue(long now)
        {
            if (_query is { } late)
            {
                late.Stop();
                OnAnswer(DnsOutcome.Failure, [], 0);
                return;
            }
            if (now - Value.UsedAt >= options.UnusedMicros)
                owner.Forget(this);
            else
                Begin();
        }
    }

    private EventLoop Loop => loop;

    private Func<SystemNames> System => system;
}
