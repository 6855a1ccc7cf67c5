using Lateen.Pilot.Generation;

namespace Lateen.Pilot.Push;

/// <summary>What one session watches of one type: names asked for, versions sent, answers outstanding, refusals.</summary>
internal sealed class WatchedType(string typeUrl)
{
    /// <summary>Version that stands for "was told that it does not exist".</summary>
    private const string Absent = "";

    private readonly Dictionary<string, string> _sent = [];
    private readonly Dictionary<string, List<string>> _outstanding = [];
    private readonly Dictionary<string, NackedResource> _nacked = [];
    private readonly HashSet<string> _names = [];

    public string TypeUrl { get; } = typeUrl;

    public bool IsWildcard { get; set; }

    public IReadOnlySet<string> Names => _names;

    /// <summary>Generation has to look at it again.</summary>
    public bool IsDirty { get; set; }

    /// <summary>The peer waits for an answer, even an empty one.</summary>
    public bool OwesAnswer { get; set; }

    /// <summary>Something that is gone was not yet taken away.</summary>
    public bool WithholdsRemovals { get; set; }

    /// <summary>The peer came back with what an earlier stream gave it, and this stream has not answered it yet.</summary>
    public bool IsResumed { get; set; }

    public string LastNonce { get; set; } = "";

    public string SentRevision { get; set; } = "";

    public string AckedRevision { get; set; } = "";

    public bool AwaitsAck => _outstanding.Count > 0;

    public int SentCount => _sent.Count;

    public IEnumerable<NackedResource> Nacked => _nacked.Values.OrderBy(nacked => nacked.Name, StringComparer.Ordinal);

    public void Subscribe(string name)
    {
        _names.Add(name);
        // A name subscribed to again wants the resource again (xDS protocol, "Subscribing to resources").
        _sent.Remove(name);
    }

    public void Unsubscribe(string name)
    {
        _names.Remove(name);
        if (!IsWildcard) _sent.Remove(name);
    }

    /// <summary>Replaces the subscription (state of the world). True when it changed.</summary>
    public bool Replace(IEnumerable<string> names)
    {
        var wanted = names.ToHashSet();
        if (wanted.SetEquals(_names)) return false;
        foreach (var gone in _names.Except(wanted).ToList()) Unsubscribe(gone);
        foreach (var added in wanted.Where(name => !_names.Contains(name))) Subscribe(added);
        return true;
    }

    /// <summary>The peer holds this version already, from an earlier stream.</summary>
    public void Holds(string name, string version) => _sent[name] = version;

    /// <summary>The peer has some version of it.</summary>
    public bool IsHeld(string name) => _sent.TryGetValue(name, out var version) && version != Absent;

    /// <summary>The peer needs it once more, although it did not change.</summary>
    public bool Forget(string name) => _sent.Remove(name);

    public bool IsNews(WireResource resource) => !_sent.TryGetValue(resource.Name, out var version) || version != resource.Version;

    /// <summary>Names that the peer holds, or waits for, and that do not exist.</summary>
    /// <param name="all">Everything that exists of what it asked for.</param>
    public List<string> Gone(IReadOnlyList<WireResource> all)
    {
        var gone = new List<string>();
        if (NothingGone(all)) return gone;
        var existing = new HashSet<string>(all.Count);
        foreach (var resource in all) existing.Add(resource.Name);
        foreach (var (name, version) in _sent)
        {
            if (version != Absent && !existing.Contains(name)) gone.Add(name);
        }
        foreach (var name in _names)
        {
            if (name != "*" && !existing.Contains(name) && !_sent.ContainsKey(name)) gone.Add(name);
        }
        gone.Sort(StringComparer.Ordinal);
        return gone;
    }

    // The usual case, told by counting: all that it holds exists, and all that it asked for, too.
    private bool NothingGone(IReadOnlyList<WireResource> all)
    {
        if (!IsWildcard && all.Count != _names.Count) return false;
        var held = 0;
        foreach (var resource in all)
        {
            if (_sent.TryGetValue(resource.Name, out var version) && version != Absent) held++;
        }
        return held == _sent.Count && (!IsWildcard || _names.Count == 0 || (_names.Count == 1 && _names.Contains("*")));
    }

    public void Sent(string nonce, string revision, IReadOnlyList<WireResource> resources, IReadOnlyList<string> removed)
    {
        var names = new List<string>(resources.Count);
        foreach (var resource in resources)
        {
            _sent[resource.Name] = resource.Version;
            _nacked.Remove(resource.Name);
            names.Add(resource.Name);
        }
        foreach (var name in removed)
        {
            _nacked.Remove(name);
            if (_names.Contains(name)) _sent[name] = Absent;
            else _sent.Remove(name);
        }
        _outstanding[nonce] = names;
        LastNonce = nonce;
        SentRevision = revision;
        OwesAnswer = false;
    }

    /// <summary>The peer answered. False when the nonce is not one of ours (expired, or of another stream).</summary>
    public bool Answered(string nonce, string? error)
    {
        if (!_outstanding.Remove(nonce, out var names)) return false;
        if (error is null)
        {
            if (nonce == LastNonce) AckedRevision = SentRevision;
            return true;
        }
        foreach (var name in names) _nacked[name] = new NackedResource(name, _sent.GetValueOrDefault(name, Absent), error);
        return true;
    }
}
