using System.Text.Json;

namespace Lateen.Proxy.Clusters;

/// <summary>The subsets of one picture of a cluster: for each selector, the hosts by the values of its keys.</summary>
public sealed class SubsetIndex
{
    private readonly SubsetOptions _options;
    private readonly Dictionary<string, HostSet> _byKey = new(StringComparer.Ordinal);
    private readonly HostSet _all;
    private readonly HostSet? _default;

    /// <summary>Computes the subsets.</summary>
    public SubsetIndex(HostSet hosts, BalancerOptions balancer)
    {
        _options = balancer.Subsets ?? throw new InvariantException("a subset index without subsets");
        _all = hosts;
        if (_options.Fallback == SubsetFallback.DefaultSubset)
            _default = hosts.Where(h => Matches(h, _options.DefaultSubset, _options.ListAsAny), balancer);
        foreach (SubsetSelector selector in _options.Selectors)
            Collect(hosts, selector, balancer);
    }

    /// <summary>Number of subsets.</summary>
    public int Count => _byKey.Count;

    /// <summary>The names in use, for the admin page.</summary>
    public IEnumerable<string> Keys => _byKey.Keys;

    /// <summary>The hosts for a route's criteria (in byte order of their keys; null for none); null where nothing may be used.
    /// <paramref name="fellBack"/> tells that no subset matched.</summary>
    public HostSet? Find(SubsetCriteria? criteria, out bool fellBack)
    {
        fellBack = false;
        SubsetFallback fallback = _options.Fallback;
        for (SubsetCriteria? current = criteria; current is { Key.Length: > 0 };)
        {
            if (_byKey.TryGetValue(current.Key, out HostSet? found) && found.All.Length > 0)
                return found;
            SubsetSelector? selector = SelectorOf(current);
            if (selector is null || selector.Fallback == SubsetFallback.NotDefined)
                break;
            if (selector.Fallback != SubsetFallback.KeysSubset)
            {
                fallback = selector.Fallback;
                break;
            }
            current = current.Only(selector.FallbackKeys);
        }
        fellBack = true;
        return fallback switch
        {
            SubsetFallback.AnyEndpoint => _all,
            SubsetFallback.DefaultSubset => _default ?? _all,
            _ => null,
        };
    }

    private SubsetSelector? SelectorOf(SubsetCriteria criteria)
    {
        foreach (SubsetSelector s in _options.Selectors)
        {
            if (criteria.HasKeys(s.Keys))
                return s;
        }
        return null;
    }

    private void Collect(HostSet hosts, SubsetSelector selector, BalancerOptions balancer)
    {
        var members = new Dictionary<string, HashSet<Host>>(StringComparer.Ordinal);
        foreach (Host host in hosts.All)
        {
            foreach (string key in KeysOf(host, selector.Keys, 0, ""))
            {
                if (!members.TryGetValue(key, out HashSet<Host>? set))
                    members[key] = set = [];
                if (!selector.SingleHost || set.Count == 0)
                    set.Add(host);
            }
        }
        bool weighted = balancer.LocalityWeighted && _options.LocalityWeightAware;
        foreach ((string key, HashSet<Host> set) in members)
        {
            Func<LocalityHosts, int, uint>? weigh = !weighted ? (_, _) => 0
                : _options.ScaleLocalityWeight
                ? (l, n) => l.All.Length == 0 || n == 0 ? 0 : Math.Max(1, (uint)(l.Weight * (double)n / l.All.Length)) : null;
            _byKey.TryAdd(key, hosts.Where(set.Contains, balancer, weigh));
        }
    }

    private IEnumerable<string> KeysOf(Host host, IReadOnlyList<string> keys, int at, string prefix)
    {
        if (at == keys.Count)
        {
            yield return prefix;
            yield break;
        }
        if (!host.Endpoint.Metadata.TryGet("envoy.lb", [keys[at]], out JsonElement value))
            yield break;
        IEnumerable<JsonElement> values = _options.ListAsAny && value.ValueKind == JsonValueKind.Array ? value.EnumerateArray() : [value];
        foreach (JsonElement one in values)
        {
            foreach (string key in KeysOf(host, keys, at + 1, prefix + SubsetCriteria.Part(keys[at], one)))
                yield return key;
        }
    }

    private static bool Matches(Host host, IReadOnlyDictionary<string, JsonElement> wanted, bool listAsAny)
    {
        foreach ((string key, JsonElement value) in wanted)
        {
            if (!host.Endpoint.Metadata.TryGet("envoy.lb", [key], out JsonElement has))
                return false;
            bool equal = JsonElement.DeepEquals(has, value)
                || (listAsAny && has.ValueKind == JsonValueKind.Array && has.EnumerateArray().Any(v => JsonElement.DeepEquals(v, value)));
            if (!equal)
                return false;
        }
        return true;
    }
}

/// <summary>Endpoint metadata that a route asks of the load balancer (metadata_match, namespace envoy.lb), computed when the route is
/// published.</summary>
public sealed class SubsetCriteria
{
    /// <summary>The key of a list of further criteria.</summary>
    private const string FallbackList = "fallback_list";

    private readonly SortedDictionary<string, JsonElement> _values;

    /// <summary>Criteria that are tried in turn where the cluster knows such lists, each laid over these; empty for none.</summary>
    public IReadOnlyList<SubsetCriteria> Fallbacks { get; } = [];

    /// <summary>Criteria from keys and values in their JSON form.</summary>
    public SubsetCriteria(IEnumerable<KeyValuePair<string, string>> pairs)
        : this(pairs.Select(p => KeyValuePair.Create(p.Key, JsonDocument.Parse(p.Value).RootElement.Clone())))
    {
    }

    /// <summary>Criteria from keys and values.</summary>
    public SubsetCriteria(IEnumerable<KeyValuePair<string, JsonElement>> values)
    {
        _values = new SortedDictionary<string, JsonElement>(StringComparer.Ordinal);
        JsonElement list = default;
        foreach ((string key, JsonElement value) in values)
        {
            if (key == FallbackList && value.ValueKind == JsonValueKind.Array)
                list = value;
            else
                _values[key] = value;
        }
        if (list.ValueKind == JsonValueKind.Array)
        {
            Fallbacks = [.. list.EnumerateArray().Where(o => o.ValueKind == JsonValueKind.Object)
                .Select(o => new SubsetCriteria(_values.Where(v => !o.TryGetProperty(v.Key, out _))
                    .Concat(o.EnumerateObject().Select(p => KeyValuePair.Create(p.Name, p.Value)))))];
        }
        Key = string.Concat(_values.Select(v => Part(v.Key, v.Value)));
    }

    /// <summary>The name under which <see cref="SubsetIndex"/> finds it.</summary>
    public string Key { get; }

    /// <summary>The values by key.</summary>
    public IReadOnlyDictionary<string, JsonElement> Values => _values;

    /// <summary>This and another's values; the other's win (a weighted cluster over its route).</summary>
    public SubsetCriteria With(SubsetCriteria other) => new(_values.Where(v => !other._values.ContainsKey(v.Key)).Concat(other._values));

    /// <summary>The criteria cut to some keys.</summary>
    public SubsetCriteria Only(IReadOnlyList<string> keys) => new(_values.Where(v => keys.Contains(v.Key)));

    internal bool HasKeys(IReadOnlyList<string> keys) => keys.Count == _values.Count && keys.All(_values.ContainsKey);

    // Key and value as JSON, which quotes both: no two pairs read alike. Numbers are written anew, since 1 and 1.0 are one value.
    internal static string Part(string key, JsonElement value) =>
        JsonEncodedText.Encode(key) + "="
            + (value.ValueKind == JsonValueKind.Number
                ? value.GetDouble().ToString("R", System.Globalization.CultureInfo.InvariantCulture) : value.GetRawText()) + ";";
}
