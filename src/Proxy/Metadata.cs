using System.Collections.Frozen;
using System.Text.Json;

namespace Lateen.Proxy;

/// <summary>
/// Values that resources and filters attach to something, by namespace ("envoy.lb", "istio", a filter's name): the running form of Envoy's
/// Metadata. Immutable where configured;
/// an exchange's dynamic metadata is a series of these. Values are JSON, since that is what a protobuf Struct and a token's claims are.
/// </summary>
public sealed class Metadata
{
    /// <summary>No values.</summary>
    public static readonly Metadata Empty = new(FrozenDictionary<string, JsonElement>.Empty);

    private readonly FrozenDictionary<string, JsonElement> _byNamespace;

    private Metadata(FrozenDictionary<string, JsonElement> byNamespace) => _byNamespace = byNamespace;

    /// <summary>The namespaces, each with an object.</summary>
    public IReadOnlyDictionary<string, JsonElement> Namespaces => _byNamespace;

    /// <summary>True where nothing is attached.</summary>
    public bool IsEmpty => _byNamespace.Count == 0;

    /// <summary>From objects by namespace.</summary>
    public static Metadata Of(IEnumerable<KeyValuePair<string, JsonElement>> byNamespace)
    {
        FrozenDictionary<string, JsonElement> frozen = byNamespace.ToFrozenDictionary(StringComparer.Ordinal);
        return frozen.Count == 0 ? Empty : new Metadata(frozen);
    }

    /// <summary>The value at a path inside a namespace; false where a step is absent or no object.</summary>
    public bool TryGet(string ns, ReadOnlySpan<string> path, out JsonElement value)
    {
        if (!_byNamespace.TryGetValue(ns, out value))
            return false;
        foreach (string step in path)
        {
            if (value.ValueKind != JsonValueKind.Object || !value.TryGetProperty(step, out value))
                return false;
        }
        return true;
    }

    /// <summary>The text at one key of a namespace; null where it is absent or no text.</summary>
    public string? Text(string ns, string key) =>
        TryGet(ns, [key], out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    /// <summary>The object of a namespace; an undefined element where it is absent.</summary>
    public JsonElement this[string ns] => _byNamespace.GetValueOrDefault(ns);

    /// <summary>These values with one namespace more; objects of the same namespace are joined, the new keys win.</summary>
    public static Metadata With(Metadata? before, string ns, JsonElement value)
    {
        if (before is null || before.IsEmpty)
            return Of([KeyValuePair.Create(ns, value)]);
        var all = new Dictionary<string, JsonElement>(before._byNamespace, StringComparer.Ordinal);
        all[ns] = all.TryGetValue(ns, out JsonElement old) ? Join(old, value) : value;
        return Of(all);
    }

    private static JsonElement Join(JsonElement old, JsonElement added)
    {
        if (old.ValueKind != JsonValueKind.Object || added.ValueKind != JsonValueKind.Object)
            return added;
        var joined = new SortedDictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (JsonProperty p in old.EnumerateObject())
            joined[p.Name] = p.Value;
        foreach (JsonProperty p in added.EnumerateObject())
            joined[p.Name] = p.Value;
        return JsonSerializer.SerializeToElement(joined);
    }
}

/// <summary>
/// Values that a filter attaches to many exchanges: known when configuration is published (a policy's verdict) or kept with what they were
/// read from (a token). What they make together with what an exchange has already is remembered by that, so that a warm request joins
/// nothing.
/// </summary>
/// <param name="ns">Their namespace.</param>
/// <param name="value">An object.</param>
public sealed class MetadataFragment(string ns, JsonElement value)
{
    private const int Kept = 16;

    private readonly Metadata _alone = Metadata.With(null, ns, value);
    private readonly Joined?[] _joined = new Joined?[Kept];

    private sealed record Joined(Metadata Before, Metadata After);

    /// <summary>A fragment of texts.</summary>
    public static MetadataFragment Of(string ns, IReadOnlyDictionary<string, string> texts) =>
        new(ns, JsonSerializer.SerializeToElement(
            new SortedDictionary<string, string>(new Dictionary<string, string>(texts), StringComparer.Ordinal)));

    /// <summary>These values over others; any thread.</summary>
    public Metadata Over(Metadata? before)
    {
        if (before is null || before.IsEmpty)
            return _alone;
        ref Joined? place = ref _joined[(System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(before) >>> 3) % Kept];
        if (Volatile.Read(ref place) is { } known && ReferenceEquals(known.Before, before))
            return known.After;
        Metadata after = Metadata.With(before, ns, value);
        Volatile.Write(ref place, new Joined(before, after));
        return after;
    }
}
