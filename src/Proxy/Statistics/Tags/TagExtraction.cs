using System.Text.RegularExpressions;

namespace Lateen.Proxy.Statistics.Tags;

/// <summary>Finds one tag in a name.</summary>
public abstract class TagExtractor(string tag, string prefix)
{
    /// <summary>The tag's name.</summary>
    public string Tag { get; } = tag;

    /// <summary>The first part of names that can have it; empty for any.</summary>
    public string Prefix { get; } = prefix;

    /// <summary>The part to take out of the name and the value; false where the name has no such tag.</summary>
    public abstract bool Find(string name, out Range removed, out string value);

    /// <summary>The same for all names of a group, where their prefix decides it; null where it does not.</summary>
    /// <param name="prefix">What they begin with, to a dot.</param>
    /// <param name="members">What follows it: each with a zero in front and behind.</param>
    /// <param name="removed">In the prefix.</param>
    /// <param name="value">The value.</param>
    internal virtual bool? FindInPrefix(string prefix, string members, out Range removed, out string value)
    {
        (removed, value) = (0..0, "");
        return null;
    }
}

/// <summary>A value that stands in every name.</summary>
public sealed class FixedTag(string tag, string always) : TagExtractor(tag, "")
{
    /// <inheritdoc/>
    public override bool Find(string name, out Range removed, out string value)
    {
        removed = 0..0;
        value = always;
        return true;
    }

    /// <inheritdoc/>
    internal override bool? FindInPrefix(string prefix, string members, out Range removed, out string value) =>
        Find(prefix, out removed, out value);
}

/// <summary>By a regular expression: its first group is taken out, its second (else the first) is the value.</summary>
public sealed class RegexTag : TagExtractor
{
    private readonly string _text, _needs, _not;
    private readonly Func<string, bool>? _may;
    private Regex? _regex;

    /// <summary>A tag by an expression.</summary>
    /// <param name="tag">Its name.</param>
    /// <param name="pattern">RE2's syntax.</param>
    /// <param name="needs">A text without which no name can match; empty for none.</param>
    /// <param name="not">A value that is no match.</param>
    /// <param name="may">Whether a name can match at all, where that is quickly seen; null for any.</param>
    /// <exception cref="ArgumentException">The expression is none.</exception>
    public RegexTag(string tag, string pattern, string needs = "", string not = "", Func<string, bool>? may = null)
        : base(tag, PrefixOf(pattern))
    {
        // Look-ahead for a dot is how old configurations say that the first part ends; the engine of linear time has none, and consuming
        // the dot means the same there.
        string text = pattern.Replace("(?=\\.)", "", StringComparison.Ordinal).Replace("[:digit:]", "0-9", StringComparison.Ordinal)
            .Replace("[:alpha:]", "a-zA-Z", StringComparison.Ordinal).Replace("[:alnum:]", "a-zA-Z0-9", StringComparison.Ordinal);
        // Checked now, built when somebody first asks for tags: a proxy starts without paying for them.
        _ = new Regex(text, RegexOptions.CultureInvariant);
        (_text, _needs, _not, _may) = (text, needs, not, may);
    }

    /// <inheritdoc/>
    public override bool Find(string name, out Range removed, out string value)
    {
        (removed, value) = (0..0, "");
        if ((_needs.Length > 0 && !name.Contains(_needs, StringComparison.Ordinal)) || _may?.Invoke(name) == false)
            return false;
        Match match = (_regex ??= new Regex(_text, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant)).Match(name);
        if (!match.Success || match.Groups.Count < 2 || !match.Groups[1].Success)
            return false;
        Group whole = match.Groups[1], inner = match.Groups.Count > 2 && match.Groups[2].Success && match.Groups[2].Length > 0
            ? match.Groups[2] : whole;
        value = inner.Value;
        removed = whole.Index..(whole.Index + whole.Length);
        return _not.Length == 0 || value != _not;
    }

    /// <inheritdoc/>
    internal override bool? FindInPrefix(string prefix, string members, out Range removed, out string value)
    {
        (removed, value) = (0..0, "");
        return _needs.Length > 0 && !Occurs(prefix, members) ? false : null;
    }

    // Whether some name has the text that all matches need: in the prefix, in what follows, or across the two.
    private bool Occurs(string prefix, string members)
    {
        if (prefix.Contains(_needs, StringComparison.Ordinal) || members.Contains(_needs, StringComparison.Ordinal))
            return true;
        for (int i = 1; i < _needs.Length; i++)
        {
            if (prefix.AsSpan().EndsWith(_needs.AsSpan(0, i)) && members.Contains("\0" + _needs[i..], StringComparison.Ordinal))
                return true;
        }
        return false;
    }

    // "^cluster\." says that only names beginning with cluster. can match.
    private static string PrefixOf(string pattern)
    {
        if (!pattern.StartsWith('^'))
            return "";
        int end = 1;
        while (end < pattern.Length && (char.IsAsciiLetterOrDigit(pattern[end]) || pattern[end] == '_'))
            end++;
        string rest = pattern[end..];
        return end > 1 && (rest.StartsWith("\\.", StringComparison.Ordinal) || rest.StartsWith("(?=\\.)", StringComparison.Ordinal)
            || rest == "$") ? pattern[1..end] : "";
    }
}

/// <summary>By the parts between dots: <c>*</c> is any part, <c>**</c> any number of them, <c>$</c> the value.</summary>
public sealed class PartTag(string tag, string pattern)
    : TagExtractor(tag, pattern[0] is '$' or '*' ? "" : pattern[..pattern.IndexOf('.', StringComparison.Ordinal)])
{
    private readonly string[] _pattern = pattern.Split('.');

    /// <inheritdoc/>
    public override bool Find(string name, out Range removed, out string value)
    {
        (removed, value) = (0..0, "");
        Range found = default;
        if (!Match(name, 0, 0, ref found))
            return false;
        value = name[found];
        // The dot behind goes with it, or the one in front of the last part.
        int start = found.Start.Value, end = found.End.Value;
        removed = end < name.Length ? start..(end + 1) : Math.Max(0, start - 1)..end;
        return true;
    }

    /// <inheritdoc/>
    internal override bool? FindInPrefix(string prefix, string members, out Range removed, out string value)
    {
        (removed, value) = (0..0, "");
        int at = 0;
        for (int i = 0; i < _pattern.Length; i++)
        {
            string wanted = _pattern[i];
            if (wanted == "**")
                return i == _pattern.Length - 1 ? Find(prefix, out removed, out value) : null;
            if (at == prefix.Length)
                return wanted is "*" or "$" || members.Contains($"\0{wanted}.", StringComparison.Ordinal)
                    || members.Contains($"\0{wanted}\0", StringComparison.Ordinal) ? null : false;
            int end = End(prefix, at);
            if (wanted is not ("*" or "$") && !prefix.AsSpan(at, end - at).SequenceEqual(wanted))
                return false;
            at = end + 1;
        }

        // The whole pattern lies in the prefix, and names are longer.
        return false;
    }

    private bool Match(string name, int at, int part, ref Range value)
    {
        if (part == _pattern.Length)
            return at > name.Length;
        if (_pattern[part] == "**")
        {
            if (part == _pattern.Length - 1)
                return true;
            for (int next = at; next <= name.Length; next = End(name, next) + 1)
            {
                if (Match(name, next, part + 1, ref value))
                    return true;
            }
            return false;
        }
        if (at > name.Length)
            return false;
        int end = End(name, at);
        if (_pattern[part] == "$")
            value = at..end;
        else if (_pattern[part] != "*" && !name.AsSpan(at, end - at).SequenceEqual(_pattern[part]))
            return false;
        return Match(name, end + 1, part + 1, ref value);
    }

    private static int End(string name, int from)
    {
        int dot = from < name.Length ? name.IndexOf('.', from) : -1;
        return dot < 0 ? name.Length : dot;
    }
}

/// <summary>The tags of names, in the order in which Envoy writes them: extractors of any name first, then those of the name's first
/// part.</summary>
public sealed class TagExtraction
{
    /// <summary>Envoy's default.</summary>
    public static readonly TagExtraction Default = new(static () => DefaultTags.All);

    private readonly Lazy<(TagExtractor[] Any, Dictionary<string, TagExtractor[]> ByPrefix)> _extractors;

    /// <summary>Tags in the order of their configuration; asked for when somebody first reads.</summary>
    public TagExtraction(Func<IEnumerable<TagExtractor>> extractors) => _extractors = new(() => Sort(extractors()));

    private static (TagExtractor[], Dictionary<string, TagExtractor[]>) Sort(IEnumerable<TagExtractor> extractors)
    {
        ILookup<string, TagExtractor> lookup = extractors.ToLookup(e => e.Prefix, StringComparer.Ordinal);
        return ([.. lookup[""]], lookup.Where(g => g.Key.Length > 0).ToDictionary(g => g.Key, g => g.ToArray(), StringComparer.Ordinal));
    }

    /// <summary>The name without its tags, and the tags.</summary>
    public string Extract(string name, List<(string Tag, string Value)> tags)
    {
        var removed = new List<Range>();
        foreach (TagExtractor extractor in Concerning(name))
            One(extractor, name, tags, removed);
        return Without(name, removed);
    }

    /// <summary>What all names of a group have in common; null where the prefix does not end its part.</summary>
    internal PrefixTags? OfPrefix(string prefix, string members)
    {
        if (!prefix.EndsWith('.'))
            return null;
        var tags = new List<(string Tag, string Value)>();
        var removed = new List<Range>();
        var open = new List<TagExtractor>();
        foreach (TagExtractor extractor in Concerning(prefix))
        {
            bool? found = extractor.FindInPrefix(prefix, members, out Range range, out string value);
            if (found is null)
                open.Add(extractor);
            if (found is not true || tags.Exists(t => t.Tag == extractor.Tag))
                continue;
            tags.Add((extractor.Tag, value));
            if (range.End.Value > range.Start.Value)
                removed.Add(range);
        }
        return new PrefixTags(tags, Without(prefix, removed), open);
    }

    private IEnumerable<TagExtractor> Concerning(string name)
    {
        int dot = name.IndexOf('.', StringComparison.Ordinal);
        return dot > 0 && _extractors.Value.ByPrefix.TryGetValue(name[..dot], out TagExtractor[]? own)
            ? _extractors.Value.Any.Concat(own) : _extractors.Value.Any;
    }

    private static string Without(string name, List<Range> removed)
    {
        if (removed.Count == 0)
            return name;
        var text = new System.Text.StringBuilder(name.Length);
        for (int i = 0; i < name.Length; i++)
        {
            if (!removed.Exists(r => i >= r.Start.Value && i < r.End.Value))
                text.Append(name[i]);
        }
        return text.ToString();
    }

    private static void One(TagExtractor extractor, string name, List<(string Tag, string Value)> tags, List<Range> removed)
    {
        if (tags.Exists(t => t.Tag == extractor.Tag) || !extractor.Find(name, out Range range, out string value))
            return;
        tags.Add((extractor.Tag, value));
        if (range.End.Value > range.Start.Value)
            removed.Add(range);
    }
}
