using System.Text.Json;

namespace Lateen.Proxy.Formats;

/// <summary>JSON in the form in which a protobuf Struct is printed: keys in order, numbers as doubles, nothing blank.</summary>
public static class StructJson
{
    /// <summary>The same value in that form.</summary>
    public static JsonElement Sorted(JsonElement value)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer,
            new JsonWriterOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
            Write(writer, value);
        using JsonDocument document = JsonDocument.Parse(buffer.ToArray());
        return document.RootElement.Clone();
    }

    private static void Write(Utf8JsonWriter writer, JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                writer.WriteStartObject();
                // Of a name that stands twice, the last value counts.
                var fields = new SortedDictionary<string, JsonElement>(StringComparer.Ordinal);
                foreach (JsonProperty field in value.EnumerateObject())
                    fields[field.Name] = field.Value;
                foreach ((string name, JsonElement field) in fields)
                {
                    writer.WritePropertyName(name);
                    Write(writer, field);
                }
                writer.WriteEndObject();
                break;
            case JsonValueKind.Array:
                writer.WriteStartArray();
                foreach (JsonElement element in value.EnumerateArray())
                    Write(writer, element);
                writer.WriteEndArray();
                break;
            case JsonValueKind.Number:
                double number = value.GetDouble();
                if (number == Math.Floor(number) && Math.Abs(number) < 1e15)
                    writer.WriteNumberValue((long)number);
                else if (double.IsFinite(number))
                    writer.WriteNumberValue(number);
                else
                    writer.WriteNullValue();
                break;
            default:
                value.WriteTo(writer);
                break;
        }
    }
}
