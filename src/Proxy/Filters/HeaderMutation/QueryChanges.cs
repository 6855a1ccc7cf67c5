using System.Text;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Filters.HeaderMutation;

/// <summary>Changes a path's query. As in Envoy, a query that is changed comes out ordered by its keys and percent-encoded anew.</summary>
internal static class QueryChanges
{
    public static void Apply(QueryChange[] changes, HeaderMap head, IStreamFacts facts, ByteBuffer text)
    {
        if (!head.TryGet(KnownHeader.Path, out ReadOnlySpan<byte> path))
            return;
        int mark = path.IndexOf((byte)'?');
        byte[] bare = (mark < 0 ? path : path[..mark]).ToArray();
        SortedDictionary<string, List<string>> parameters = Parse(mark < 0 ? "" : Encoding.UTF8.GetString(path[(mark + 1)..]));
        foreach (QueryChange change in changes)
            Apply(change, parameters, facts, text);
        text.Clear();
        text.Append(bare);
        char sign = '?';
        foreach ((string key, List<string> values) in parameters)
        {
            foreach (string value in values)
            {
                text.Append((byte)sign);
                text.Append(Uri.EscapeDataString(key));
                text.Append((byte)'=');
                text.Append(Uri.EscapeDataString(value));
                sign = '&';
            }
        }
        head.Set(KnownHeader.Path, text.Written);
    }

    private static void Apply(QueryChange change, SortedDictionary<string, List<string>> parameters, IStreamFacts facts, ByteBuffer text)
    {
        bool present = parameters.TryGetValue(change.Key, out List<string>? values);
        if (change.Value is null)
        {
            parameters.Remove(change.Key);
            return;
        }
        if ((change.Append == HeaderAppend.AddIfAbsent && present) || (change.Append == HeaderAppend.OverwriteIfExists && !present))
            return;
        text.Clear();
        change.Value.Write(facts, text);
        string value = Encoding.UTF8.GetString(text.Written);
        if (present && change.Append == HeaderAppend.AppendOrAdd)
            values!.Add(value);
        else
            parameters[change.Key] = [value];
    }

    private static SortedDictionary<string, List<string>> Parse(string query)
    {
        var parameters = new SortedDictionary<string, List<string>>(StringComparer.Ordinal);
        int fragment = query.IndexOf('#', StringComparison.Ordinal);
        foreach (string pair in (fragment < 0 ? query : query[..fragment]).Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            int equals = pair.IndexOf('=', StringComparison.Ordinal);
            string key = Decode(equals < 0 ? pair : pair[..equals]);
            if (!parameters.TryGetValue(key, out List<string>? values))
                parameters[key] = values = [];
            values.Add(equals < 0 ? "" : Decode(pair[(equals + 1)..]));
        }
        return parameters;
    }

    private static string Decode(string text) => Uri.UnescapeDataString(text.Replace('+', ' '));
}
