using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;

namespace Lateen.Proxy.Routing;

/// <summary>Changes of a request's query: parameters are kept by name in order of their names, as Envoy writes a query that it has
/// changed.</summary>
public static class QueryText
{
    /// <summary>A percent-encoded text decoded; what is no encoding stays.</summary>
    public static byte[] Decode(ReadOnlySpan<byte> text)
    {
        var decoded = new byte[text.Length];
        int n = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '%' && i + 2 < text.Length && char.IsAsciiHexDigit((char)text[i + 1]) && char.IsAsciiHexDigit((char)text[i + 2]))
            {
                decoded[n++] = (byte)((Hex(text[i + 1]) << 4) | Hex(text[i + 2]));
                i += 2;
            }
            else
            {
                decoded[n++] = text[i];
            }
        }
        return decoded[..n];
    }

    private static int Hex(byte digit) => digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;

    /// <summary>Takes a parameter out of the path.</summary>
    public static void Remove(HeaderMap head, ReadOnlySpan<byte> name) => Change(head, name, default, set: false);

    /// <summary>Gives a parameter one value in the path.</summary>
    public static void Set(HeaderMap head, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value) => Change(head, name, value, set: true);

    private static void Change(HeaderMap head, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, bool set)
    {
        ReadOnlySpan<byte> path = head[KnownHeader.Path];
        string wanted = System.Text.Encoding.Latin1.GetString(name);
        var kept = new SortedDictionary<string, List<byte[]>>(StringComparer.Ordinal);
        ReadOnlySpan<byte> query = Text.QueryOf(path);
        while (!query.IsEmpty)
        {
            int end = query.IndexOf((byte)'&');
            ReadOnlySpan<byte> pair = end < 0 ? query : query[..end];
            query = end < 0 ? default : query[(end + 1)..];
            int eq = pair.IndexOf((byte)'=');
            string key = System.Text.Encoding.Latin1.GetString(eq < 0 ? pair : pair[..eq]);
            if (pair.IsEmpty || key == wanted)
                continue;
            if (!kept.TryGetValue(key, out List<byte[]>? values))
                kept[key] = values = [];
            values.Add(eq < 0 ? [] : pair[(eq + 1)..].ToArray());
        }
        if (set)
            kept[wanted] = [value.ToArray()];
        var changed = new ByteBuffer(path.Length + name.Length + value.Length + 2);
        changed.Append(Text.WithoutQuery(path));
        byte parted = (byte)'?';
        foreach ((string key, List<byte[]> values) in kept)
        {
            foreach (byte[] one in values)
            {
                changed.Append(parted);
                changed.Append(System.Text.Encoding.Latin1.GetBytes(key));
                changed.Append((byte)'=');
                changed.Append(one);
                parted = (byte)'&';
            }
        }
        head.Set(KnownHeader.Path, changed.Written);
    }
}
