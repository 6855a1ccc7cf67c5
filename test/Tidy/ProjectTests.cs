using System.Xml.Linq;
using Xunit;

namespace Lateen.Test.Tidy;

public sealed class ProjectTests
{
    /// <summary>The arrows of ARCHITECTURE.md. A new one is a decision, not an edit of this list.</summary>
    private static readonly Dictionary<string, string[]> Arrows = new()
    {
        ["Schema"] = [],
        ["Api"] = ["Schema"],
        ["Config"] = ["Api"],
        ["Registry"] = ["Config"],
        ["Pilot"] = ["Registry"],
        ["Citadel"] = ["Api"],
        ["Mixer"] = ["Api"],
        ["Injector"] = ["Config"],
        ["ControlPlane"] = ["Citadel", "Injector", "Mixer", "Pilot"],
        ["Proxy"] = ["Api"],
        ["Agent"] = ["Proxy"],
        ["Console"] = ["Api"],
        ["Cli"] = ["Agent", "Console", "ControlPlane"],
    };

    private static readonly string[] Web = ["ControlPlane", "Console"];

    [Fact]
    public void Project_references_are_the_arrows_of_the_house()
    {
        foreach ((string project, string[] expected) in Arrows)
        {
            IEnumerable<string> actual = Project(project).Descendants("ProjectReference")
                .Select(r => Path.GetFileNameWithoutExtension(r.Attribute("Include")!.Value)).Order(StringComparer.Ordinal);
            Assert.Equal(expected, actual);
        }
        Assert.Equal(Arrows.Keys.Order(StringComparer.Ordinal),
            Directory.GetDirectories(Path.Combine(Tree.Root, "src")).Select(d => Path.GetFileName(d)!).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_web_framework_appears_in_the_control_plane_and_the_console_alone()
    {
        IEnumerable<string> found = Arrows.Keys.Where(p => Project(p).Descendants("FrameworkReference").Any());
        Assert.Equal(Web.Order(StringComparer.Ordinal), found.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Versions_of_packages_are_pinned_in_one_place()
    {
        foreach (string file in Directory.EnumerateFiles(Tree.Root, "*.csproj", SearchOption.AllDirectories)
            .Where(f => !f.Contains("/.build/", StringComparison.Ordinal)))
            Assert.All(XDocument.Load(file).Descendants("PackageReference"), r => Assert.Null(r.Attribute("Version")));
    }

    private static XDocument Project(string name) => XDocument.Load(Path.Combine(Tree.Root, "src", name, name + ".csproj"));
}
