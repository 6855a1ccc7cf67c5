namespace Lateen.Config.Validation.Policies;

/// <summary>Paths of authorization policies with <c>{*}</c> (one segment) and <c>{**}</c> (any rest).</summary>
public static class PathTemplates
{
    private const string One = "{*}";
    private const string Any = "{**}";

    /// <summary>Whether the path has a template operator at all; without one it is an ordinary string match.</summary>
    public static bool IsTemplate(string path) =>
        path.Contains(One, StringComparison.Ordinal) || path.Contains(Any, StringComparison.Ordinal);

    /// <summary>Whether a text may stand between two slashes of a template: the characters of RFC 3986 for that place.</summary>
    public static bool IsLiteral(string segment) =>
        segment.Length > 0
            && segment.All(static c => char.IsAsciiLetterOrDigit(c) || "-._~%!$&'()+,;:@=".Contains(c, StringComparison.Ordinal));

    /// <summary>Why the template is not valid, or null.</summary>
    public static string? Problem(string path)
    {
        if (!path.Contains('{') && !path.Contains('}')) return null;
        var seenAny = false;
        foreach (var segment in path.Trim('/').Split('/'))
        {
            if (segment is One or Any)
            {
                if (seenAny) return segment == One
                    ? $"invalid path {path}: {One} is not supported after {Any}" : $"invalid path {path}: {Any} may occur once";
                seenAny |= segment == Any;
            }
            else if (segment.Contains('{') || segment.Contains('}'))
                return $"invalid path {path}: {{ and }} are not supported in a segment other than as {One} and {Any}";
            else if (IsTemplate(path) && !IsLiteral(segment))
                return $"invalid path {path}: \"{segment}\" beside {One} and {Any} is not a literal text";
        }

        return null;
    }
}
