using System.Text.RegularExpressions;

namespace Lateen.Proxy.Routing;

/// <summary>
/// A URI template as Envoy matches and rewrites it (envoy.extensions.path.match.uri_template.v3): literals, <c>*</c> (one segment),
/// <c>**</c> (the rest, also none), and variables <c>{name}</c>, <c>{name=*}</c>, <c>{name=a/*}</c>, <c>{name=**}</c>. It is turned into an
/// expression, whose engine is linear in the path.
/// </summary>
public sealed partial class PathTemplate
{
    private readonly Regex _expression;
    private readonly List<string> _variables;

    private PathTemplate(string written, Regex expression, List<string> variables)
    {
        Written = written;
        _expression = expression;
        _variables = variables;
    }

    /// <summary>As it was written.</summary>
    public string Written { get; }

    /// <summary>Reads a template.</summary>
    /// <exception cref="ArgumentException">It is none; the message says why.</exception>
    public static PathTemplate Parse(string text)
    {
        if (!text.StartsWith('/'))
            throw new ArgumentException($"path template \"{text}\" must begin with /");
        var variables = new List<string>();
        var expression = new System.Text.StringBuilder(@"\A");
        int at = 0;
        foreach (Match variable in Variable().Matches(text))
        {
            expression.Append(Pattern(text[at..variable.Index], text));
            string name = variable.Groups[1].Value;
            if (variables.Contains(name))
                throw new ArgumentException($"path template \"{text}\" has the variable {name} more than once");
            variables.Add(name);
            expression.Append("(?<").Append(name).Append('>')
                .Append(variable.Groups[2].Success ? Pattern(variable.Groups[2].Value, text) : "[^/]+").Append(')');
            at = variable.Index + variable.Length;
        }
        expression.Append(Pattern(text[at..], text)).Append(@"\z");
        if (Wildcards().Count(text) > 1)
            throw new ArgumentException($"path template \"{text}\" has ** more than once");
        return new PathTemplate(text, new Regex(expression.ToString(), RegexOptions.NonBacktracking | RegexOptions.CultureInvariant),
            variables);
    }

    private static string Pattern(string part, string whole)
    {
        if (part.AsSpan().IndexOfAny('{', '}') >= 0)
            throw new ArgumentException($"path template \"{whole}\" has a bracket that is no variable's");
        return Regex.Escape(part).Replace(@"\*\*", ".*", StringComparison.Ordinal).Replace(@"\*", "[^/]+", StringComparison.Ordinal);
    }

    /// <summary>True where the whole path matches.</summary>
    public bool Matches(ReadOnlySpan<byte> path) => _expression.IsMatch(System.Text.Encoding.Latin1.GetString(path));

    /// <summary>The values of the variables of a path that matches, by name; null where it does not match.</summary>
    public Dictionary<string, string>? Capture(ReadOnlySpan<byte> path)
    {
        Match match = _expression.Match(System.Text.Encoding.Latin1.GetString(path));
        return match.Success ? _variables.ToDictionary(v => v, v => match.Groups[v].Value) : null;
    }

    [GeneratedRegex(@"\{([A-Za-z][A-Za-z0-9_]*)(?:=([^{}]*))?\}")]
    private static partial Regex Variable();

    [GeneratedRegex(@"\*\*")]
    private static partial Regex Wildcards();
}
