using System.Text.Json;
using Xunit;

namespace Lateen.Test.Unit.Api;

/// <summary>Tables of inputs and results recorded from Istio, when they lie in a folder <c>shared/conformance</c> above the working
/// tree.</summary>
internal static class Vectors
{
    /// <summary>The rows of a table; skips the test when the tables are not here.</summary>
    public static IReadOnlyList<JsonElement> Rows(string table)
    {
        var path = Path.Combine(Root(), table);
        Assert.SkipUnless(File.Exists(path), $"{table} is not there");
        using var document = JsonDocument.Parse(File.ReadAllText(path));
        return document.RootElement.GetProperty("cases").EnumerateArray().Select(c => c.Clone()).ToArray();
    }

    public static string Root()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var candidate = Path.Combine(folder.FullName, "shared", "conformance");
            if (Directory.Exists(candidate)) return candidate;
        }

        Assert.Skip("there is no folder shared/conformance above the working tree");
        return "";
    }

    /// <summary>Runs each row and tells all that differ at once.</summary>
    public static void Play(string table, Func<JsonElement, string?> mistakeOf)
    {
        var mistakes = Rows(table).Select(r => (Name: r.Text("name"), Mistake: mistakeOf(r))).Where(m => m.Mistake is not null)
            .Select(m => $"{m.Name}: {m.Mistake}").ToArray();
        Assert.True(mistakes.Length == 0, $"{table}: {mistakes.Length} rows differ\n{string.Join('\n', mistakes)}");
    }

    public static string? Differs<T>(T expected, T found) =>
        EqualityComparer<T>.Default.Equals(expected, found) ? null : $"expected {expected}, found {found}";

    public static string Text(this JsonElement row, string name) =>
        row.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";

    public static string? TextOrNull(this JsonElement row, string name) =>
        row.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    public static bool Truth(this JsonElement row, string name) =>
        row.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.True;

    public static int Number(this JsonElement row, string name) =>
        row.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number ? value.GetInt32() : 0;

    public static IReadOnlyList<string> Texts(this JsonElement row, string name) =>
        row.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Array
            ? value.EnumerateArray().Select(v => v.GetString()!).ToArray() : [];

    public static Dictionary<string, string>? Map(this JsonElement row, string name) =>
        row.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Object
            ? value.EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetString()!) : null;
}
