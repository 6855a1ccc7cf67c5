namespace Lateen.Proxy.Routing;

/// <summary>The kinds of <see cref="StringMatch"/>.</summary>
public enum StringMatchKind : byte
{
    Exact,
    Prefix,
    Suffix,
    Contains,
    Regex,
}

/// <summary>A test of one text (envoy.type.matcher.v3.StringMatcher).</summary>
public sealed class StringMatch
{
    private readonly byte[] _text;
    private readonly SafeRegex? _regex;

    private StringMatch(StringMatchKind kind, string text, bool ignoreCase, SafeRegex? regex)
    {
        Kind = kind;
        Written = text;
        IgnoreCase = ignoreCase;
        _text = System.Text.Encoding.UTF8.GetBytes(text);
        _regex = regex;
    }

    /// <summary>Which test.</summary>
    public StringMatchKind Kind { get; }

    /// <summary>The text or pattern as it was written.</summary>
    public string Written { get; }

    /// <summary>ASCII case is no matter; never with a regular expression.</summary>
    public bool IgnoreCase { get; }

    /// <summary>A test by text.</summary>
    public static StringMatch Of(StringMatchKind kind, string text, bool ignoreCase = false) => new(kind, text, ignoreCase, null);

    /// <summary>A test by a regular expression that must match the whole text.</summary>
    /// <exception cref="ArgumentException">It does not compile.</exception>
    public static StringMatch OfRegex(string pattern) => new(StringMatchKind.Regex, pattern, false, new SafeRegex(pattern));

    /// <summary>The test.</summary>
    public bool Matches(ReadOnlySpan<byte> value) => Kind switch
    {
        StringMatchKind.Exact => Text.Same(value, _text, IgnoreCase),
        StringMatchKind.Prefix => Text.StartsWith(value, _text, IgnoreCase),
        StringMatchKind.Suffix => Text.EndsWith(value, _text, IgnoreCase),
        StringMatchKind.Contains => Text.Contains(value, _text, IgnoreCase),
        _ => _regex!.IsMatch(value),
    };

    /// <inheritdoc/>
    public override string ToString() => $"{Kind.ToString().ToLowerInvariant()} \"{Written}\"{(IgnoreCase ? " ignoring case" : "")}";
}
