using System.Text.Json;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Lateen.Api.Documents;
using Lateen.Test.Conformance.Runners.Xds;

namespace Lateen.Test.Conformance.Runners.Tables;

/// <summary>Messages of rows, and ours compared with them.</summary>
internal static class Messages
{
    private static readonly Lazy<TypeRegistry> Types = new(WireComparison.AllTypes);
    private static readonly Lazy<WireComparison> Comparison = new(() => new WireComparison(Types.Value));
    private static readonly Lazy<JsonParser> Parser =
        new(() => new JsonParser(JsonParser.Settings.Default.WithTypeRegistry(Types.Value).WithIgnoreUnknownFields(true)));
    private static readonly Lazy<JsonFormatter> Formatter =
        new(() => new JsonFormatter(JsonFormatter.Settings.Default.WithTypeRegistry(Types.Value)));

    /// <summary>A message with whatever it packs.</summary>
    public static T Parse<T>(JsonElement value) where T : IMessage<T>, new() => Parser.Value.Parse<T>(value.GetRawText());

    /// <summary>As JSON with packed messages open.</summary>
    public static string Text(IMessage message) => Formatter.Value.Format(message);

    /// <summary>First difference; null where both are missing or the same.</summary>
    public static string? Difference(IMessage? actual, JsonElement? want)
    {
        if (want is not { ValueKind: not JsonValueKind.Null } expected) return actual is null ? null : $"have {Text(actual)}, want nothing";
        return actual is null ? $"have nothing, want {expected.GetRawText()}" : Comparison.Value.Difference(actual, expected);
    }

    /// <summary>Differences of two lists of messages.</summary>
    public static string? Difference(IReadOnlyList<IMessage> actual, IReadOnlyList<JsonElement> want)
    {
        if (actual.Count != want.Count) return $"have {actual.Count} ({string.Join(" ", actual.Select(Text))}), want {want.Count}";
        for (var i = 0; i < want.Count; i++)
        {
            if (Difference(actual[i], want[i]) is { } difference) return $"[{i}]{difference}";
        }
        return null;
    }

    /// <summary>YAML as JSON.</summary>
    public static JsonElement Yaml(string text) =>
        JsonDocument.Parse(NodeText.ToJson(DocumentReader.ReadSingle(text, "row.yaml", []) ?? throw new FormatException("no YAML"),
            false)).RootElement;
}
