namespace Lateen.Test.Conformance.Frame;

/// <summary>Where the project's checkout is.</summary>
public static class Repository
{
    /// <summary>The folder with Lateen.slnx, at or above the program.</summary>
    /// <exception cref="DirectoryNotFoundException">The program runs outside of a checkout.</exception>
    public static string Root()
    {
        for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (File.Exists(Path.Combine(at.FullName, "Lateen.slnx")))
                return at.FullName;
        }
        throw new DirectoryNotFoundException("the conformance runner must run inside a checkout: it looks for Lateen.slnx above its own folder");
    }
}
