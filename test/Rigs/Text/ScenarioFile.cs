// Text: scenario files. A scenario is a text whose name is a sentence; it has steps, one a line, that begin with given, and, when, then or
// but. An indented block below a step is its YAML. Nothing here knows what a step means: Steps/ does, and a step that nobody knows fails
// the scenario with its line.
// Refused: Gherkin (its tables, tags and backgrounds hide what a reader has to know), scenarios in C# (a reader of meshes need not read
// C#).
namespace Lateen.Test.Rigs.Text;

/// <summary>One step as it is written.</summary>
/// <param name="Line">Its line, from 1.</param>
/// <param name="Words">What follows the first word.</param>
/// <param name="Block">The indented lines below it, with the common indentation removed; empty for none.</param>
internal sealed record WrittenStep(int Line, string Words, string Block);

/// <summary>A scenario as it is written.</summary>
internal sealed record ScenarioFile(string Path, IReadOnlyList<WrittenStep> Steps)
{
    private static readonly string[] FirstWords = ["given", "and", "when", "then", "but"];

    /// <summary>Reads a text.</summary>
    /// <exception cref="ScenarioException">A line begins with no known word.</exception>
    public static ScenarioFile Read(string path, string text)
    {
        string[] lines = text.ReplaceLineEndings("\n").Split('\n');
        var steps = new List<WrittenStep>();
        for (int i = 0; i < lines.Length;)
        {
            string line = lines[i].TrimEnd();
            if (line.Length == 0 || line[0] == '#')
            {
                i++;
                continue;
            }
            string first = line.Split(' ')[0];
            if (!FirstWords.Contains(first))
                throw new ScenarioException($"{path}:{i + 1}: a step begins with {string.Join(", ", FirstWords)}, not with \"{first}\"");
            int below = i + 1;
            while (below < lines.Length && (lines[below].Trim().Length == 0 || lines[below][0] == ' ')) below++;
            steps.Add(new WrittenStep(i + 1, line[first.Length..].Trim(), Dedented(lines[(i + 1)..below])));
            i = below;
        }
        return new ScenarioFile(path, steps);
    }

    private static string Dedented(string[] lines)
    {
        string[] full = [.. lines.Where(line => line.Trim().Length > 0)];
        if (full.Length == 0) return "";
        int margin = full.Min(line => line.Length - line.TrimStart().Length);
        return string.Join('\n', lines.Select(line => line.Length >= margin ? line[margin..].TrimEnd() : "")).TrimEnd() + "\n";
    }
}

/// <summary>A scenario did not hold, or says what nobody understands.</summary>
internal sealed class ScenarioException(string message) : Exception(message);
