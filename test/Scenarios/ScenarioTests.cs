using Lateen.Test.Rigs;
using Lateen.Test.Rigs.Text;
using Lateen.Test.Scenarios.Steps;
using Xunit;

namespace Lateen.Test.Scenarios;

/// <summary>Every scenario file is a test whose name is the sentence.</summary>
public sealed class ScenarioTests
{
    private static readonly string Folder = Path.Combine(Repository.Root, "test", "Scenarios");

    // SCENARIO narrows the run to files whose path contains it.
    private static readonly string Wanted = Environment.GetEnvironmentVariable("SCENARIO") ?? "";

    public static IEnumerable<TheoryDataRow<string>> Files() =>
        from path in Directory.GetFiles(Folder, "*.scenario", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
        let name = Path.GetRelativePath(Folder, path)
        where name.Contains(Wanted, StringComparison.Ordinal)
        select new TheoryDataRow<string>(name) { TestDisplayName = name.Replace(".scenario", "", StringComparison.Ordinal)
            .Replace('-', ' ') };

    [Theory]
    [MemberData(nameof(Files))]
    public void Scenario(string file)
    {
        string path = Path.Combine(Folder, file);
        Play.Run(ScenarioFile.Read(Path.Combine("test/Scenarios", file), File.ReadAllText(path)), seed: 1);
    }
}
