namespace Lateen.Agent.Secrets;

/// <summary>Small files that others write for an agent: tokens, roots, certificates.</summary>
public static class AgentFiles
{
    /// <summary>The text of a file; null where there is none that can be read.</summary>
    public static string? Read(string path)
    {
        try { return File.Exists(path) ? File.ReadAllText(path) : null; }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException) { return null; }
    }
}
