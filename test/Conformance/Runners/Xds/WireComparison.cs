using System.Text.Json;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Lateen.Test.Conformance.Runners.Xds;

/// <summary>Compares messages with their goldens: as messages, so that absent and default are the same.</summary>
internal sealed class WireComparison
{
    private readonly TypeRegistry _types;
    private readonly JsonParser _parser;
    private readonly JsonFormatter _formatter;

    public WireComparison(TypeRegistry types)
    {
        _types = types;
        _parser = new JsonParser(JsonParser.Settings.Default.WithTypeRegistry(types));
        _formatter = new JsonFormatter(JsonFormatter.Settings.Default.WithTypeRegistry(types));
    }

    /// <summary>Every message type that a golden can hold.</summary>
    public static TypeRegistry AllTypes()
    {
        var files = typeof(Envoy.Config.Cluster.V3.Cluster).Assembly.GetTypes()
            .Where(type => type.Name.EndsWith("Reflection", StringComparison.Ordinal) && type.IsAbstract && type.IsSealed)
            .Select(type => type.GetProperty("Descriptor")?.GetValue(null)).OfType<FileDescriptor>();
        return TypeRegistry.FromFiles(files);
    }

    /// <summary>First difference, or null.</summary>
    public string? Difference(IMessage actual, JsonElement want)
    {
        IMessage expected;
        try
        {
            expected = Read(want, ref actual);
        }
        catch (Exception failure) when (failure is InvalidProtocolBufferException or InvalidOperationException)
        {
            return $"golden can't be read: {failure.Message}";
        }
        var left = JsonDocument.Parse(_formatter.Format(actual)).RootElement;
        var right = JsonDocument.Parse(_formatter.Format(expected)).RootElement;
        return Difference(left, right, "");
    }

    // Packed messages that pack nothing are rare, and looking for them is slow.
    private IMessage Read(JsonElement want, ref IMessage actual)
    {
        try
        {
            return _parser.Parse(want.GetRawText(), actual.Descriptor);
        }
        catch (InvalidProtocolBufferException) when (want.GetRawText().Contains("{}", StringComparison.Ordinal))
        {
            var empty = new EmptyAnys(_types);
            actual = empty.In(actual);
            return _parser.Parse(empty.In(System.Text.Json.Nodes.JsonNode.Parse(want.GetRawText()), actual.Descriptor)!.ToJsonString(),
                actual.Descriptor);
        }
    }

    private static string? Difference(JsonElement actual, JsonElement want, string path)
    {
        if (actual.ValueKind != want.ValueKind) return $"{path}: have {Short(actual)}, want {Short(want)}";
        switch (want.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (var property in want.EnumerateObject())
                {
                    if (!actual.TryGetProperty(property.Name, out var other))
                        return $"{path}.{property.Name}: missing, want {Short(property.Value)}";
                    if (Difference(other, property.Value, $"{path}.{property.Name}") is { } inside) return inside;
                }
                foreach (var property in actual.EnumerateObject())
                {
                    if (!want.TryGetProperty(property.Name, out _))
                        return $"{path}.{property.Name}: have {Short(property.Value)}, want nothing";
                }
                return null;
            case JsonValueKind.Array:
                if (actual.GetArrayLength() != want.GetArrayLength())
                    return $"{path}: have {actual.GetArrayLength()} items {Short(actual)}, want {want.GetArrayLength()} {Short(want)}";
                for (var i = 0; i < want.GetArrayLength(); i++)
                {
                    if (Difference(actual[i], want[i], $"{path}[{i}]") is { } inside) return inside;
                }
                return null;
            default:
                return actual.GetRawText() == want.GetRawText() ? null : $"{path}: have {Short(actual)}, want {Short(want)}";
        }
    }

    private static string Short(JsonElement element)
    {
        var text = element.GetRawText().ReplaceLineEndings(" ");
        return text.Length > 300 ? text[..300] + "..." : text;
    }
}
