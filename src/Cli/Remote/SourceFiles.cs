using Lateen.Cli.Printing;
using Lateen.ControlPlane.Operator;

namespace Lateen.Cli.Remote;

/// <summary>What `-f` names: files, folders, or standard input.</summary>
public static class SourceFiles
{
    private static readonly string[] Endings = [".yaml", ".yml", ".json"];

    /// <summary>Reads every text, in the order said; the files of a folder in the order of their names.</summary>
    /// <param name="said">What was named.</param>
    /// <param name="recursive">Whether folders inside of folders count; null where the verb has no such option.</param>
    /// <param name="terminal">Gives standard input.</param>
    /// <exception cref="CommandException">Something named is not there, or a folder holds nothing.</exception>
    public static IReadOnlyList<SourceText> Read(IEnumerable<string> said, bool? recursive, Terminal terminal)
    {
        var texts = new List<SourceText>();
        foreach (string path in said)
        {
            if (path == "-") texts.Add(new("<stdin>", terminal.In.ReadToEnd()));
            else if (Directory.Exists(path))
                texts.AddRange(Folder(path, recursive is true, canRecurse: recursive is not null).Select(File));
            else texts.Add(File(path));
        }
        return texts;
    }

    private static string[] Folder(string folder, bool recursive, bool canRecurse)
    {
        var depth = recursive ? SearchOption.AllDirectories : SearchOption.TopDirectoryOnly;
        string[] files = [.. Directory.EnumerateFiles(folder, "*", depth).Where(file => Endings.Contains(Path.GetExtension(file)))
            .Order(StringComparer.Ordinal)];
        return files.Length > 0 ? files
            : throw new CommandException($"there is no .yaml, .yml or .json file in {folder}",
                recursive || !canRecurse ? null : "Add -R to look into its folders, too.");
    }

    private static SourceText File(string path)
    {
        try
        {
            return new(path, System.IO.File.ReadAllText(path));
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(
                $"{path} cannot be read: {(unreadable is FileNotFoundException or DirectoryNotFoundException ? "there is no such file" : unreadable.Message)}");
        }
    }
}
