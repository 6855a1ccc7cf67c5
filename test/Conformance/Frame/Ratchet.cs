namespace Lateen.Test.Conformance.Frame;

/// <summary>What passed before, by folder: it may never fail again. Lies in the source tree, one file a folder, one case a line.</summary>
public sealed class Ratchet(string folder)
{
    /// <summary>The cases of a folder that passed before.</summary>
    public HashSet<string> Read(string name)
    {
        string file = FileOf(name);
        return File.Exists(file) ? [.. File.ReadAllLines(file).Where(l => l.Length > 0)] : [];
    }

    /// <summary>Adds what passes now.</summary>
    public void Write(string name, IEnumerable<string> passed)
    {
        Directory.CreateDirectory(folder);
        SortedSet<string> all = new(Read(name), StringComparer.Ordinal);
        all.UnionWith(passed);
        File.WriteAllLines(FileOf(name), all);
    }

    private string FileOf(string name) => Path.Combine(folder, name.Replace('/', '.') + ".txt");
}
