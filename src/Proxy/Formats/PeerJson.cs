using System.Text.Json;

namespace Lateen.Proxy.Formats;

/// <summary>
/// JSON that a peer wrote. The framework parses texts that are no Unicode (broken UTF-8, half of a surrogate pair as an escape) and throws
/// when somebody reads them: such a document is none here, so that whoever has one may read it all.
/// </summary>
public static class PeerJson
{
    /// <summary>The document's root, on its own; false where it is no JSON or no Unicode.</summary>
    public static bool TryParse(byte[] json, out JsonElement root, JsonDocumentOptions options = default)
    {
        root = default;
        if (!System.Text.Unicode.Utf8.IsValid(json) || HasHalfPair(json))
            return false;
        try
        {
            using JsonDocument document = JsonDocument.Parse(json, options);
            root = document.RootElement.Clone();
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    // Escapes stand in texts alone, and a backslash before the u is one if an even number of them stands in front.
    private static bool HasHalfPair(ReadOnlySpan<byte> json)
    {
        for (int at = json.IndexOf((byte)'\\'); at >= 0 && at + 1 < json.Length;)
        {
            int next = at + 2;
            if (json[at + 1] == 'u' && Unit(json, at) is var unit and >= 0xd800 and <= 0xdfff)
            {
                if (unit >= 0xdc00 || Unit(json, at + 6) is < 0xdc00 or > 0xdfff)
                    return true;
                next = at + 12;
            }
            int more = next < json.Length ? json[next..].IndexOf((byte)'\\') : -1;
            at = more < 0 ? -1 : next + more;
        }
        return false;
    }

    // The number behind \u; -1 where there is none.
    private static int Unit(ReadOnlySpan<byte> json, int at) =>
        at + 6 <= json.Length && json[at] == '\\' && json[at + 1] == 'u'
            && int.TryParse(json.Slice(at + 2, 4), System.Globalization.NumberStyles.AllowHexSpecifier, null, out int unit) ? unit : -1;
}
