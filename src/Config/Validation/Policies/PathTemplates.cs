namespace Lateen.Config.Validation.Policies;

/// <summary>Paths of authorization policies with <c>{*}</c> (one segment) and <c>{**}</c> (any rest).</summary>
public static class PathTemplates
{
    private const string One = "{*}";
    private const string Any = "{**}";

    /// <summary>Whether the path has a template operator at all; without one it is an ordinary string match.</summary>
    public static bool IsTemplate(string path) => path.Contains(One, StringComparison.Ordinal) || path.Contains(Any, StringComparison.Ordinal);

    /// <summary>Why the template is not valid, or null.</summary>
    public static string? Problem(string path)
    {
        if (!path.Contains('{') && !path.Contains('}'))
        {
            return null;
        }

        var seenAny = false;
        foreach (var segment in path.Split('/'))
        {
            if (segment is One or Any)
            {
                if (seenAny)
                {
                    return segment == One ? $"invalid path {path}: {One} is not supported after {Any}" : $"invalid path {path}: {Any} may occur once";
                }

                seenAny |= segment == Any;
            }
            else if (segment.Contains('{') || segment.Contains('}'))
            {
                return $"invalid path {path}: {{ and }} are not supported in a segment other than as {One} and {Any}";
            }
            else if (segment.Contains('*') && IsTemplate(path))
            {
                return $"invalid path {path}: * is not supported beside {One} and {Any}";
            }
        }

        return null;
    }
}
