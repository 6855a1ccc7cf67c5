using System.Text;
using Lateen.Proxy.Http;

namespace Lateen.Test.Rigs.Stage;

/// <summary>Heads as lists of texts.</summary>
internal static class Headers
{
    public static List<(string Name, string Value)> Read(HeaderMap map)
    {
        var found = new List<(string, string)>();
        for (int i = 0; i < map.End; i++)
        {
            if (map.At(i, out _, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value))
                found.Add((Encoding.Latin1.GetString(name), Encoding.Latin1.GetString(value)));
        }
        return found;
    }

    public static HeaderMap Write(IEnumerable<(string Name, string Value)> headers)
    {
        var map = new HeaderMap();
        foreach ((string name, string value) in headers)
            map.Add(Encoding.Latin1.GetBytes(name.ToLowerInvariant()), Encoding.Latin1.GetBytes(value));
        return map;
    }

    public static string? Find(this IEnumerable<(string Name, string Value)> headers, string name)
    {
        string[] values = [.. headers.Where(header => header.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
            .Select(header => header.Value)];
        return values.Length == 0 ? null : string.Join(",", values);
    }
}
