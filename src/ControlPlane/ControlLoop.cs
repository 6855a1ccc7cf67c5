// ControlPlane: the process that takes configuration in and gives xDS out. This project puts Config, Registry and Pilot together and opens
// ports; it decides nothing about meaning. `ControlLoop` is all of its state, without sockets, threads or a clock: it is told what
// happened and what time it is. Hosting runs one under Kestrel; a scenario runs one in memory under a virtual clock.
//
// Ports: Ads (xDS), Operator (the verbs' API), Debug (istiod's debug pages), Metrics. Each has a folder and sees the loop only through
// functions that run on its single writer. The one thing that comes from other threads is what a folder source changed in the store; it
// waits in a queue until the next tick.
//
// Refused: a lock round shared state (nobody can say what a reader sees), an actor a proxy (a thousand mailboxes to keep in step).
using System.Collections.Concurrent;
using System.Text;
using Istio.Networking.V1Alpha3;
using Lateen.Config.Resources;
using Lateen.Config.Store;
using Lateen.ControlPlane.Ads;
using Lateen.ControlPlane.Compile;
using Lateen.ControlPlane.Debug;
using Lateen.ControlPlane.Findings;
using Lateen.ControlPlane.Hosting;
using Lateen.ControlPlane.Keys;
using Lateen.ControlPlane.Metrics;
using Lateen.ControlPlane.Operator;
using Lateen.Pilot.Generation;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Push;
using Lateen.Registry.Entries;

namespace Lateen.ControlPlane;

/// <summary>Another cluster as far as it is known here.</summary>
/// <param name="Secret">namespace/name of the secret that names it.</param>
/// <param name="Status">syncing, synced, or why it is left out.</param>
public sealed record RemoteState(string Secret, string Status);

/// <summary>The control plane as a value: configuration goes in, responses come out, time is told. One caller at a time.</summary>
public sealed class ControlLoop
{
    private readonly ResourceStore _store;
    private readonly Func<ViewCompiler> _fresh;
    private readonly Action<string> _say;
    private readonly Debounce _debounce;
    private readonly TimeProvider _stopwatch;
    private readonly ConcurrentQueue<StoreChange> _changes = new();
    private readonly SortedDictionary<string, ResourceView> _remotes = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, RemoteState> _remoteStates = new(StringComparer.Ordinal);
    private readonly KeySets _keys;
    private readonly MeshMetrics _mesh = new();
    private ViewCompiler _compiler;
    private ResourceView _seen;
    private DateTimeOffset _firstChange;
    private string _cause = "global";

    /// <summary>Puts a control plane together and compiles what the store holds.</summary>
    /// <param name="options">Names, bounds and delays; addresses and folders are not looked at.</param>
    /// <param name="store">Where configuration is kept.</param>
    /// <param name="generators">One for each xDS type that is served.</param>
    /// <param name="now">The time.</param>
    /// <param name="stopwatch">Measures how long compiling takes; for metrics alone.</param>
    /// <param name="say">Takes a line for the log; nobody when null.</param>
    /// <param name="fetchKeys">Begins to fetch a key set of tokens, whose answer goes to <see cref="KeysArrived"/>; null where nobody
    /// can.</param>
    public ControlLoop(ControlPlaneOptions options, ResourceStore store, IEnumerable<IResourceGenerator> generators, DateTimeOffset now,
        TimeProvider stopwatch, Action<string>? say = null, Action<KeySetRequest>? fetchKeys = null)
    {
        _store = store;
        _stopwatch = stopwatch;
        _say = say ?? (_ => { });
        RootNamespace = options.RootNamespace;
        ClusterId = options.ClusterId;
        Instance = options.Instance;
        OwnRevision = options.Revision;
        var features = new Features(options.Environment);
        var push = new PushOptions
        {
            DebounceQuiet = options.DebounceAfter,
            DebounceMax = options.DebounceMax,
            DebouncesEndpoints = features.Flag("PILOT_ENABLE_EDS_DEBOUNCE", true),
            ChecksIdentity = features.Flag("PILOT_ENABLE_XDS_IDENTITY_CHECK", true),
        };
        _fresh = () => new ViewCompiler(options, features);
        _compiler = _fresh();
        _debounce = new Debounce(push);
        Hub = new PushHub(push, generators);
        Metrics = new PilotMetrics(HttpDoors.Version, now);
        Streams = new AdsStreams(Hub, Metrics, stopwatch, _say)
        {
            AgeMax = options.ConnectionAgeMax,
            Inside = (stream, question, at) => Questions.Answer(this, stream, question, at),
        };
        Waits = new RevisionWaits(Streams);
        Configuration = new Configuration(store, Metrics,
            new ResourceFindings(options.Domain, options.RootNamespace, new Refusals(() => Hub.HeldOut)),
            () => _compiler.GatewayApiStatuses(), options.Kubernetes is not null);
        store.Changed += _changes.Enqueue;
        _seen = store.Current;
        _firstChange = now;
        _keys = new KeySets(fetchKeys);
        _keys.Want(_seen, now);
        // What would refuse good tokens is not served: the first tick asks for the keys, and compiles when they are there.
        if (_keys.AwaitsFirst) _debounce.Note(now);
        else Compile(now, _cause);
    }

    /// <summary>The namespace whose resources hold for the whole mesh.</summary>
    public string RootNamespace { get; }

    /// <summary>Name of the cluster that configuration comes from.</summary>
    public string ClusterId { get; }

    /// <summary>Name of this replica.</summary>
    public string Instance { get; }

    /// <summary>Which of several control planes beside each other this is; empty where there is one alone.</summary>
    public string OwnRevision { get; }

    /// <summary>The trust domain of the mesh as its settings are written now.</summary>
    public string TrustDomain => _compiler.SettingsOf(_seen).TrustDomain;

    /// <summary>Sessions and the newest snapshot.</summary>
    public PushHub Hub { get; }

    /// <summary>Counts.</summary>
    public PilotMetrics Metrics { get; }

    /// <summary>Open streams.</summary>
    public AdsStreams Streams { get; }

    /// <summary>What is written.</summary>
    public Configuration Configuration { get; }

    /// <summary>Those who wait for the proxies.</summary>
    public RevisionWaits Waits { get; }

    /// <summary>Raised on the loop after each compilation.</summary>
    public event Action? Compiled;

    /// <summary>A snapshot is there to be served, and this replica stays.</summary>
    public bool IsReady => Hub.Snapshot is not null && !Streams.IsDraining;

    /// <summary>Generation of the view that is written now, pushed or not.</summary>
    public long Generation => _store.Current.Generation;

    /// <summary>Every count in Prometheus' text form.</summary>
    public string MetricsText(DateTimeOffset now)
    {
        var text = new StringBuilder(Metrics.Text(Streams, now));
        _mesh.WriteTo(text, Hub.Snapshot, Configuration.View, _remotes.Count);
        return text.ToString();
    }

    /// <summary>Compiles anew although nothing changed, so that every proxy is looked at again.</summary>
    public void PushAgain(DateTimeOffset now)
    {
        if (_debounce.DueAt is null) (_firstChange, _cause) = (now, "debug");
        _debounce.Note(now);
    }

    /// <summary>Other clusters that secrets name, by their names.</summary>
    public IReadOnlyDictionary<string, RemoteState> Remotes => _remoteStates;

    /// <summary>How far another cluster is.</summary>
    public void NoteRemote(string clusterId, RemoteState state) => _remoteStates[clusterId] = state;

    /// <summary>Another cluster's services and workloads changed, or it is no longer part of the mesh (null).</summary>
    public void SetRemote(string clusterId, ResourceView? view, DateTimeOffset now)
    {
        if (_debounce.DueAt is null) (_firstChange, _cause) = (now, "endpoint");
        if (view is not null) _remotes[clusterId] = view;
        else
        {
            _remotes.Remove(clusterId);
            _remoteStates.Remove(clusterId);
        }
        _debounce.Note(now);
    }

    /// <summary>Does what is due.</summary>
    /// <returns>When to be called next, if nothing happens before; null for never.</returns>
    public DateTimeOffset? Tick(DateTimeOffset now)
    {
        while (_changes.TryDequeue(out StoreChange? change)) Note(change, now);
        _keys.Want(_seen, now);
        _keys.Ask(now);
        if (!_keys.AwaitsFirst && _debounce.TryFire(now)) Compile(now, _cause);
        Streams.EndWarming(now);
        Streams.EndAged(now);
        Waits.Check(now);
        return Earlier(Earlier(_keys.AwaitsFirst ? null : _debounce.DueAt, Waits.DueAt), Earlier(Streams.DueAt, _keys.DueAt));
    }

    /// <summary>A key set that was asked for arrived, or could not be had.</summary>
    /// <param name="name">Which.</param>
    /// <param name="text">Its text; null when it could not be had.</param>
    /// <param name="error">Why not.</param>
    /// <param name="now">The time.</param>
    public void KeysArrived(KeySetName name, string? text, string error, DateTimeOffset now)
    {
        if (text is null)
            _say($"warn\tkeys\tkeys of {name.Issuer} ({name.Address}) could not be fetched, so that its tokens are refused unless they "
                + $"were fetched before: {error}");
        if (_keys.Arrived(name, text, now)) PushAgain(now);
    }

    /// <summary>A fault of ours, contained: counted and told.</summary>
    public void Faulted(string where, Exception fault)
    {
        Metrics.Faulted();
        _say($"error\tfault\tin {where}: {fault}");
    }

    private void Note(StoreChange change, DateTimeOffset now)
    {
        if (_debounce.DueAt is null) (_firstChange, _cause) = (now, "endpoint");
        _seen = change.After;
        if (change.Keys.All(key => IsEndpoint(key, change))) _debounce.NoteEndpoints(now);
        else _debounce.Note(now);
        foreach (ResourceKey key in change.Keys)
        {
            bool isNew = change.Before.Find(key) is null, isGone = change.After.Find(key) is null;
            Metrics.Changed(key.Kind, isNew ? "add" : isGone ? "delete" : "update");
            // What is compiled together is named after the weightiest change in it.
            if (key.Kind == Kinds.Service && _cause == "endpoint") _cause = "service";
            else if (key.Kind.IsConfiguration && !IsEndpoint(key, change)) _cause = "config";
        }
    }

    private static bool IsEndpoint(ResourceKey key, StoreChange change) =>
        key.Kind == Kinds.EndpointSlice || key.Kind == Kinds.Pod || key.Kind == Kinds.WorkloadEntry
            || (change.Before.Find(key) is Resource<ServiceEntry> before && change.After.Find(key) is Resource<ServiceEntry> after
                && EntryChange.IsOfEndpoints(before, after));

    private void Compile(DateTimeOffset now, string why)
    {
        long started = _stopwatch.GetTimestamp();
        MeshSnapshot snapshot;
        try
        {
            snapshot = _compiler.Compile(_seen, _keys.Current, $"{now.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss'Z'}/{_seen.Generation}", _remotes);
        }
        catch (Exception fault)
        {
            // The proxies keep what they have; the next change is compiled from nothing, since what this one left behind cannot be trusted.
            _compiler = _fresh();
            Faulted($"compiling generation {_seen.Generation}", fault);
            return;
        }
        Metrics.Compiled(why, now - _firstChange, _stopwatch.GetElapsedTime(started), snapshot.Registry.Services.Length,
            _seen.All(Kinds.VirtualService).Count);
        Streams.Publish(snapshot, _seen.Generation, Configuration.Revision, _firstChange, now);
        _say($"info\tads\tpush {snapshot.Revision} for {why}: revision {Configuration.Revision}, {snapshot.Registry.Services.Length} "
            + $"services, {Streams.Count} proxies");
        Compiled?.Invoke();
    }

    private static DateTimeOffset? Earlier(DateTimeOffset? left, DateTimeOffset? right) =>
        left is null ? right : right is null || left < right ? left : right;
}
