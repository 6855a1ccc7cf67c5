using System.Text.Json;
using Lateen.Config.Resources;
using Lateen.Test.Conformance.Runners.Names;

namespace Lateen.Test.Conformance.Runners.Live;

/// <summary>Plays <c>debug</c> and <c>metrics</c>: the pages as they are served, with the recorded proxies connected.</summary>
internal sealed class LivePages : IDisposable
{
    private static readonly string[] Names = ["hostname", "connectionId", "proxy", "clusterName", "kind", "name", "Name"];
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false });
    private readonly LiveStand _stand;
    private readonly List<LiveProxy> _proxies = [];
    private readonly Lazy<string> _metrics;

    public LivePages(LiveStand stand, string folder)
    {
        (_stand, _metrics) = (stand, new(() => _http.GetStringAsync($"http://{stand.At.Monitoring}/metrics").GetAwaiter().GetResult()));
        using JsonDocument debug = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "debug.json")));
        JsonElement clients = debug.RootElement.GetProperty("cases").EnumerateArray().First(row => row.Text("path") == "/debug/adsz")
            .GetProperty("body").GetProperty("clients");
        foreach (JsonElement client in clients.EnumerateArray()
            .OrderBy(client => client.Text("connectionId").Split('-')[^1], StringComparer.Ordinal))
            _proxies.Add(LiveProxy.Open(stand, client));
        // What the leader writes is shown with the rest.
        LiveStand.Until(() => stand.Cluster.Server.Get(Kinds.GatewayClass, "", "istio-remote")?["status"] is not null
            && _proxies.TrueForAll(proxy => proxy.HasAll), seconds: 40);
    }

    /// <summary>A page: the same status and kind of text, and every name of the recorded one's shape.</summary>
    public string? Page(JsonElement row)
    {
        if (row.GetRawText().Contains(LiveStatus.Address, StringComparison.Ordinal))
            _stand.GiveAddress("istio-system", "istio-ingressgateway", LiveStatus.Address);
        using HttpResponseMessage page = _http.GetAsync($"http://{_stand.At.Monitoring}{row.Text("path")}").GetAwaiter().GetResult();
        string text = page.Content.ReadAsStringAsync().GetAwaiter().GetResult();
        if ((int)page.StatusCode != row.Number("status") || page.Content.Headers.ContentType?.ToString() != row.Text("contentType"))
            return $"status {page.StatusCode}, {page.Content.Headers.ContentType}: {text}";
        if (row.TextOrNull("text") is { } wanted) return wanted == text ? null : $"expected {wanted}, found {text}";
        return Missing(row.GetProperty("body"), JsonDocument.Parse(text).RootElement, "") is { } missing
            ? $"{missing}; given {text}" : null;
    }

    /// <summary>A family of metrics: its type and the names of its labels, where it has series.</summary>
    public string? Family(JsonElement row)
    {
        string name = row.Text("name"), all = _metrics.Value;
        if (!all.Contains($"# TYPE {name} {row.Text("type")}\n", StringComparison.Ordinal)) return "the family is not there";
        string? series = all.Split('\n')
            .FirstOrDefault(line => line.StartsWith(name + "{", StringComparison.Ordinal)
                || line.StartsWith(name + "_bucket{", StringComparison.Ordinal));
        string[] missing = [.. row.Texts("labels")
            .Where(label => series is not null && !series.Contains(label + "=\"", StringComparison.Ordinal))];
        return missing.Length == 0 ? null : $"labels {string.Join(", ", missing)} are missing";
    }

    public void Dispose()
    {
        foreach (LiveProxy proxy in _proxies) proxy.Dispose();
        _http.Dispose();
    }

    // Names and shape; values that the machine makes are masked anyway. Items of lists are found by what they are called.
    private static string? Missing(JsonElement wanted, JsonElement given, string path)
    {
        if (wanted.ValueKind == JsonValueKind.Null) return null;
        if (given.ValueKind != wanted.ValueKind
            && !(wanted.ValueKind is JsonValueKind.True or JsonValueKind.False
                && given.ValueKind is JsonValueKind.True or JsonValueKind.False))
                return $"{path}: expected {wanted.ValueKind}, found {given.ValueKind}";
        switch (wanted.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (JsonProperty member in wanted.EnumerateObject())
                {
                    if (!given.TryGetProperty(member.Name, out JsonElement other))
                    {
                        if (member.Value.ValueKind == JsonValueKind.Null) continue;
                        return $"{path}.{member.Name} is missing";
                    }
                    if (Missing(member.Value, other, $"{path}.{member.Name}") is { } missing) return missing;
                }
                return null;
            case JsonValueKind.Array when wanted.GetArrayLength() > 0:
                if (given.GetArrayLength() == 0) return $"{path} is empty";
                return wanted.EnumerateArray().Select((item, i) => MissingItem(item, given, $"{path}[{i}]"))
                    .FirstOrDefault(missing => missing is not null);
            default:
                return null;
        }
    }

    private static string? MissingItem(JsonElement item, JsonElement given, string path)
    {
        if (item.ValueKind == JsonValueKind.Array) return Missing(item, given[0], path);
        if (item.ValueKind != JsonValueKind.Object) return null;
        string? called = CalledOf(item);
        // What has no name is known by its shape.
        if (called is null)
            return given.EnumerateArray().Select(other => Missing(item, other, path)).OrderBy(missing => missing is not null)
                .FirstOrDefault($"{path} is missing");
        JsonElement found = given.EnumerateArray().FirstOrDefault(other => CalledOf(other) == called);
        return found.ValueKind == JsonValueKind.Undefined ? $"{path}: {called} is missing" : Missing(item, found, path);
    }

    private static string? CalledOf(JsonElement item)
    {
        if (item.TryGetProperty("metadata", out JsonElement metadata) && item.TryGetProperty("kind", out JsonElement kind))
            return $"{kind} {metadata.TextOrNull("namespace")}/{metadata.TextOrNull("name")}";
        string? called = Names.Select(name => item.TextOrNull(name)).FirstOrDefault(name => name is not null);
        // The number of a stream is the machine's.
        return called is not null && item.TryGetProperty("connectionId", out _) ? called[..called.LastIndexOf('-')] : called;
    }
}
