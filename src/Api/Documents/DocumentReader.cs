using Lateen.Api.Diagnostics;

namespace Lateen.Api.Documents;

/// <summary>Reads a text that holds YAML documents or one JSON value.</summary>
public static class DocumentReader
{
    /// <summary>Every document of the text that could be read. What could not is told in <paramref name="diagnostics"/>, and does not keep
    /// the others out.</summary>
    /// <param name="text">The whole text; a byte order mark is skipped.</param>
    /// <param name="file">Its name for diagnostics; may be empty.</param>
    /// <param name="diagnostics">Where mistakes go.</param>
    /// <param name="limits">Bounds; the default ones when null.</param>
    public static IReadOnlyList<Document> Read(string text, string file, DiagnosticBag diagnostics, DocumentLimits? limits = null)
    {
        limits ??= DocumentLimits.Default;
        if (text.Length > limits.CharsMax)
        {
            diagnostics.Add(DocumentCodes.TooLarge, new SourcePosition(file, 1, 1), "",
                $"the text has {text.Length} characters; {limits.CharsMax} are allowed");
            return [];
        }

        if (text.StartsWith('\uFEFF')) text = text[1..];
        return LooksLikeJson(text) ? ReadJson(text, file, diagnostics, limits) : ReadYaml(text, file, diagnostics, limits);
    }

    /// <summary>The first document, for texts that hold one; null with a diagnostic, or without when the text is empty.</summary>
    public static Node? ReadSingle(string text, string file, DiagnosticBag diagnostics, DocumentLimits? limits = null) =>
        Read(text, file, diagnostics, limits) is [var first, ..] ? first.Root : null;

    /// <summary>Flow YAML begins like JSON, so the text is tried as JSON first; the mistake told is that of the form it resembles
    /// more.</summary>
    private static IReadOnlyList<Document> ReadJson(string text, string file, DiagnosticBag diagnostics, DocumentLimits limits)
    {
        var jsonMistakes = new DiagnosticBag();
        var root = JsonNodes.Parse(text, file, jsonMistakes, limits);
        if (!jsonMistakes.HasErrors) return [new Document(root, text, file, 1)];
        if (jsonMistakes.Any(d => d.Code != DocumentCodes.Syntax))
        {
            diagnostics.AddRange(jsonMistakes);
            return [];
        }

        var yamlMistakes = new DiagnosticBag();
        var documents = ReadYaml(text, file, yamlMistakes, limits);
        var isJson = yamlMistakes.HasErrors || file.EndsWith(".json", StringComparison.OrdinalIgnoreCase);
        diagnostics.AddRange(isJson ? jsonMistakes : yamlMistakes);
        return isJson ? [] : documents;
    }

    private static List<Document> ReadYaml(string text, string file, DiagnosticBag diagnostics, DocumentLimits limits)
    {
        var documents = new List<Document>();
        foreach (var (start, length, firstLine) in Split(text))
        {
            // Blank lines in front belong to nobody.
            var (part, line) = WithoutBlankLines(text.AsSpan(start, length), firstLine);
            var before = diagnostics.ErrorCount;
            var root = YamlNodes.Parse(part, file, line, diagnostics, limits);
            if (diagnostics.ErrorCount == before && root is not null) documents.Add(new Document(root, part, file, line));
        }

        return documents;
    }

    private static (string Part, int Line) WithoutBlankLines(ReadOnlySpan<char> part, int line)
    {
        for (var end = part.IndexOf('\n'); end >= 0 && part[..end].IsWhiteSpace(); end = part.IndexOf('\n'))
        {
            part = part[(end + 1)..];
            line++;
        }

        return (part.ToString(), line);
    }

    private static bool LooksLikeJson(string text)
    {
        foreach (var c in text)
        {
            if (!char.IsWhiteSpace(c)) return c is '{' or '[';
        }

        return false;
    }

    /// <summary>
    /// The parts between lines that begin with <c>---</c> or <c>...</c>. YAML 1.2 (9.1.2) forbids those at the start of a line of content,
    /// so splitting before parsing is safe, and a mistake in one document leaves the others readable.
    /// </summary>
    private static IEnumerable<(int Start, int Length, int FirstLine)> Split(string text)
    {
        var (start, firstLine, line, at) = (0, 1, 1, 0);
        while (at < text.Length)
        {
            var end = text.IndexOf('\n', at);
            var next = end < 0 ? text.Length : end + 1;
            if (IsMarker(text.AsSpan(at, next - at), out var contentAfter))
            {
                yield return (start, at - start, firstLine);
                (start, firstLine) = contentAfter ? (at, line) : (next, line + 1);
            }

            (at, line) = (next, line + 1);
        }

        yield return (start, text.Length - start, firstLine);
    }

    /// <summary>Whether the line separates documents; <paramref name="contentAfter"/> when it carries content of the next one (<c>--- {a:
    /// b}</c>).</summary>
    private static bool IsMarker(ReadOnlySpan<char> line, out bool contentAfter)
    {
        contentAfter = false;
        var isStart = line.StartsWith("---");
        if (!isStart && !line.StartsWith("...")) return false;
        var rest = line[3..];
        if (rest.Length > 0 && !char.IsWhiteSpace(rest[0])) return false;
        rest = rest.Trim();
        contentAfter = isStart && rest.Length > 0 && rest[0] != '#';
        return true;
    }
}
