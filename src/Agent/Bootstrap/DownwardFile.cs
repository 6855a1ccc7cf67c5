using System.Text;
using System.Text.Json.Nodes;

namespace Lateen.Agent.Bootstrap;

/// <summary>Files in which Kubernetes tells a pod its labels and annotations: a line <c>key="value"</c> each, the value quoted as Go
/// does.</summary>
public static class DownwardFile
{
    /// <summary>Keys and values; lines of another form are left out.</summary>
    public static IReadOnlyDictionary<string, string> Parse(string text)
    {
        var entries = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var line in text.Split('\n'))
        {
            var equals = line.IndexOf('=', StringComparison.Ordinal);
            if (equals > 0 && Unquoted(line[(equals + 1)..].Trim()) is { } value) entries[line[..equals].Trim()] = value;
        }
        return entries;
    }

    /// <summary>Adds what the files of a pod's folder say to node metadata, where it does not say it already; nothing where there are no
    /// files.</summary>
    public static void AddTo(JsonObject metadata, string folder)
    {
        foreach (var (file, name) in new[] { ("labels", "LABELS"), ("annotations", "ANNOTATIONS") })
        {
            var path = Path.Combine(folder, file);
            if (metadata.ContainsKey(name) || !File.Exists(path)) continue;
            var entries = new JsonObject();
            foreach (var (key, value) in Parse(File.ReadAllText(path))) entries[key] = value;
            metadata[name] = entries;
        }
    }

    private static string? Unquoted(string text)
    {
        if (text.Length < 2 || text[0] != '"' || text[^1] != '"') return null;
        var value = new StringBuilder();
        for (var i = 1; i < text.Length - 1; i++)
        {
            if (text[i] != '\\')
            {
                value.Append(text[i]);
                continue;
            }
            var escape = text[++i];
            var digits = escape switch { 'x' => 2, 'u' => 4, 'U' => 8, _ => 0 };
            if (digits == 0) value.Append(escape switch
            {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'a' => '\a',
                'b' => '\b',
                'f' => '\f',
                'v' => '\v',
                _ => escape,
            });
            else
            {
                if (i + digits >= text.Length
                    || !int.TryParse(text.AsSpan(i + 1, digits), System.Globalization.NumberStyles.HexNumber, null, out var code)
                    || !Rune.IsValid(code)) return null;
                value.Append(new Rune(code));
                i += digits;
            }
        }
        return value.ToString();
    }
}
