namespace Lateen.Proxy.Routing;

/// <summary>
/// A URI template as Envoy matches and rewrites it (envoy.extensions.path.match.uri_template.v3): literals, <c>*</c> (one segment), <c>**</c> (the rest), and variables
/// <c>{name}</c>, <c>{name=*}</c>, <c>{name=a/*}</c>, <c>{name=**}</c>.
/// </summary>
public sealed class PathTemplate
{
    private enum PartKind : byte
    {
        Literal,
        Star,
        DoubleStar,
    }

    private readonly record struct Part(PartKind Kind, byte[] Literal, int OpensVariable, int ClosesVariable);

    private readonly List<Part> _parts = [];
    private readonly List<string> _variables = [];

    private PathTemplate(string written) => Written = written;

    /// <summary>As it was written.</summary>
    public string Written { get; }

    /// <summary>Reads a template.</summary>
    /// <exception cref="ArgumentException">It is none; the message says why.</exception>
    public static PathTemplate Parse(string text)
    {
        var template = new PathTemplate(text);
        if (!text.StartsWith('/'))
            throw new ArgumentException($"path template \"{text}\" must begin with /");
        int open = -1;
        foreach (string segment in SplitSegments(text))
        {
            string part = segment;
            int opens = -1, closes = -1;
            if (part.StartsWith('{'))
            {
                int eq = part.IndexOf('=', StringComparison.Ordinal);
                string name = (eq < 0 ? part[1..] : part[1..eq]).TrimEnd('}');
                opens = open = template._variables.Count;
                template._variables.Add(name);
                part = eq < 0 ? "*}" : part[(eq + 1)..];
            }
            if (part.EndsWith('}'))
            {
                closes = open;
                open = -1;
                part = part[..^1];
            }
            PartKind kind = part switch { "*" => PartKind.Star, "**" => PartKind.DoubleStar, _ => PartKind.Literal };
            if (kind == PartKind.Literal && part.AsSpan().IndexOfAny('*', '{', '}') >= 0)
                throw new ArgumentException($"path template \"{text}\": \"{part}\" mixes a literal with an operator");
            template._parts.Add(new Part(kind, System.Text.Encoding.UTF8.GetBytes(part), opens, closes));
        }
        if (template._parts.FindIndex(p => p.Kind == PartKind.DoubleStar) is var at && at >= 0 && at != template._parts.Count - 1
            && template._parts.FindLastIndex(p => p.Kind == PartKind.DoubleStar) != at)
            throw new ArgumentException($"path template \"{text}\" has ** more than once");
        return template;
    }

    /// <summary>True where the whole path matches.</summary>
    public bool Matches(ReadOnlySpan<byte> path) => path.Length > 0 && path[0] == '/' && Match(path[1..], 0, null);

    /// <summary>The values of the variables of a path that matches, by name; null where it does not match.</summary>
    public Dictionary<string, string>? Capture(ReadOnlySpan<byte> path)
    {
        var spans = new (int Start, int End)[_variables.Count];
        if (path.Length == 0 || path[0] != '/' || !Match(path[1..], 0, spans, 0))
            return null;
        var values = new Dictionary<string, string>();
        for (int i = 0; i < spans.Length; i++)
            values[_variables[i]] = System.Text.Encoding.Latin1.GetString(path[(1 + spans[i].Start)..(1 + spans[i].End)]);
        return values;
    }

    private bool Match(ReadOnlySpan<byte> rest, int at, (int Start, int End)[]? spans, int offset = 0)
    {
        if (at == _parts.Count)
            return rest.IsEmpty;
        Part part = _parts[at];
        if (part.Kind == PartKind.DoubleStar)
        {
            for (int length = rest.Length; length >= 0; length--)
            {
                bool last = at == _parts.Count - 1;
                if (last ? length == rest.Length : length < rest.Length && rest[length] == '/' && Match(rest[(length + 1)..], at + 1, spans, offset + length + 1))
                {
                    Note(spans, part, offset, offset + length);
                    return true;
                }
            }
            return false;
        }
        int slash = rest.IndexOf((byte)'/');
        ReadOnlySpan<byte> segment = slash < 0 ? rest : rest[..slash];
        if (part.Kind == PartKind.Star ? segment.IsEmpty : !segment.SequenceEqual(part.Literal))
            return false;
        bool more = at + 1 < _parts.Count;
        if (more != slash >= 0)
            return false;
        if (!(more ? Match(rest[(slash + 1)..], at + 1, spans, offset + slash + 1) : true))
            return false;
        Note(spans, part, offset, offset + segment.Length);
        return true;
    }

    private static void Note((int Start, int End)[]? spans, in Part part, int start, int end)
    {
        if (spans is null)
            return;
        // Parts are noted from the last to the first: the closing one sets the end, the opening one the start.
        if (part.ClosesVariable >= 0)
            spans[part.ClosesVariable].End = end;
        if (part.OpensVariable >= 0)
            spans[part.OpensVariable].Start = start;
    }

    private static List<string> SplitSegments(string text)
    {
        // A slash inside {name=a/*} parts segments, too: the variable spans them.
        return [.. text[1..].Split('/')];
    }
}
