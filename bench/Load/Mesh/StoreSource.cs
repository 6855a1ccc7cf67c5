using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;

namespace Lateen.Bench.Load.Mesh;

/// <summary>A folder of files to begin with, and the control plane's own operator API for every change: what it costs to take, check and
/// answer a request is part of what is measured.</summary>
internal sealed class StoreSource : MeshSource
{
    private static readonly HashSet<string> Observed = ["EndpointSlice"];
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("lateen-mesh-config-");
    private HttpClient? _operator;

    /// <inheritdoc/>
    public override string Name => "";

    /// <inheritdoc/>
    public override async Task<string[]> OfferAsync(MeshWorld world)
    {
        int file = 0;
        foreach (JsonObject[] objects in world.Objects().Chunk(500))
            await File.WriteAllTextAsync(
                Path.Combine(_folder.FullName, string.Create(CultureInfo.InvariantCulture, $"world-{file++:d4}.yaml")),
                string.Join("\n---\n", objects.Select(o => o.ToJsonString())));
        return ["--config-dir", _folder.FullName];
    }

    /// <inheritdoc/>
    public override void Started(JsonNode address)
    {
        _operator = new HttpClient
        {
            BaseAddress = new Uri($"http://{address["http"]!.GetValue<string>()}/lateen/v1/"),
            Timeout = TimeSpan.FromMinutes(5),
        };
        _operator.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", address["token"]!.GetValue<string>());
    }

    /// <inheritdoc/>
    public override async Task ApplyAsync(params JsonObject[] objects)
    {
        var asked = new JsonObject
        {
            // Endpoints are seen in a cluster, not written by a person: no revision is made of each.
            ["observed"] = objects.All(o => Observed.Contains(o["kind"]!.GetValue<string>())),
            ["sources"] = new JsonArray(
                new JsonObject { ["name"] = "bench", ["text"] = string.Join("\n---\n", objects.Select(o => o.ToJsonString())) }),
            ["dryRun"] = false,
        };
        using var body = new StringContent(asked.ToJsonString(), Encoding.UTF8, "application/json");
        using HttpResponseMessage answer = await _operator!.PostAsync(new Uri("apply", UriKind.Relative), body);
        JsonNode? said = await answer.Content.ReadFromJsonAsync<JsonNode>();
        if (said?["accepted"]?.GetValue<bool>() != true)
            throw new InvalidOperationException($"the control plane refuses: {said?.ToJsonString()}");
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        _operator?.Dispose();
        _folder.Delete(recursive: true);
    }
}
