using Lateen.Pilot.Generation;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Scope;

namespace Lateen.Pilot.Push;

/// <summary>All connected proxies and the newest snapshot. Driven by one loop.</summary>
/// <remarks>
/// The host opens a session for each stream, feeds it requests, takes responses while there are any, and calls
/// <see cref="Publish"/> with each new snapshot; it then takes responses from the sessions that came back.
/// </remarks>
public sealed class PushHub
{
    private readonly Dictionary<string, IResourceGenerator> _generators = [];
    private readonly Dictionary<string, AdsSession> _sessions = [];
    private readonly Dictionary<(string TypeUrl, string Version), HeldOutResource> _heldOut = [];
    private ScopeBuilder? _scopes;

    /// <summary>A hub that answers for the types of <paramref name="generators"/>.</summary>
    public PushHub(PushOptions options, IEnumerable<IResourceGenerator> generators)
    {
        Options = options;
        foreach (var generator in generators) _generators.Add(generator.TypeUrl, generator);
    }

    /// <summary>Bounds and delays.</summary>
    public PushOptions Options { get; }

    /// <summary>The newest snapshot; null until the first one: sessions then wait.</summary>
    public MeshSnapshot? Snapshot => _scopes?.Snapshot;

    /// <summary>Open streams.</summary>
    public IReadOnlyCollection<AdsSession> Sessions => _sessions.Values;

    /// <summary>Opens a session.</summary>
    /// <param name="id">Name of the stream, unique among the open ones.</param>
    /// <param name="now">The time.</param>
    /// <param name="identities">Names that the proxy has proved; null where nothing was asked of it.</param>
    public AdsSession Connect(string id, DateTimeOffset now, IReadOnlyList<string>? identities = null)
    {
        var session = new AdsSession(this, id, now, identities);
        _sessions.Add(id, session);
        return session;
    }

    /// <summary>The stream ended.</summary>
    public void Disconnect(AdsSession session) => _sessions.Remove(session.Id);

    /// <summary>A new snapshot: every session is offered its part.</summary>
    /// <returns>The sessions that may have something to send now.</returns>
    public IReadOnlyList<AdsSession> Publish(MeshSnapshot snapshot)
    {
        _scopes = new ScopeBuilder(snapshot, _scopes);
        foreach (var generator in _generators.Values) generator.BeginSnapshot();
        _heldOut.Clear();
        var awake = new List<AdsSession>(_sessions.Count);
        foreach (var session in _sessions.Values)
        {
            if (session.Node is not { } node) continue;
            session.Offer(_scopes.ScopeOf(node, session.Scope));
            if (session.HasNews()) awake.Add(session);
        }
        return awake;
    }

    /// <summary>Where every proxy stands, by node id.</summary>
    public IReadOnlyList<ProxyStatus> Status() =>
        [.. _sessions.Values.Select(session => session.Status()).OrderBy(status => status.NodeId, StringComparer.Ordinal)];

    /// <summary>Everything a proxy would be sent of one type, whether or not it is connected: for dumps and explanations.</summary>
    public IReadOnlyList<WireResource> Generate(string typeUrl, ProxyScope scope, IReadOnlySet<string>? names) =>
        _generators.TryGetValue(typeUrl, out var generator) ? generator.Generate(scope, names) : [];

    /// <summary>Where every subscription begins, so that equal ones come to be one object.</summary>
    internal NameSet NoNames { get; } = NameSet.Empty;

    /// <summary>What was made of the newest snapshot and not sent, because no proxy would take it.</summary>
    public IReadOnlyCollection<HeldOutResource> HeldOut => _heldOut.Values;

    /// <summary>Notes what a session does not send.</summary>
    internal void Note(string typeUrl, ResourceSet made)
    {
        if (made.IsSound) return;
        foreach (var resource in made.Noteworthy)
        {
            if (resource.Fault is { } fault)
                _heldOut.TryAdd((typeUrl, resource.Version), new HeldOutResource(typeUrl, resource.Name, fault, resource));
            foreach (var (filter, name, broken) in resource.LeftOut)
                _heldOut.TryAdd((typeUrl, filter.FullName), new HeldOutResource(typeUrl, name, broken, resource) { Filter = filter });
        }
    }

    /// <summary>Whether resources of a type have to be made anew where nothing but endpoints changed.</summary>
    internal bool LooksAtEndpoints(string typeUrl) => _generators[typeUrl].LooksAtEndpoints;

    internal bool Generates(string typeUrl) => _generators.ContainsKey(typeUrl);

    internal void Introduced(AdsSession session, DateTimeOffset now)
    {
        if (_scopes is not null && session.Node is { } node) session.Offer(_scopes.ScopeOf(node));
    }
}

/// <summary>A resource that breaks the rules of its definition and is not sent: proxies keep its last good form.</summary>
/// <param name="TypeUrl">Its type.</param>
/// <param name="Name">Its name.</param>
/// <param name="Fault">The rule that it breaks.</param>
/// <param name="Resource">The resource.</param>
public sealed record HeldOutResource(string TypeUrl, string Name, string Fault, WireResource Resource)
{
    /// <summary>The EnvoyFilter that would have broken it and was left out, so that the resource is sent without it; null where the
    /// resource itself is held out.</summary>
    public Origin? Filter { get; init; }
}
