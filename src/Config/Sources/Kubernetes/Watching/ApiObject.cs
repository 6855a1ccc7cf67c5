using System.Text.Json;

namespace Lateen.Config.Sources.Kubernetes.Watching;

/// <summary>An object as the API gave it: who it is, and the rest unread.</summary>
/// <param name="Namespace">Empty when its kind has none.</param>
/// <param name="Name">Its name.</param>
/// <param name="Version">Its resourceVersion: equal means the same object, nothing else may be read out of it.</param>
/// <param name="Json">All of it, as UTF-8; of an item of a list without apiVersion and kind.</param>
public sealed record ApiObject(string Namespace, string Name, string Version, ReadOnlyMemory<byte> Json)
{
    /// <summary>The object of these bytes, which belong to it from now on; null when it has no name.</summary>
    public static ApiObject? Of(ReadOnlyMemory<byte> json)
    {
        var reader = ApiJson.Reader(json.Span);
        if (!ApiJson.Enter(ref reader) || !ApiJson.Find(ref reader, "metadata"u8)) return null;
        var found = ApiMetadata.Read(ref reader);
        return found.Name.Length == 0 ? null : new ApiObject(found.Namespace, found.Name, found.Version, json);
    }

    internal static string Text(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()! : "";
}

/// <summary>What of the metadata of an object or a list is looked at before it is decoded; what is not there is empty.</summary>
internal readonly record struct ApiMetadata(string Namespace, string Name, string Version, string Continue)
{
    /// <summary>Reads the object at which the reader stands, to its end.</summary>
    public static ApiMetadata Read(ref Utf8JsonReader reader)
    {
        var (ns, name, version, token) = ("", "", "", "");
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return new(ns, name, version, token);
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("namespace"u8)) ns = ApiJson.Text(ref reader);
            else if (reader.ValueTextEquals("name"u8)) name = ApiJson.Text(ref reader);
            else if (reader.ValueTextEquals("resourceVersion"u8)) version = ApiJson.Text(ref reader);
            else if (reader.ValueTextEquals("continue"u8)) token = ApiJson.Text(ref reader);
            else reader.Skip();
        }

        return new(ns, name, version, token);
    }
}

/// <summary>Walks through JSON without making a tree of it.</summary>
internal static class ApiJson
{
    private static readonly JsonReaderOptions Options = new() { MaxDepth = Lateen.Api.Documents.DocumentLimits.Default.DepthMax };

    public static Utf8JsonReader Reader(ReadOnlySpan<byte> json) => new(json, Options);

    /// <summary>Steps into the object that is the whole text; false when it is none.</summary>
    public static bool Enter(ref Utf8JsonReader reader) => reader.Read() && reader.TokenType == JsonTokenType.StartObject;

    /// <summary>Goes to the value of a member of the object that the reader is in; false when there is none, and the object is
    /// over.</summary>
    public static bool Find(ref Utf8JsonReader reader, ReadOnlySpan<byte> name)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isIt = reader.ValueTextEquals(name);
            reader.Read();
            if (isIt) return true;
            reader.Skip();
        }

        return false;
    }

    /// <summary>The text that comes next; empty when it is none.</summary>
    public static string Text(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.String) return reader.GetString()!;
        reader.Skip();
        return "";
    }

    /// <summary>The bytes of the value at which the reader stands, and past it.</summary>
    public static ReadOnlySpan<byte> Value(ref Utf8JsonReader reader, ReadOnlySpan<byte> json)
    {
        var from = (int)reader.TokenStartIndex;
        reader.Skip();
        return json[from..(int)reader.BytesConsumed];
    }
}
