namespace Lateen.Proxy.Routing;

/// <summary>The kinds of <see cref="PathMatch"/>.</summary>
public enum PathMatchKind : byte
{
    Prefix,
    Exact,
    SeparatedPrefix,
    Regex,
    Template,
    Connect,
}

/// <summary>A route's test of the path; the query takes no part (envoy.config.route.v3.RouteMatch).</summary>
public sealed class PathMatch
{
    private readonly byte[] _text;

    /// <summary>A test by text.</summary>
    public PathMatch(PathMatchKind kind, string text, bool ignoreCase = false)
    {
        Kind = kind;
        Written = text;
        IgnoreCase = ignoreCase;
        _text = System.Text.Encoding.UTF8.GetBytes(text);
        Regex = kind == PathMatchKind.Regex ? new SafeRegex(text) : null;
        Template = kind == PathMatchKind.Template ? PathTemplate.Parse(text) : null;
    }

    /// <summary>Which test.</summary>
    public PathMatchKind Kind { get; }

    /// <summary>The path, prefix, pattern or template as it was written.</summary>
    public string Written { get; }

    /// <summary>ASCII case is no matter.</summary>
    public bool IgnoreCase { get; }

    /// <summary>What stands behind a semicolon takes no part (ignore_path_parameters_in_path_matching).</summary>
    public bool CutsParameters { get; init; }

    /// <summary>The compiled pattern of <see cref="PathMatchKind.Regex"/>.</summary>
    public SafeRegex? Regex { get; }

    /// <summary>The parsed form of <see cref="PathMatchKind.Template"/>.</summary>
    public PathTemplate? Template { get; }

    /// <summary>The part of the path that a prefix rewrite replaces.</summary>
    public int MatchedLength(ReadOnlySpan<byte> path) => Kind switch
    {
        PathMatchKind.Prefix or PathMatchKind.SeparatedPrefix => _text.Length,
        _ => Text.WithoutQuery(path).Length,
    };

    /// <summary>The test; a CONNECT route matches only CONNECT requests, and the others only requests with a path that begins with '/',
    /// except by regular expression.</summary>
    public bool Matches(ReadOnlySpan<byte> path, bool isConnect)
    {
        if (Kind == PathMatchKind.Connect)
            return isConnect;
        // A CONNECT without :path matches no path route (RFC 9110 9.3.6); extended CONNECT has one.
        if (path.IsEmpty)
            return false;
        if (CutsParameters && path.IndexOf((byte)';') is >= 0 and var semicolon)
            path = path[..semicolon];
        switch (Kind)
        {
            case PathMatchKind.Prefix:
                return Text.StartsWith(path, _text, IgnoreCase);
            case PathMatchKind.Exact:
                return Text.Same(Text.WithoutQuery(path), _text, IgnoreCase);
            case PathMatchKind.SeparatedPrefix:
                ReadOnlySpan<byte> bare = Text.WithoutQuery(path);
                return Text.StartsWith(bare, _text, IgnoreCase) && (bare.Length == _text.Length || bare[_text.Length] == '/');
            case PathMatchKind.Regex:
                return Regex!.IsMatch(Text.WithoutQuery(path));
            default:
                return Template!.Matches(Text.WithoutQuery(path));
        }
    }

    /// <inheritdoc/>
    public override string ToString() => Kind == PathMatchKind.Connect ? "CONNECT" : $"{Kind switch
    {
        PathMatchKind.Prefix => "prefix",
        PathMatchKind.Exact => "path",
        PathMatchKind.SeparatedPrefix => "path-separated prefix",
        PathMatchKind.Regex => "regex",
        _ => "template",
    }} {Written}";
}
