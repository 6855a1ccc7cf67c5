namespace Lateen.Injector.Workloads;

/// <summary>Variables of proxies that stand in the webhook's address: <c>/inject/cluster/c1/net/n1</c>, so that one control plane can
/// inject for several clusters.</summary>
public static class InjectionPath
{
    private const string Listed = ":ENV:";
    private static readonly Dictionary<string, string> Known = new(StringComparer.Ordinal)
    {
        ["cluster"] = "ISTIO_META_CLUSTER_ID",
        ["net"] = "ISTIO_META_NETWORK",
    };

    /// <summary>Reads them; names and values by turns, of which a name without a value is dropped.</summary>
    public static IReadOnlyDictionary<string, string> Variables(string path)
    {
        string[] parts = path.TrimEnd('/').Split('/', 3);
        var variables = new SortedDictionary<string, string>(StringComparer.Ordinal);
        if (parts.Length < 3) return variables;
        foreach (var (name, value) in parts[2].StartsWith(Listed, StringComparison.Ordinal) ? Pairs(parts[2]) : Turns(parts[2]))
            variables[Known.TryGetValue(name, out var variable) ? variable : name.ToUpperInvariant()] = value;
        return variables;
    }

    private static IEnumerable<(string Name, string Value)> Pairs(string text) => text.Split(Listed).Skip(1)
        .Select(pair => pair.Split('=', 2)).Where(pair => pair is [{ Length: > 0 }, _]).Select(pair => (pair[0], pair[1]));

    // A slash in a value is spelled out.
    private static IEnumerable<(string Name, string Value)> Turns(string text) =>
        text.Split('/').Chunk(2).Where(pair => pair.Length == 2)
            .Select(pair => (pair[0], pair[1].Replace("--slash--", "/", StringComparison.Ordinal)));
}
