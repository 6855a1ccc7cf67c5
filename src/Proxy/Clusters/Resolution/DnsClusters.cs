using Lateen.Proxy.Net;

namespace Lateen.Proxy.Clusters.Resolution;

/// <summary>Keeps the addresses of strict and logical DNS clusters fresh: each name is asked for again when its time has come, and a change
/// is published.</summary>
internal sealed class DnsClusters
{
    private readonly ClusterDirectory _directory;
    private readonly EventLoop _loop;
    private readonly DnsResolver _resolver;
    private readonly Dictionary<ClusterHandle, Watch> _watches = [];

    public DnsClusters(ClusterDirectory directory, EventLoop main, Func<SystemNames> system)
    {
        _directory = directory;
        _loop = main;
        _resolver = new DnsResolver(main, system);
    }

    /// <summary>Configuration came: the endpoints as far as their names are known. Names that are new are asked for.</summary>
    public EndpointSet Follow(ClusterHandle handle, Cluster cluster, EndpointSet? written)
    {
        if (cluster.Type is not (ClusterType.StrictDns or ClusterType.LogicalDns))
        {
            Forget(handle);
            return written ?? handle.Current?.Endpoints ?? EndpointSet.Empty;
        }
        if (!_watches.TryGetValue(handle, out Watch? watch))
            _watches[handle] = watch = new Watch(this, handle);
        return watch.Take(cluster, written);
    }

    /// <summary>The cluster is gone.</summary>
    public void Forget(ClusterHandle handle)
    {
        if (_watches.Remove(handle, out Watch? watch))
            watch.Stop();
    }

    private sealed class Watch(DnsClusters owner, ClusterHandle handle)
    {
        private readonly Dictionary<string, Name> _names = new(StringComparer.Ordinal);
        private Cluster _cluster = null!;
        private EndpointSet _written = EndpointSet.Empty;

        public DnsClusters Owner => owner;

        public Cluster Cluster => _cluster;

        public EndpointSet Take(Cluster cluster, EndpointSet? written)
        {
            _cluster = cluster;
            _written = written ?? _written;
            HashSet<string> wanted = [.. _written.Localities.SelectMany(l => l.Endpoints).Where(e => e.DnsName.Length > 0)
                .Select(e => HostOf(e.DnsName))];
            foreach (string gone in _names.Keys.Where(n => !wanted.Contains(n)).ToArray())
            {
                _names[gone].Stop();
                _names.Remove(gone);
            }
            foreach (string name in wanted.Where(n => !_names.ContainsKey(n)))
            {
                _names[name] = new Name(this, name);
                _names[name].Begin();
            }
            return Resolved();
        }

        public void Stop()
        {
            foreach (Name name in _names.Values)
                name.Stop();
            _names.Clear();
        }

        public void OnChanged() => owner._directory.PublishResolved(handle, Resolved());

        public void Count(ClusterCounter counter) => handle.MainCounters.Count(counter);

        private EndpointSet Resolved() => _written with
        {
            Localities = [.. _written.Localities.Select(l => l with { Endpoints = [.. l.Endpoints.SelectMany(Expand)] })],
        };

        // A strict cluster has a host for each address; a logical one has one host, which is tried at one address after the other.
        private IEnumerable<Endpoint> Expand(Endpoint endpoint)
        {
            if (endpoint.DnsName.Length == 0)
                return [endpoint];
            if (!_names.TryGetValue(HostOf(endpoint.DnsName), out Name? name))
                return [];
            int port = int.TryParse(endpoint.DnsName.AsSpan(endpoint.DnsName.LastIndexOf(':') + 1), out int p) ? p : 0;
            string hostname = endpoint.Hostname.Length > 0 ? endpoint.Hostname : HostOf(endpoint.DnsName);
            if (_cluster.Type != ClusterType.LogicalDns || name.Addresses.Count == 0)
                return name.Addresses.Select(a => endpoint with { Address = a.WithPort(port), Hostname = hostname, DnsName = "" });
            List<Address> tried = HappyEyeballs.Order([.. name.Addresses.Select(a => a.WithPort(port))]);
            return [endpoint with { Address = tried[0], AdditionalAddresses = tried[1..], Hostname = hostname, DnsName = "" }];
        }

        private static string HostOf(string dnsName) => dnsName[..dnsName.LastIndexOf(':')];
    }

    private sealed class Name(Watch watch, string name) : Deadline
    {
        private NameQuery? _query;
        private bool _stopped;
        private long _failureWait;

        public IReadOnlyList<Address> Addresses { get; private set; } = [];

        private DnsOptions Options => watch.Cluster.Dns;

        private EventLoop Loop => watch.Owner._loop;

        public void Begin()
        {
            if (_stopped)
                return;
            watch.Count(ClusterCounter.UpdateAttempt);
            _query = new NameQuery(watch.Owner._resolver, name, Options.Family, Options.Resolvers, OnAnswer);
            _query.Begin();
        }

        public void Stop()
        {
            _stopped = true;
            _query?.Stop();
            Loop.Disarm(this);
        }

        private void OnAnswer(DnsOutcome outcome, IReadOnlyList<Address> found, uint ttl)
        {
            if (found.Count == 0 && outcome == DnsOutcome.Failure)
                OnFailed();
            else
                OnFound(found, ttl);
        }

        // No name and no address are answers, too: the hosts are gone. A failure says nothing, and keeps them.
        private void OnFound(IReadOnlyList<Address> found, uint ttl)
        {
            watch.Count(found.Count == 0 ? ClusterCounter.UpdateEmpty : ClusterCounter.UpdateSuccess);
            _failureWait = 0;
            bool changed = !found.ToHashSet().SetEquals(Addresses)
                || (watch.Cluster.Type == ClusterType.LogicalDns && !found.Distinct().SequenceEqual(Addresses));
            Addresses = [.. found.Distinct()];
            if (changed)
                watch.OnChanged();
            else
                watch.Count(ClusterCounter.UpdateNoRebuild);
            long wait = Options.RespectTtl && ttl is > 0 and not uint.MaxValue ? ttl * 1_000_000L : Options.RefreshMicros;
            Again(wait);
        }

        private void OnFailed()
        {
            watch.Count(ClusterCounter.UpdateFailure);
            if (Options.FailureRefreshMicros <= 0)
            {
                Again(Options.RefreshMicros);
                return;
            }
            long most = Options.FailureRefreshMaxMicros > 0 ? Options.FailureRefreshMaxMicros : Options.FailureRefreshMicros * 10;
            _failureWait = _failureWait == 0 ? Options.FailureRefreshMicros : Math.Min(_failureWait * 2, most);
            Again(1 + (long)(Loop.Chance.NextULong() % (ulong)_failureWait));
        }

        private void Again(long wait)
        {
            if (Options.JitterMicros > 0)
                wait += (long)(Loop.Chance.NextULong() % (ulong)Options.JitterMicros);
            if (!_stopped)
                Loop.Arm(this, Math.Max(1000, wait));
        }

        protected internal override void OnDue(long now) => Begin();
    }
}
