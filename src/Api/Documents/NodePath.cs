using System.Globalization;
using System.Text;

namespace Lateen.Api.Documents;

/// <summary>Paths into a tree, like <c>spec.http[3].headers["x.y"]</c>: the form that diagnostics carry and that finds a place
/// again.</summary>
public static class NodePath
{
    /// <summary>The path of the segments; a segment without name is an index. Names that hold dots or brackets are quoted.</summary>
    public static string Format(IEnumerable<(string? Name, int Index)> segments)
    {
        var path = new StringBuilder();
        var first = true;
        foreach (var (name, index) in segments)
        {
            if (name is null) path.Append('[').Append(index.ToString(CultureInfo.InvariantCulture)).Append(']');
            else if (!first && name.AsSpan().ContainsAny(".[]\""))
                path.Append("[\"").Append(name.Replace("\"", "\\\"", StringComparison.Ordinal)).Append("\"]");
            else path.Append(path.Length > 0 ? "." : "").Append(name);
            first = false;
        }

        return path.ToString();
    }

    /// <summary>The deepest node on the way to <paramref name="path"/>: the node itself, or what is left of the way when a part is not
    /// written.</summary>
    public static (int Line, int Column) Locate(Node root, string path)
    {
        var (node, line, column) = (root, root.Line, root.Column);
        foreach (var (name, index) in Parse(path))
        {
            if (name is null && node is SequenceNode sequence && index >= 0 && index < sequence.Items.Count)
            {
                node = sequence.Items[index];
                (line, column) = (node.Line, node.Column);
            }
            else if (name is not null && node is MappingNode mapping && Member(mapping, name) is { } member)
            {
                node = member.Value;
                (line, column) = (member.Line, member.Column);
            }
            else break;
        }

        return (line, column);
    }

    /// <summary>The node at the path, or null.</summary>
    public static Node? Find(Node root, string path)
    {
        var node = (Node?)root;
        foreach (var (name, index) in Parse(path))
        {
            node = (name, node) switch
            {
                (null, SequenceNode sequence) when index < sequence.Items.Count => sequence.Items[index],
                (not null, MappingNode mapping) => Member(mapping, name)?.Value,
                _ => null,
            };
            if (node is null) return null;
        }

        return node;
    }

    private static NodeMember? Member(MappingNode mapping, string name)
    {
        foreach (var member in mapping.Members)
        {
            // A path names fields in lowerCamelCase; the file may have the original name.
            if (member.Name == name || (member.Name.Contains('_')
                && member.Name.Replace("_", "", StringComparison.Ordinal).Equals(name, StringComparison.OrdinalIgnoreCase))) return member;
        }

        return null;
    }

    private static IEnumerable<(string? Name, int Index)> Parse(string path)
    {
        var at = 0;
        while (at < path.Length)
        {
            if (path[at] == '.') at++;
            else if (path[at] != '[')
            {
                var end = path.AsSpan(at).IndexOfAny('.', '[');
                end = end < 0 ? path.Length : at + end;
                yield return (path[at..end], 0);
                at = end;
            }
            else if (at + 1 < path.Length && path[at + 1] == '"')
            {
                var end = path.IndexOf("\"]", at + 2, StringComparison.Ordinal);
                end = end < 0 ? path.Length : end;
                yield return (path[(at + 2)..end].Replace("\\\"", "\"", StringComparison.Ordinal), 0);
                at = Math.Min(path.Length, end + 2);
            }
            else
            {
                var end = path.IndexOf(']', at);
                end = end < 0 ? path.Length : end;
                yield return (null, int.TryParse(path.AsSpan(at + 1, end - at - 1), CultureInfo.InvariantCulture, out var index)
                    ? index : int.MaxValue);
                at = Math.Min(path.Length, end + 1);
            }
        }
    }
}
