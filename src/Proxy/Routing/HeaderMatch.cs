using System.Buffers.Text;
using Lateen.Proxy.Http;

namespace Lateen.Proxy.Routing;

/// <summary>
/// A test of one header (envoy.config.route.v3.HeaderMatcher). An ordinary header that stands on several lines is matched line by line, one
/// suffices (observed of Envoy 1.40);
/// an absent header matches nothing, even inverted, unless only presence is asked or absence counts as the empty text.
/// </summary>
public sealed class HeaderMatch
{
    private readonly byte[] _name;
    private readonly KnownHeader _known;

    /// <summary>Prepares the test of the header <paramref name="name"/>.</summary>
    public HeaderMatch(string name)
    {
        Name = name.ToLowerInvariant();
        // Envoy keeps Host as :authority in either protocol.
        if (Name == "host")
            Name = ":authority";
        _name = System.Text.Encoding.Latin1.GetBytes(Name);
        _known = KnownHeaders.Find(_name);
    }

    /// <summary>The header's name in lower case.</summary>
    public string Name { get; }

    /// <summary>The value's test; null for a range or a test of presence.</summary>
    public StringMatch? Value { get; init; }

    /// <summary>The range [start, end) that the value, as a whole number, must lie in.</summary>
    public (long Start, long End)? Range { get; init; }

    /// <summary>Whether the header must be there (true) or must not (false), where neither value nor range is asked.</summary>
    public bool Present { get; init; } = true;

    /// <summary>The result is turned round.</summary>
    public bool Invert { get; init; }

    /// <summary>An absent header counts as an empty one.</summary>
    public bool MissingIsEmpty { get; init; }

    /// <summary>The test.</summary>
    public bool Matches(HeaderMap head)
    {
        int at = Find(head, 0);
        if (Value is null && Range is null)
            return (at >= 0 || MissingIsEmpty) == Present != Invert;
        if (at < 0)
            return MissingIsEmpty && MatchesValue(default) != Invert;
        bool any = false;
        for (; at >= 0 && !any; at = Find(head, at + 1))
        {
            head.At(at, out _, out _, out ReadOnlySpan<byte> value);
            any = MatchesValue(value);
        }
        return any != Invert;
    }

    private int Find(HeaderMap head, int from) => _known != KnownHeader.None ? head.IndexOf(_known, from) : head.IndexOf(_name, from);

    private bool MatchesValue(ReadOnlySpan<byte> value)
    {
        if (Value is not null)
            return Value.Matches(value);
        return Utf8Parser.TryParse(value, out long number, out int used) && used == value.Length && number >= Range!.Value.Start
            && number < Range.Value.End;
    }

    /// <inheritdoc/>
    public override string ToString()
    {
        string test = Value is not null ? $"{Name} {Value}" : Range is { } r ? $"{Name} in [{r.Start}, {r.End})" : Present
            ? $"{Name} present" : $"{Name} absent";
        return Invert ? $"not {test}" : test;
    }
}

/// <summary>A test of one query parameter (envoy.config.route.v3.QueryParameterMatcher): names and values undecoded, the first of a name
/// counts.</summary>
/// <param name="Name">The parameter.</param>
/// <param name="Value">The test of its value; null asks for presence only.</param>
public sealed record QueryMatch(string Name, StringMatch? Value)
{
    private readonly byte[] _name = System.Text.Encoding.UTF8.GetBytes(Name);

    /// <summary>What presence must be, where no value is asked.</summary>
    public bool Present { get; init; } = true;

    /// <summary>The test over a query (without '?').</summary>
    public bool Matches(ReadOnlySpan<byte> query)
    {
        bool found = TryFind(query, _name, out ReadOnlySpan<byte> value);
        return Value is null ? found == Present : found && Value.Matches(value);
    }

    /// <summary>The first value of a parameter, undecoded; parameters are parted by '&amp;'.</summary>
    public static bool TryFind(ReadOnlySpan<byte> query, ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        while (!query.IsEmpty)
        {
            int end = query.IndexOf((byte)'&');
            ReadOnlySpan<byte> pair = end < 0 ? query : query[..end];
            query = end < 0 ? default : query[(end + 1)..];
            int eq = pair.IndexOf((byte)'=');
            ReadOnlySpan<byte> key = eq < 0 ? pair : pair[..eq];
            if (key.SequenceEqual(name) && !pair.IsEmpty)
            {
                value = eq < 0 ? default : pair[(eq + 1)..];
                return true;
            }
        }
        value = default;
        return false;
    }
}
