namespace Lateen.Test.Scenarios;

/// <summary>Where the source tree is.</summary>
internal static class Repository
{
    public static readonly string Root = Find();

    private static string Find()
    {
        for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (File.Exists(Path.Combine(at.FullName, "Lateen.slnx"))) return at.FullName;
        }
        throw new InvalidOperationException("the source tree is not above " + AppContext.BaseDirectory);
    }
}
