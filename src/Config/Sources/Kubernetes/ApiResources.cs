using System.Text.Json;
using Lateen.Config.Resources;
using Lateen.Config.Sources.Kubernetes.Watching;

namespace Lateen.Config.Sources.Kubernetes;

/// <summary>A kind as one API server serves it.</summary>
/// <param name="Kind">What it is here.</param>
/// <param name="Version">The served version of those that are known, the preferred one first.</param>
public sealed record ServedKind(ResourceKind Kind, string Version)
{
    public string ApiVersion => Kind.Group.Length == 0 ? Version : $"{Kind.Group}/{Version}";

    /// <summary>All objects of the kind.</summary>
    public string Path => $"{Root(Kind, Version)}/{Kind.Plural}";

    /// <summary>One object.</summary>
    public string PathOf(string ns, string name) =>
        Kind.IsNamespaced ? $"{Root(Kind, Version)}/namespaces/{ns}/{Kind.Plural}/{name}" : $"{Path}/{name}";

    internal static string Root(ResourceKind kind, string version) =>
        kind.Group.Length == 0 ? $"/api/{version}" : $"/apis/{kind.Group}/{version}";
}

/// <summary>Asks an API server which kinds it has, in which versions: definitions of Istio and of the Gateway API may be missing, or old.
/// Thread-safe; answers are kept for two seconds, in which all kinds are asked for.</summary>
public sealed class ApiResources(ApiClient client, TimeProvider time)
{
    private static readonly TimeSpan Keep = TimeSpan.FromSeconds(2);
    private readonly Lock _asking = new();
    private Task<ApiResult<ServedKind>> _last = Task.FromResult(default(ApiResult<ServedKind>));
    private readonly Dictionary<string, IReadOnlyList<string>> _plurals = [];
    private Dictionary<string, string[]>? _groups;
    private DateTimeOffset _askedAt;

    /// <summary>The version in which a kind is served; no value and no failure when it is not.</summary>
    public Task<ApiResult<ServedKind>> FindAsync(ResourceKind kind, CancellationToken cancel)
    {
        // One after another: the first asks the server, the others find its answers.
        lock (_asking) return _last = AfterAsync(_last, kind, cancel);
    }

    private async Task<ApiResult<ServedKind>> AfterAsync(Task before, ResourceKind kind, CancellationToken cancel)
    {
        await before.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ForceYielding);
        if (time.GetUtcNow() - _askedAt >= Keep)
        {
            _plurals.Clear();
            (_groups, _askedAt) = (null, time.GetUtcNow());
        }

        return await AskAsync(kind, cancel).ConfigureAwait(false);
    }

    private async Task<ApiResult<ServedKind>> AskAsync(ResourceKind kind, CancellationToken cancel)
    {
        if (kind.Group.Length > 0 && _groups is null && await ReadGroupsAsync(cancel).ConfigureAwait(false) is { } refused) return refused;
        foreach (var version in kind.Versions.Where(
            v => kind.Group.Length == 0 || (_groups!.TryGetValue(kind.Group, out var served) && served.Contains(v))))
        {
            var plurals = await PluralsAsync(ServedKind.Root(kind, version), cancel).ConfigureAwait(false);
            if (plurals.Failure is { IsAbsent: false } failure) return failure;
            if (plurals.Value?.Contains(kind.Plural) == true) return new ServedKind(kind, version);
        }

        return default;
    }

    private async Task<ApiFailure?> ReadGroupsAsync(CancellationToken cancel)
    {
        var answer = await client.GetAsync("/apis", cancel).ConfigureAwait(false);
        using var list = answer.Value;
        if (list is null) return answer.Failure;
        _groups = [];
        foreach (var group in Items(list.RootElement, "groups"))
            _groups[ApiObject.Text(group, "name")] = [.. Items(group, "versions").Select(v => ApiObject.Text(v, "version"))];
        return null;
    }

    private async Task<ApiResult<IReadOnlyList<string>>> PluralsAsync(string root, CancellationToken cancel)
    {
        if (_plurals.TryGetValue(root, out var known)) return new(known, null);
        var answer = await client.GetAsync(root, cancel).ConfigureAwait(false);
        using var list = answer.Value;
        if (list is null) return answer.Failure!;
        string[] plurals = [.. Items(list.RootElement, "resources").Select(r => ApiObject.Text(r, "name"))];
        return new(_plurals[root] = plurals, null);
    }

    private static IEnumerable<JsonElement> Items(JsonElement element, string name) =>
        element.TryGetProperty(name, out var list) && list.ValueKind == JsonValueKind.Array ? list.EnumerateArray() : [];
}
