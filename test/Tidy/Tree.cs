// Tidy: tests about the source and the documents themselves, so that the house stays the house without anybody having to nag. Each reads
// files and asserts one rule of ARCHITECTURE.md; what does not yet keep a rule stands in Ratchet/ by name and may only become less.
using System.Text.RegularExpressions;

namespace Lateen.Test.Tidy;

/// <summary>The checkout as the tests see it.</summary>
internal static partial class Tree
{
    public static string Root { get; } = FindRoot();

    /// <summary>Written C# files below a folder, with paths relative to the root.</summary>
    public static IEnumerable<string> Sources(string folder) =>
        Directory.EnumerateFiles(Path.Combine(Root, folder), "*.cs", SearchOption.AllDirectories)
            .Select(f => Path.GetRelativePath(Root, f).Replace('\\', '/'))
            .Where(f => !f.Contains("/obj/", StringComparison.Ordinal) && !f.Contains("/bin/", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal);

    public static string Read(string path) => File.ReadAllText(Path.Combine(Root, path));

    public static string[] Lines(string path) => File.ReadAllLines(Path.Combine(Root, path));

    /// <summary>The lines of a ratchet file.</summary>
    public static HashSet<string> Ratchet(string name)
    {
        string path = Path.Combine(Root, "test", "Tidy", "Ratchet", name);
        return File.Exists(path) ? [.. File.ReadAllLines(path).Where(l => l.Length > 0)] : [];
    }

    /// <summary>Source text without comments and strings.</summary>
    public static string Code(string path) => NoCode().Replace(Read(path), " ");

    /// <summary>A source with the texts of some length taken out, comments as they are.</summary>
    public static string Brief(string path) =>
        NoCode().Replace(Read(path), static m => m.Value[0] == '/' || m.Length <= TextLengthMin ? m.Value : m.Value.Contains('\n') ? "\n" : " ");

    private const int TextLengthMin = 40;

    [GeneratedRegex("""("{3,}[\s\S]*?"{3,}|@"(?:[^"]|"")*"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])'|//[^\n]*|/\*[\s\S]*?\*/)""")]
    private static partial Regex NoCode();

    private static string FindRoot()
    {
        DirectoryInfo? at = new(AppContext.BaseDirectory);
        while (at is not null && !File.Exists(Path.Combine(at.FullName, "Lateen.slnx")))
            at = at.Parent;
        return at?.FullName ?? throw new DirectoryNotFoundException("Tidy runs inside a checkout");
    }
}
