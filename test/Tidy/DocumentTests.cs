using System.Text.RegularExpressions;
using Xunit;

namespace Lateen.Test.Tidy;

public sealed partial class DocumentTests
{
    [Fact]
    public void Every_diagnostic_code_has_a_page()
    {
        string folder = Path.Combine(Tree.Root, "docs", "codes");
        string pages = Directory.Exists(folder) ? string.Concat(Directory.EnumerateFiles(folder, "*.md").Select(File.ReadAllText)) : "";
        IEnumerable<string> codes = Tree.Sources("src").SelectMany(f => Codes().Matches(Tree.Read(f)).Select(m => m.Value)).Distinct();
        Assert.Empty(codes.Where(c => !pages.Contains(c, StringComparison.Ordinal)));
    }

    [Fact]
    public void Every_filter_has_a_page()
    {
        string pages = string.Concat(Directory.EnumerateFiles(Path.Combine(Tree.Root, "docs", "filters"), "*.md").Select(File.ReadAllText));
        IEnumerable<string> filters = Tree.Sources("src").Where(static f => f.Contains("/Proxy/Xds/Filters/", StringComparison.Ordinal))
            .SelectMany(f => Filters().Matches(Tree.Read(f)).Select(m => m.Groups[1].Value)).Distinct();
        Assert.Empty(filters.Where(f => !pages.Contains(f, StringComparison.OrdinalIgnoreCase)));
    }

    [Fact]
    public void Files_that_documents_name_exist()
    {
        var missing = new List<string>();
        foreach (string document in Documents())
        {
            foreach (Match path in Paths().Matches(File.ReadAllText(document)))
            {
                if (!File.Exists(Path.Combine(Tree.Root, path.Groups[1].Value))
                    && !Directory.Exists(Path.Combine(Tree.Root, path.Groups[1].Value)))
                    missing.Add($"{Path.GetRelativePath(Tree.Root, document)}: {path.Groups[1].Value}");
            }
        }
        Assert.Empty(missing);
    }

    [Fact]
    public void Types_that_the_architecture_and_the_walks_name_exist()
    {
        HashSet<string> types = [.. Tree.Sources("src").SelectMany(f => Types().Matches(Tree.Code(f)).Select(m => m.Groups[1].Value))];
        var missing = new List<string>();
        foreach (string document in Documents()
            .Where(d => d.EndsWith("ARCHITECTURE.md", StringComparison.Ordinal) || d.EndsWith("GLOSSARY.md", StringComparison.Ordinal)
                || d.Contains("/walks/", StringComparison.Ordinal)))
        {
            foreach (Match name in Named().Matches(File.ReadAllText(document)))
            {
                if (!types.Contains(name.Groups[1].Value))
                    missing.Add($"{Path.GetRelativePath(Tree.Root, document)}: {name.Groups[1].Value}");
            }
        }
        Assert.Empty(missing);
    }

    [Fact]
    public void The_repository_speaks_of_the_product_alone()
    {
        string[] files = [.. Directory.EnumerateFiles(Tree.Root, "*", SearchOption.AllDirectories)
            .Where(f => !Regex.IsMatch(f, @"/(\.git|\.build|\.lateen|obj|bin)/")
                && Regex.IsMatch(f, @"\.(cs|md|csproj|props|sh|yaml|json)$|/(lateen|run-tests|run)$"))];
        Assert.Empty(files.Where(f => new FileInfo(f).Length < 2_000_000 && Machine().IsMatch(File.ReadAllText(f)))
            .Select(f => Path.GetRelativePath(Tree.Root, f)));
    }

    private static IEnumerable<string> Documents() =>
        new[] { "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md" }.Select(f => Path.Combine(Tree.Root, f)).Where(File.Exists)
            .Concat(Directory.Exists(Path.Combine(Tree.Root, "docs"))
                ? Directory.EnumerateFiles(Path.Combine(Tree.Root, "docs"), "*.md", SearchOption.AllDirectories) : []);

    [GeneratedRegex("\"envoy\\.extensions\\.filters\\.(?:http|network)\\.(\\w+)\\.v3")]
    private static partial Regex Filters();

    [GeneratedRegex(@"\bLTN\d{4}\b")]
    private static partial Regex Codes();

    [GeneratedRegex(@"`((?:src|test|docs|samples|bench|deploy|tools)/[\w./-]*[\w-])`")]
    private static partial Regex Paths();

    [GeneratedRegex(@"\b(?:class|record|struct|interface|enum|delegate)\s+(?:struct\s+)?([A-Z]\w*)")]
    private static partial Regex Types();

    // A type is named between backticks with a capital and no dot, space or slash.
    [GeneratedRegex(@"`([A-Z][a-z]\w+)`")]
    private static partial Regex Named();

    [GeneratedRegex(@"(?<![\w./~-])/(work|root|home)/[a-z]")]
    private static partial Regex Machine();
}
