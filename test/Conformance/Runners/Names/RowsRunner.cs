using System.Text.Json;
using Lateen.Test.Conformance.Frame;

namespace Lateen.Test.Conformance.Runners.Names;

/// <summary>A folder of tables whose rows are each judged by one function of the product.</summary>
public abstract class RowsRunner : FolderRunner
{
    private readonly List<CaseResult> _results = [];
    private string _path = "";

    /// <inheritdoc/>
    public override IEnumerable<CaseResult> Run(string path)
    {
        _path = path;
        PlayAll();
        foreach (string table in Directory.EnumerateFiles(path, "*.json").Select(f => Path.GetFileName(f)!).Except(_played))
            _results.Add(CaseResult.Fail(table, "no row of this table is played yet"));
        return _results;
    }

    private readonly HashSet<string> _played = [];

    /// <summary>Plays each table with <see cref="Play"/>.</summary>
    protected abstract void PlayAll();

    /// <summary>Judges every row of a table; null is agreement, a text tells the difference.</summary>
    protected void Play(string table, Func<JsonElement, string?> mistakeOf)
    {
        if (!File.Exists(Path.Combine(_path, table)))
            return;
        _played.Add(table);
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(Path.Combine(_path, table)));
        int number = 0;
        foreach (JsonElement row in document.RootElement.GetProperty("cases").EnumerateArray())
        {
            // Rows without a name of their own are told by their place.
            string name = $"{Path.GetFileNameWithoutExtension(table)}/{++number} {row.Text("name")}".TrimEnd();
            _results.Add(mistakeOf(row.Clone()) is { } mistake ? CaseResult.Fail(name, mistake) : CaseResult.Pass(name));
        }
    }

    /// <summary>Takes verdicts on a file that is no table of rows.</summary>
    protected void Add(string file, IEnumerable<CaseResult> verdicts)
    {
        if (!File.Exists(Path.Combine(_path, file))) return;
        _played.Add(file);
        _results.AddRange(verdicts);
    }

    /// <summary>The difference of two values; null where they are equal.</summary>
    protected static string? Differs<T>(T expected, T found) =>
        EqualityComparer<T>.Default.Equals(expected, found) ? null : $"expected {expected}, found {found}";
}

/// <summary>Fields of a row; absent ones have their zero value.</summary>
internal static class Rows
{
    public static string Text(this JsonElement row, string name) =>
        row.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";

    public static string? TextOrNull(this JsonElement row, string name) =>
        row.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    public static bool Truth(this JsonElement row, string name) =>
        row.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.True;

    public static int Number(this JsonElement row, string name) =>
        row.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number ? value.GetInt32() : 0;

    public static IReadOnlyList<string> Texts(this JsonElement row, string name) =>
        row.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Array
            ? value.EnumerateArray().Select(v => v.GetString()!).ToArray() : [];

    public static Dictionary<string, string>? Map(this JsonElement row, string name) =>
        row.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Object
            ? value.EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetString()!) : null;
}
