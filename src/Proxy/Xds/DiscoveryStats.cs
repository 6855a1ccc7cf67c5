using Lateen.Proxy.Clusters.Balancing;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Xds;

/// <summary>What is counted of answers of discovery, under the names of who asked: <c>cluster_manager.cds.</c>,
/// <c>listener_manager.lds.</c>, <c>http.PREFIX.rds.NAME.</c>. Main loop.</summary>
internal sealed class DiscoveryStats(StatStore store)
{
    private readonly Dictionary<string, Subject> _subjects = new(StringComparer.Ordinal);

    /// <summary>Clusters and listeners that came, changed and went.</summary>
    public long ClustersAdded, ClustersModified, ClustersRemoved, ListenersAdded, ListenersModified, ListenersRemoved;

    private sealed class Subject
    {
        public long Attempts, Successes, Rejected, UpdatedAt;

        public string Version = "";
    }

    /// <summary>Tells of the stream that carries everything: <c>control_plane.</c>. Requests are never held back, so none is
    /// pending.</summary>
    public static void Tell(StatStore store, AdsStream stream)
    {
        store.Reading("control_plane.connected_state", StatKind.Gauge, () => stream.Send is null ? 0 : 1);
        store.Reading("control_plane.pending_requests", StatKind.Gauge, () => 0);
        store.Reading("control_plane.rate_limit_enforced", StatKind.Counter, () => 0);
        store.Text("control_plane.identifier", () => stream.Server);
    }

    /// <summary>Somebody asks: its series exist from now on.</summary>
    public void Watch(string prefix) => Of(prefix);

    /// <summary>An answer came.</summary>
    public void Taken(string prefix, string version, bool accepted, long wallClock)
    {
        Subject subject = Of(prefix);
        subject.Attempts++;
        if (!accepted)
        {
            subject.Rejected++;
            return;
        }
        subject.Successes++;
        subject.Version = version;
        subject.UpdatedAt = wallClock / 1000;
    }

    private Subject Of(string prefix)
    {
        if (_subjects.TryGetValue(prefix, out Subject? subject))
            return subject;
        _subjects[prefix] = subject = new Subject();
        void Counter(string name, Func<long?> read) => store.Reading(prefix + name, StatKind.Counter, read);
        Counter("update_attempt", () => subject.Attempts);
        Counter("update_success", () => subject.Successes);
        Counter("update_rejected", () => subject.Rejected);
        Counter("update_failure", () => 0);
        Counter("init_fetch_timeout", () => 0);
        if (prefix.Contains(".rds.", StringComparison.Ordinal))
            Counter("config_reload", () => subject.Successes);
        if (prefix.Contains(".rds.", StringComparison.Ordinal))
            Counter("update_empty", () => 0);
        store.Reading(prefix + "update_time", StatKind.Gauge, () => subject.UpdatedAt == 0 ? null : subject.UpdatedAt);
        store.Reading(prefix + "version", StatKind.Gauge,
            () => subject.Successes == 0 ? null : unchecked((long)Hashing.XxHash64(System.Text.Encoding.UTF8.GetBytes(subject.Version))));
        store.Text(prefix + "version_text", () => subject.Version);
        return subject;
    }
}
