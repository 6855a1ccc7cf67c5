namespace Lateen.Api.Names;

/// <summary>Labels and their comparison.</summary>
public static class LabelSets
{
    private const int PrefixCharsMax = 253;
    private const int NameCharsMax = 63;

    /// <summary>Whether every label of <paramref name="part"/> is in <paramref name="whole"/> with the same value.</summary>
    public static bool IsSubset(IEnumerable<KeyValuePair<string, string>>? part, IReadOnlyDictionary<string, string>? whole)
    {
        foreach (var (key, value) in part ?? [])
        {
            if (whole is null || !whole.TryGetValue(key, out var other) || other != value) return false;
        }

        return true;
    }

    /// <summary>The same over the maps of messages, which are dictionaries but not read-only ones.</summary>
    public static bool IsSubset(IEnumerable<KeyValuePair<string, string>>? part, IDictionary<string, string> whole)
    {
        foreach (var (key, value) in part ?? [])
        {
            if (!whole.TryGetValue(key, out var other) || other != value) return false;
        }

        return true;
    }

    /// <summary>The same over the map of a message, which is both kinds of dictionary.</summary>
    public static bool IsSubset(IEnumerable<KeyValuePair<string, string>>? part,
        Google.Protobuf.Collections.MapField<string, string> whole) =>
        IsSubset(part, (IDictionary<string, string>)whole);

    /// <summary>Whether a selector selects the labels; an empty selector selects nothing (a Service without one has no endpoints of its
    /// own).</summary>
    public static bool Selects(IReadOnlyDictionary<string, string>? selector, IReadOnlyDictionary<string, string>? labels) =>
        selector is { Count: > 0 } && IsSubset(selector, labels);

    /// <summary><c>app=a,version=v1</c> in the order of keys; a label without value is its key alone.</summary>
    public static string Format(IEnumerable<KeyValuePair<string, string>> labels) =>
        string.Join(',', labels.OrderBy(l => l.Key, StringComparer.Ordinal)
            .Select(l => l.Value.Length == 0 ? l.Key : $"{l.Key}={l.Value}"));

    /// <summary>Why a label cannot be, or null (Kubernetes: syntax and character set of labels).</summary>
    public static string? Validate(string key, string value)
    {
        var slash = key.IndexOf('/', StringComparison.Ordinal);
        var name = key[(slash + 1)..];
        if (slash >= 0 && (slash is 0 or > PrefixCharsMax || !key[..slash].Split('.').All(l => NameRules.IsLabel(l))))
        {
            return $"invalid label key \"{key}\": the prefix before the slash must be a domain name";
        }

        if (!IsQualifiedName(name))
            return $"invalid label key \"{key}\": up to 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends";
        return value.Length == 0 || IsQualifiedName(value) ? null : $"invalid label value \"{value}\" of \"{key}\"";
    }

    private static bool IsQualifiedName(string name) =>
        name.Length is > 0 and <= NameCharsMax
        && char.IsAsciiLetterOrDigit(name[0]) && char.IsAsciiLetterOrDigit(name[^1])
        && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');
}
