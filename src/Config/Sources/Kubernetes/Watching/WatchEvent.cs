using System.Text.Json;

namespace Lateen.Config.Sources.Kubernetes.Watching;

/// <summary>What a watch tells.</summary>
public enum WatchEventKind
{
    /// <summary>The object is there or is another now; added and modified are the same to who knows what it knew.</summary>
    Put,

    /// <summary>The object is gone.</summary>
    Deleted,

    /// <summary>Nothing changed up to this version.</summary>
    Bookmark,

    /// <summary>The watch cannot go on.</summary>
    Failed,
}

/// <summary>One line of a watch.</summary>
public sealed record WatchEvent(WatchEventKind Kind, ApiObject? Object, string Version, ApiFailure? Failure)
{
    /// <summary>The event of a line, which belongs to it from now on; null for one that newer servers may have and that means nothing
    /// here.</summary>
    /// <exception cref="JsonException">It is no JSON.</exception>
    public static WatchEvent? Of(ReadOnlyMemory<byte> line)
    {
        var (type, json) = ("", ReadOnlyMemory<byte>.Empty);
        var reader = ApiJson.Reader(line.Span);
        for (var isInside = ApiJson.Enter(ref reader); isInside && reader.Read() && reader.TokenType == JsonTokenType.PropertyName;)
        {
            if (reader.ValueTextEquals("type"u8)) type = ApiJson.Text(ref reader);
            else if (reader.ValueTextEquals("object"u8))
            {
                reader.Read();
                var from = (int)reader.TokenStartIndex;
                reader.Skip();
                json = line[from..(int)reader.BytesConsumed];
            }
            else reader.Skip();
        }

        return Of(type, json);
    }

    private static WatchEvent? Of(string type, ReadOnlyMemory<byte> json)
    {
        switch (type)
        {
            case "ADDED" or "MODIFIED" or "DELETED" when ApiObject.Of(json) is { } found:
                return new WatchEvent(type == "DELETED" ? WatchEventKind.Deleted : WatchEventKind.Put, found, found.Version, null);
            case "BOOKMARK":
                var reader = ApiJson.Reader(json.Span);
                var metadata = !json.IsEmpty && ApiJson.Enter(ref reader) && ApiJson.Find(ref reader, "metadata"u8)
                    ? ApiMetadata.Read(ref reader) : default;
                return new WatchEvent(WatchEventKind.Bookmark, null, metadata.Version ?? "", null);
            case "ERROR":
                using (var status = JsonDocument.Parse(json.IsEmpty ? "{}"u8.ToArray() : json))
                    return new WatchEvent(WatchEventKind.Failed, null, "", ApiClient.OfStatus(status.RootElement, 500));
            default:
                return null;
        }
    }
}
