// Rigs: what tests of several projects stand on: the whole mesh in one process (Stage), the language of scenarios (Text), ends of
// connections without a network (Codecs), a client of discovery and a control plane on ports of its own (Discovery). A rig that one project
// alone uses lives there, beside its tests.
//
// Rigs assert nothing and know no test framework: what can't be is an exception. They see the product through its public face, as a program
// that embeds it would.
// Refused: files that one test project compiles from another's folder (nobody sees from where they are used, and every project compiles
// them anew), and copies.
namespace Lateen.Test.Rigs;

/// <summary>Where the source tree is.</summary>
internal static class Repository
{
    public static readonly string Root = Find();

    /// <summary>A folder's path without links, wherever in it they are.</summary>
    public static string Real(string folder)
    {
        var at = new DirectoryInfo(Path.GetFullPath(folder));
        if (at.Parent is not { } parent) return at.FullName;
        string here = Path.Combine(Real(parent.FullName), at.Name);
        return new DirectoryInfo(here).ResolveLinkTarget(returnFinalTarget: true) is { } target ? Real(target.FullName) : here;
    }

    private static string Find()
    {
        for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (File.Exists(Path.Combine(at.FullName, "Lateen.slnx"))) return at.FullName;
        }
        throw new DirectoryNotFoundException("the source tree (Lateen.slnx) is not above " + AppContext.BaseDirectory);
    }
}
