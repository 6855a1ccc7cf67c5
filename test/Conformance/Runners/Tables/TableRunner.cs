using System.Text.Json;
using Lateen.Test.Conformance.Frame;

namespace Lateen.Test.Conformance.Runners.Tables;

/// <summary>Plays folders of tables: a file is a table, each of its rows a case, and each table has one player.</summary>
internal abstract class TableRunner(string folder) : FolderRunner
{
    private readonly Dictionary<string, Func<JsonElement, JsonElement, string?>> _players = [];

    /// <inheritdoc/>
    public override string Folder => folder;

    /// <inheritdoc/>
    public override IEnumerable<CaseResult> Run(string path)
    {
        foreach (var file in Directory.GetFiles(path, "*.json").Order(StringComparer.Ordinal))
        {
            var table = JsonDocument.Parse(File.ReadAllText(file)).RootElement;
            if (!table.TryGetProperty("cases", out var cases)) continue;
            var name = Path.GetFileNameWithoutExtension(file);
            var context = table.TryGetProperty("context", out var given) ? given : default;
            var index = 0;
            foreach (var row in cases.EnumerateArray()) yield return Play(name, row, context, index++);
        }
    }

    /// <summary>Names the player of a table: row and context in, what differs out (null for nothing).</summary>
    protected void Table(string name, Func<JsonElement, JsonElement, string?> player) => _players.Add(name, player);

    private CaseResult Play(string table, JsonElement row, JsonElement context, int index)
    {
        var name = $"{table}/{index}: {row.Text("name")}";
        if (!_players.TryGetValue(table, out var player)) return CaseResult.Fail(name, "no player");
        try
        {
            return player(row, context) is { } difference ? CaseResult.Fail(name, difference) : CaseResult.Pass(name);
        }
        catch (Exception failure) when (failure is InvalidOperationException or KeyNotFoundException or FormatException
            or Google.Protobuf.InvalidProtocolBufferException or NullReferenceException or ArgumentException)
        {
            return CaseResult.Fail(name, failure.GetType().Name + ": " + failure.Message);
        }
    }
}
