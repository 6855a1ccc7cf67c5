using System.Collections.Concurrent;
using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;
using Lateen.Config.Resources;
using Lateen.Config.Sources.Kubernetes;
using Lateen.Config.Sources.Kubernetes.Access;
using Lateen.Config.Sources.Kubernetes.Watching;

namespace Lateen.Bench.Load.Mesh;

/// <summary>
/// A Kubernetes API server that somebody started, on the clients' core: the world lies in it, and changes are written to it. What it holds
/// of an earlier run is kept where it is right, so that a second run begins at once.
/// </summary>
/// <remarks>Services and pods want a server without controllers, which would make slices of their own beside ours.</remarks>
internal sealed class ClusterSource(string kubeConfig, string program) : MeshSource
{
    // An annotation of each object of ours, a hash of what was written: whatever changed it has changed this, too. No label: labels mean
    // something in a mesh.
    private const string Mark = "lateen.dev/bench";
    private const int AtOnce = 16;

    private readonly ApiClient _client = ApiClient.Open(Access(kubeConfig));
    private readonly ConcurrentDictionary<string, string> _marks = new();
    private readonly Dictionary<string, ServedKind> _served = [];

    /// <inheritdoc/>
    public override string Name => "Kubernetes";

    /// <inheritdoc/>
    public override async Task<string[]> OfferAsync(MeshWorld world)
    {
        await DefineAsync();
        var resources = new ApiResources(_client, TimeProvider.System);
        foreach (ResourceKind kind in MeshWorld.Kinds)
            await ListAsync((await resources.FindAsync(kind, default)).Value
                ?? throw new InvalidOperationException($"the API server has no {kind.Name}"));
        string[] ours = [.. _marks.Where(known => known.Value.Length > 0).Select(known => known.Key)];
        JsonObject[] objects = [.. Namespaces(world).Concat(world.Objects())];
        await InParallelAsync(objects, o => ApplyAsync(o));
        HashSet<string> wanted = [.. objects.Select(PathOf)];
        await InParallelAsync(ours.Where(path => !wanted.Contains(path)), DeleteAsync);
        return ["--kubeconfig", kubeConfig];
    }

    /// <inheritdoc/>
    public override async Task ApplyAsync(params JsonObject[] objects)
    {
        foreach (JsonObject written in objects.Select(Complete))
        {
            (string path, string mark) = (PathOf(written), MarkOf(written));
            if (_marks.TryGetValue(path, out string? before) && (before == mark || written["kind"]!.GetValue<string>() is "Namespace"))
                continue;
            // The mark comes with the last write, so that an object that was cut short is not taken for whole.
            JsonNode? status = written["status"]?.DeepClone();
            written.Remove("status");
            if (status is null)
                Marked(written, mark);
            Demand(before is null
                ? await _client.SendAsync(HttpMethod.Post, path[..path.LastIndexOf('/')], written.ToJsonString(), ApiClient.Json, default)
                : await _client.SendAsync(HttpMethod.Patch, path, written.ToJsonString(), ApiClient.MergePatch, default));
            if (status is not null)
                Demand(await _client.SendAsync(HttpMethod.Patch, path + "/status",
                    Marked(new JsonObject { ["metadata"] = new JsonObject(), ["status"] = status }, mark).ToJsonString(),
                    ApiClient.MergePatch, default));
            _marks[path] = mark;
        }
    }

    /// <inheritdoc/>
    public override void Dispose() => _client.Dispose();

    private async Task DeleteAsync(string path)
    {
        Demand(await _client.SendAsync(HttpMethod.Delete, path + "?gracePeriodSeconds=0", null, "", default)).Dispose();
        _marks.TryRemove(path, out _);
    }

    // What an API server asks for and a mesh does not read; addresses of services are the server's to give.
    private static JsonObject Complete(JsonObject made)
    {
        JsonObject written = made.DeepClone().AsObject();
        if (written["kind"]!.GetValue<string>() is "Pod")
            written["spec"]!["containers"] = new JsonArray(new JsonObject { ["name"] = "app", ["image"] = "app" });
        if (written["kind"]!.GetValue<string>() is "Service")
            written["spec"]!.AsObject().Remove("clusterIP");
        return written;
    }

    private string PathOf(JsonObject written)
    {
        ServedKind kind = _served[written["kind"]!.GetValue<string>()];
        written["apiVersion"] = kind.ApiVersion;
        return kind.PathOf(written["metadata"]!["namespace"]?.GetValue<string>() ?? "", written["metadata"]!["name"]!.GetValue<string>());
    }

    private static string MarkOf(JsonObject written) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(written.ToJsonString())))[..16];

    private static JsonObject Marked(JsonObject written, string mark)
    {
        written["metadata"]!["annotations"] = new JsonObject { [Mark] = mark };
        return written;
    }

    private async Task ListAsync(ServedKind kind)
    {
        _served[kind.Kind.Name] = kind;
        foreach (ApiObject found in Demand(await _client.ListAsync(kind.Path, default, ApiClient.MetadataOnly)).Items)
        {
            using JsonDocument read = JsonDocument.Parse(found.Json);
            JsonElement metadata = read.RootElement.GetProperty("metadata");
            // Namespaces stay for the next time; what is not ours has no mark, and is left alone.
            _marks[kind.PathOf(found.Namespace, found.Name)] = kind.Kind != Kinds.Namespace
                && metadata.TryGetProperty("annotations", out JsonElement notes) && notes.TryGetProperty(Mark, out JsonElement said)
                    ? said.GetString()! : "";
        }
    }

    private async Task DefineAsync()
    {
        string[] command = program.EndsWith(".dll", StringComparison.Ordinal) ? ["dotnet", program] : [program];
        using Process tool = Process.Start(new ProcessStartInfo(command[0], [.. command[1..], "crds"]) { RedirectStandardOutput = true })!;
        string yaml = await tool.StandardOutput.ReadToEndAsync();
        foreach (Document document in DocumentReader.Read(yaml, "", []).Where(d => d.Root is not null))
        {
            ApiResult<JsonDocument> made = await _client.SendAsync(HttpMethod.Post,
                "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", NodeText.ToJson(document.Root!, indented: false), ApiClient.Json,
                default);
            if (made.Failure is not { IsConflict: true })
                Demand(made);
        }
    }

    private static IEnumerable<JsonObject> Namespaces(MeshWorld world) =>
        Enumerable.Range(0, world.Namespaces).Select(world.NamespaceOf).Where(name => name != "default").Append("istio-system")
            .Select(name => new JsonObject
            {
                ["apiVersion"] = "v1", ["kind"] = "Namespace", ["metadata"] = new JsonObject { ["name"] = name },
            });

    private static Task InParallelAsync<T>(IEnumerable<T> all, Func<T, Task> act) =>
        Parallel.ForEachAsync(all, new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (one, _) => await act(one));

    private static T Demand<T>(ApiResult<T> answer) where T : class =>
        answer.Value ?? throw new InvalidOperationException($"the API server refuses: {answer.Failure}");

    private static ClusterAccess Access(string kubeConfig)
    {
        var found = new DiagnosticBag();
        return new KubeConfigReader(TimeProvider.System).Read([kubeConfig], null, found)
            ?? throw new InvalidOperationException($"the kubeconfig cannot be used: {string.Join("; ", found.Select(d => d.Text))}");
    }
}
