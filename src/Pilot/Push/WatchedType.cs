using System.Buffers;
using System.Text;
using Lateen.Pilot.Generation;
using Lateen.Pilot.Scope;

namespace Lateen.Pilot.Push;

/// <summary>What one session watches of one type: names asked for, what it was sent, answers outstanding, refusals.</summary>
/// <remarks>
/// What was sent is a set that the session shares with others, and the few names about which the peer differs from it. So a session costs
/// little whatever the mesh has, and what it must be told of a new set is what everybody must be told, found once.
/// </remarks>
internal sealed class WatchedType(string typeUrl, NameSet noNames)
{
    /// <summary>Version that stands for "was told that it does not exist".</summary>
    private const string Absent = "";

    private const int NameCharsUsual = 512;

    private readonly Dictionary<string, IReadOnlyList<WireResource>> _outstanding = [];
    private ResourceSet _sent = ResourceSet.Empty;

    // Version that the peer has; null: it has none and was not told.
    private Dictionary<string, string?>? _differs;
    private SortedDictionary<string, NackedResource>? _nacked;

    // What was sent last was made for; null where something about it must be said with each snapshot.
    private (object Line, ProxyScope Client, NameSet Names, bool IsWildcard)? _madeFor;

    public string TypeUrl { get; } = typeUrl;

    public bool IsWildcard { get; set; }

    public NameSet Names { get; private set; } = noNames;

    /// <summary>Generation has to look at it again.</summary>
    public bool IsDirty { get; set; }

    /// <summary>The peer waits for an answer, even an empty one.</summary>
    public bool OwesAnswer { get; set; }

    /// <summary>Something that is gone was not yet taken away.</summary>
    public bool WithholdsRemovals { get; set; }

    /// <summary>The peer came back with what an earlier stream gave it, and this stream has not answered it yet.</summary>
    public bool IsResumed { get; set; }

    /// <summary>Whether the peer has what was made for a scope of this line and client: nothing has to be made to know that it has it
    /// still.</summary>
    public bool IsStill(ProxyScope scope) => _differs is null && _madeFor is { } made && ReferenceEquals(made.Line, scope.Line)
        && ReferenceEquals(made.Client, scope.Client) && ReferenceEquals(made.Names, Names) && made.IsWildcard == IsWildcard;

    public string LastNonce { get; set; } = "";

    public string SentRevision { get; set; } = "";

    public string AckedRevision { get; set; } = "";

    public bool AwaitsAck => _outstanding.Count > 0;

    /// <summary>How much the peer holds.</summary>
    public int SentCount
    {
        get
        {
            var count = _sent.Count;
            foreach (var (name, version) in _differs ?? [])
            {
                var inSet = _sent.Find(name) is not null;
                var held = !string.IsNullOrEmpty(version);
                if (inSet != held) count += held ? 1 : -1;
            }
            return count;
        }
    }

    /// <summary>What the peer holds.</summary>
    public Dictionary<string, string> Held()
    {
        var held = new Dictionary<string, string>(_sent.Count);
        foreach (var resource in _sent) held[resource.Name] = resource.Version;
        foreach (var (name, version) in _differs ?? [])
        {
            if (string.IsNullOrEmpty(version)) held.Remove(name);
            else held[name] = version;
        }
        return held;
    }

    public IEnumerable<NackedResource> Nacked => _nacked is null ? [] : _nacked.Values;

    /// <summary>What the peer said when it refused something that has not changed since; null for nothing.</summary>
    public string? Refusal => _nacked is { Count: > 0 } ? _nacked.Values.First().Error : null;

    /// <summary>The peer took all there is, whatever it refused before.</summary>
    public void ForgiveAll() => _nacked = null;

    public void Subscribe(IReadOnlyCollection<string> names)
    {
        if (names.Count == 0) return;
        Names = Names.With(names);
        if (_sent.Count == 0 && _sent.Shared.Missing.Count == 0 && _differs is null) return;
        // A name subscribed to again wants the resource again (xDS protocol, "Subscribing to resources").
        ForgetAll(names);
    }

    public void Unsubscribe(IReadOnlyCollection<string> names)
    {
        if (names.Count == 0) return;
        Names = Names.Without(names);
        if (!IsWildcard) ForgetAll(names);
    }

    /// <summary>Replaces the subscription (state of the world). True when it changed.</summary>
    public bool Replace(IReadOnlyCollection<string> names)
    {
        var wanted = names.ToHashSet();
        if (wanted.SetEquals(Names)) return false;
        Unsubscribe([.. Names.Where(name => !wanted.Contains(name))]);
        Subscribe([.. wanted.Where(name => !Names.Contains(name))]);
        return true;
    }

    /// <summary>The peer holds these versions already, from an earlier stream. Only where they are others than those of
    /// <paramref name="now"/> something is remembered about them.</summary>
    /// <param name="held">Versions by name.</param>
    /// <param name="now">What the peer is to have; null where it is not known yet.</param>
    public void Resume(HeldVersions held, ResourceSet? now)
    {
        IsResumed = !held.IsEmpty;
        if (!IsResumed) return;
        _sent = now ?? ResourceSet.Empty;
        // Nobody has said yet that these do not exist.
        foreach (var name in _sent.Shared.Missing) Differ(name, null);
        var met = ArrayPool<bool>.Shared.Rent(Math.Max(1, _sent.Count));
        Array.Clear(met, 0, _sent.Count);
        Meet(held.Read(stackalloc char[NameCharsUsual]), met);
        for (var i = 0; i < _sent.Count; i++)
        {
            if (!met[i]) Differ(_sent[i].Name, null);
        }
        ArrayPool<bool>.Shared.Return(met);
        if (_differs is { Count: 0 }) _differs = null;
    }

    private void Meet(HeldVersions.Entries held, bool[] met)
    {
        while (held.Next())
        {
            var at = _sent.IndexOf(held.Name);
            if (at < 0) Differ(held.Name.ToString(), Encoding.UTF8.GetString(held.Version));
            else
            {
                met[at] = true;
                if (!Ascii.Equals(held.Version, _sent[at].Version)) Differ(_sent[at].Name, Encoding.UTF8.GetString(held.Version));
                else _differs?.Remove(_sent[at].Name);
            }
        }
    }

    /// <summary>The peer has some version of it.</summary>
    public bool IsHeld(string name) =>
        _differs is not null && _differs.TryGetValue(name, out var version) ? !string.IsNullOrEmpty(version) : _sent.Find(name) is not null;

    /// <summary>What the peer was sent of a name; null for nothing.</summary>
    public WireResource? SentOf(string name) => _sent.Find(name);

    /// <summary>The peer needs it once more, although it did not change. False when it has none.</summary>
    public bool Forget(string name)
    {
        if (!IsHeld(name)) return false;
        Differ(name, null);
        return true;
    }

    /// <summary>What the peer must be told so that it has <paramref name="now"/>.</summary>
    public SetChange ChangeTo(ResourceSet now)
    {
        var shared = now.Shared.Since(_sent.Shared);
        if (_differs is null && SameOwn(now)) return shared;
        var news = new List<WireResource>();
        var gone = new List<string>();
        foreach (var resource in shared.News)
        {
            // It may have been the peer's own before.
            if (!Differs(resource.Name) && _sent.Find(resource.Name)?.Version != resource.Version) news.Add(resource);
        }
        foreach (var name in shared.Gone)
        {
            if (!Differs(name) && now.Find(name) is null) gone.Add(name);
        }
        foreach (var resource in now.Own)
        {
            if (!Differs(resource.Name) && _sent.Find(resource.Name)?.Version != resource.Version) news.Add(resource);
        }
        foreach (var resource in _sent.Own)
        {
            if (!Differs(resource.Name) && now.Find(resource.Name) is null) gone.Add(resource.Name);
        }
        AddDiffering(now, news, gone);
        gone.Sort(StringComparer.Ordinal);
        return new SetChange(news, gone);
    }

    public void Sent(string nonce, string revision, ResourceSet now, SetChange change, IReadOnlyList<string> withheld, ProxyScope scope)
    {
        List<(string Name, string? Version)> held = withheld.Count == 0 ? [] : [.. withheld.Select(name => (name, VersionOf(name)))];
        Settle(now, scope);
        foreach (var (name, version) in held) Differ(name, version);
        if (_nacked is not null)
        {
            foreach (var resource in change.News) _nacked.Remove(resource.Name);
            foreach (var name in change.Gone) _nacked.Remove(name);
        }
        _outstanding[nonce] = change.News;
        LastNonce = nonce;
        SentRevision = revision;
        OwesAnswer = false;
    }

    /// <summary>The peer has <paramref name="now"/> already, in other words: nothing has to be sent.</summary>
    public void Settle(ResourceSet now, ProxyScope scope)
    {
        _sent = now;
        _differs = null;
        _madeFor = now.IsSound ? (scope.Line, scope.Client, Names, IsWildcard) : null;
    }

    /// <summary>The peer answered. False when the nonce is not one of ours (expired, or of another stream).</summary>
    public bool Answered(string nonce, string? error)
    {
        if (!_outstanding.Remove(nonce, out var resources)) return false;
        // Answers keep the order of responses, and some clients answer the last of several alone: what came before is answered with it.
        if (nonce == LastNonce) _outstanding.Clear();
        if (error is null)
        {
            if (nonce == LastNonce) AckedRevision = SentRevision;
            return true;
        }
        _nacked ??= new(StringComparer.Ordinal);
        foreach (var resource in resources) _nacked[resource.Name] = new NackedResource(resource.Name, resource.Version, error);
        return true;
    }

    // The peer has none of these, and need not be told. Who asks for a route configuration's hosts names the configuration: its hosts are
    // named CONFIGURATION/HOST.
    private void ForgetAll(IReadOnlyCollection<string> names)
    {
        foreach (var name in names) Differ(name, null);
        if (TypeUrl != TypeUrls.VirtualHost) return;
        foreach (var host in _sent)
        {
            var configuration = host.Name.LastIndexOf('/');
            if (configuration > 0 && names.Contains(host.Name[..configuration])) Differ(host.Name, null);
        }
    }

    private string? VersionOf(string name) =>
        _differs is not null && _differs.TryGetValue(name, out var version) ? version : _sent.Find(name)?.Version;

    private bool SameOwn(ResourceSet now)
    {
        if (ReferenceEquals(now.Own, _sent.Own)) return true;
        if (now.Own.Count != _sent.Own.Count) return false;
        for (var i = 0; i < now.Own.Count; i++)
        {
            if (now.Own[i].Name != _sent.Own[i].Name || now.Own[i].Version != _sent.Own[i].Version) return false;
        }
        return true;
    }

    private void AddDiffering(ResourceSet now, List<WireResource> news, List<string> gone)
    {
        if (_differs is null) return;
        HashSet<string>? missing = null;
        foreach (var (name, version) in _differs)
        {
            if (now.Find(name) is { } resource)
            {
                if (resource.Version != version) news.Add(resource);
            }
            else if (version is null ? (missing ??= [.. now.Shared.Missing]).Contains(name) : version != Absent)
            {
                gone.Add(name);
            }
        }
    }

    private bool Differs(string name) => _differs is not null && _differs.ContainsKey(name);

    private void Differ(string name, string? version) => (_differs ??= [])[name] = version;
}
