namespace Lateen.Cli.Up;

/// <summary>The end of a log, for a sentence about a program that did not start.</summary>
internal static class LogTail
{
    /// <summary>The last line that says something, without the rest of a stack trace.</summary>
    public static string Of(string path)
    {
        try
        {
            string[] lines = [.. File.ReadLines(path)
                .Where(line => line.Trim().Length > 0 && !line.StartsWith("   at ", StringComparison.Ordinal)).TakeLast(1)];
            return lines is [var last] ? last.Trim() : "it said nothing";
        }
        catch (IOException)
        {
            return "it said nothing";
        }
    }
}
