// Keys: the JSON web keys of token issuers, which istiod fetches for its proxies: a proxy gets them written into its configuration and
// needs no way to the issuer. `KeySets` knows which are wanted, which are there and when each is asked for again; `KeyFetcher` is the edge
// that speaks HTTP. The loop alone drives the first, and posts of the second come in through it.
//
// Keys that cannot be had are replaced by ones whose private half nobody has (`UnfetchedKeys`): every token is refused, none is let
// through. Keys that were had once stay when their issuer cannot be reached any more.
//
// Refused: fetching while a listener is generated, as istiod does: an issuer that is slow would hold up the configuration of the whole
// mesh.
using System.Collections.Frozen;
using Istio.Security.V1Beta1;
using Lateen.Config.Resources;
using Lateen.Config.Store;
using Lateen.Pilot.Meaning;

namespace Lateen.ControlPlane.Keys;

/// <summary>A key set to be fetched.</summary>
/// <param name="Name">Whose, and where it lies.</param>
/// <param name="Timeout">How long that may take.</param>
public sealed record KeySetRequest(KeySetName Name, TimeSpan Timeout);

/// <summary>The key sets that RequestAuthentications ask for.</summary>
/// <param name="fetch">Begins to fetch one and calls <see cref="Arrived"/> some time, in any case; null where nobody can.</param>
public sealed class KeySets(Action<KeySetRequest>? fetch)
{
    private static readonly TimeSpan Refresh = TimeSpan.FromMinutes(20);
    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LastRetry = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(5);

    private readonly Dictionary<KeySetName, Entry> _entries = [];
    private IReadOnlyList<Resource<RequestAuthentication>>? _seen;

    /// <summary>What is there; another object whenever something in it changed.</summary>
    public FrozenDictionary<KeySetName, string> Current { get; private set; } = FrozenDictionary<KeySetName, string>.Empty;

    /// <summary>Some were never answered for: what is compiled now would refuse tokens that are good.</summary>
    public bool AwaitsFirst => fetch is not null && _entries.Values.Any(entry => !entry.WasAnswered);

    /// <summary>When <see cref="Ask"/> has something to do; null for never.</summary>
    public DateTimeOffset? DueAt =>
        fetch is null || _entries.Count == 0
            ? null : _entries.Values.Where(entry => !entry.IsUnderWay).Min(entry => (DateTimeOffset?)entry.Due);

    /// <summary>Notes which are wanted.</summary>
    public void Want(ResourceView view, DateTimeOffset now)
    {
        // One object while no policy of the kind changes.
        IReadOnlyList<Resource<RequestAuthentication>> policies = view.All(Kinds.RequestAuthentication);
        if (ReferenceEquals(policies, _seen)) return;
        _seen = policies;
        var wanted = new Dictionary<KeySetName, TimeSpan>();
        foreach (JWTRule rule in policies.SelectMany(policy => policy.Spec.JwtRules).Where(rule => rule.Jwks.Length == 0))
            wanted[new KeySetName(rule.Issuer, rule.JwksUri)] = rule.Timeout?.ToTimeSpan() ?? DefaultTimeout;
        foreach (KeySetName gone in _entries.Keys.Except(wanted.Keys).ToList()) _entries.Remove(gone);
        foreach ((KeySetName name, TimeSpan timeout) in wanted)
        {
            if (_entries.TryGetValue(name, out Entry? entry)) entry.Timeout = timeout;
            else _entries.Add(name, new Entry { Due = now, Timeout = timeout });
        }
        if (Current.Keys.Any(name => !_entries.ContainsKey(name))) Current = Published();
    }

    /// <summary>Asks for those that are due.</summary>
    public void Ask(DateTimeOffset now)
    {
        if (fetch is null || _entries.Count == 0) return;
        foreach ((KeySetName name, Entry entry) in _entries.Where(pair => !pair.Value.IsUnderWay && pair.Value.Due <= now).ToList())
        {
            entry.IsUnderWay = true;
            fetch(new KeySetRequest(name, entry.Timeout));
        }
    }

    /// <summary>A key set arrived, or did not.</summary>
    /// <param name="name">Which.</param>
    /// <param name="text">Its text; null when it could not be had.</param>
    /// <param name="now">The time.</param>
    /// <returns>True when <see cref="Current"/> has changed.</returns>
    public bool Arrived(KeySetName name, string? text, DateTimeOffset now)
    {
        if (!_entries.TryGetValue(name, out Entry? entry)) return false;
        entry.IsUnderWay = false;
        entry.WasAnswered = true;
        entry.Failures = text is null ? entry.Failures + 1 : 0;
        entry.Due = now + (text is null ? RetryAfter(entry.Failures) : Refresh);
        if (text is null || text == entry.Text) return false;
        entry.Text = text;
        Current = Published();
        return true;
    }

    private static TimeSpan RetryAfter(int failures)
    {
        TimeSpan doubled = FirstRetry * Math.Pow(2, Math.Min(failures - 1, 10));
        return doubled < LastRetry ? doubled : LastRetry;
    }

    private FrozenDictionary<KeySetName, string> Published() =>
        _entries.Where(pair => pair.Value.Text is not null).ToFrozenDictionary(pair => pair.Key, pair => pair.Value.Text!);

    private sealed class Entry
    {
        public string? Text { get; set; }

        public DateTimeOffset Due { get; set; }

        public TimeSpan Timeout { get; set; }

        public int Failures { get; set; }

        public bool IsUnderWay { get; set; }

        public bool WasAnswered { get; set; }
    }
}
