using System.Text.Json;

namespace Lateen.Config.Sources.Kubernetes.Watching;

/// <summary>A part of a list.</summary>
/// <param name="Items">Objects of this part.</param>
/// <param name="Version">What a watch goes on from.</param>
/// <param name="Continue">Asks for the next part; empty for the last one.</param>
public sealed record ListPage(IReadOnlyList<ApiObject> Items, string Version, string Continue)
{
    /// <summary>The page of an answer, of which nothing is kept: each item has bytes of its own.</summary>
    /// <exception cref="JsonException">It is no JSON.</exception>
    public static ListPage Of(ReadOnlySpan<byte> json)
    {
        var (metadata, items) = (default(ApiMetadata), new List<ApiObject>());
        var reader = ApiJson.Reader(json);
        for (var isInside = ApiJson.Enter(ref reader); isInside && reader.Read() && reader.TokenType == JsonTokenType.PropertyName;)
        {
            var (isMetadata, isItems) = (reader.ValueTextEquals("metadata"u8), reader.ValueTextEquals("items"u8));
            reader.Read();
            if (isMetadata) metadata = ApiMetadata.Read(ref reader);
            else if (isItems && reader.TokenType == JsonTokenType.StartArray) Add(ref reader, json, items);
            else reader.Skip();
        }

        return new ListPage(items, metadata.Version ?? "", metadata.Continue ?? "");
    }

    private static void Add(ref Utf8JsonReader reader, ReadOnlySpan<byte> json, List<ApiObject> items)
    {
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (ApiObject.Of(ApiJson.Value(ref reader, json).ToArray()) is { } item) items.Add(item);
        }
    }
}
