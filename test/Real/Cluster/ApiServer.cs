// Cluster: the control plane against a real Kubernetes API server with etcd and controllers, on loopback, without containers: pods stay
// pending until a test gives them a status. It needs the tool `kube-apiserver` (LATEEN_KUBE_TOOL, or ../shared/tools beside the repository)
// with its binaries built; where they are not there, or without LATEEN_LONG=1, these tests say so and pass over.
using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Lateen.Api.Documents;
using Lateen.Test.Rigs;
using Xunit;

namespace Lateen.Test.Real.Cluster;

/// <summary>An API server of its own for one class of tests.</summary>
public sealed class ApiServer : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("lateen-kube-").FullName;
    private HttpClient _client = null!;

    /// <summary>Why there is none; null where there is.</summary>
    public string? Obstacle { get; private set; }

    public string KubeConfig => Path.Combine(_folder, "kubeconfig");

    private static string Tool => Environment.GetEnvironmentVariable("LATEEN_KUBE_TOOL")
        ?? Path.GetFullPath(Path.Combine(Repository.Root, "..", "shared", "tools", "kube-apiserver"));

    private static string Binaries =>
        Path.Combine(Environment.GetEnvironmentVariable("KUBE_TEST_CACHE")
            ?? Path.Combine(Environment.GetEnvironmentVariable("XDG_CACHE_HOME")
                ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache"), "kube-test"), "bin",
                "kube-apiserver");

    public async ValueTask InitializeAsync()
    {
        Obstacle = !Stands.Lateen.IsLong ? "it takes a real API server: run it with --all"
            : !File.Exists(Tool) ? "the tool that starts an API server is not here (LATEEN_KUBE_TOOL)"
            : !File.Exists(Binaries) ? $"the API server is not built: run `{Tool} build`" : null;
        if (Obstacle is not null) return;
        await StartAsync();
        Stands.CommandEnd definitions = await Stands.Lateen.RunAsync(Stands.Lateen.Start(null, "crds"));
        Stands.CommandEnd gatewayApi = await Stands.Lateen.RunAsync(Stands.Lateen.Start(null, "crds", "--gateway-api"));
        await CreateAsync(definitions.Out + gatewayApi.Out);
        await CreateAsync("apiVersion: v1\nkind: Namespace\nmetadata: {name: istio-system}\n");
        await UntilServedAsync("/apis/networking.istio.io/v1/serviceentries", "/apis/gateway.networking.k8s.io/v1/httproutes",
            "/apis/security.istio.io/v1/authorizationpolicies");
    }

    public async ValueTask DisposeAsync()
    {
        _client?.Dispose();
        if (Obstacle is null) await RunToolAsync("stop");
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>Starts it, or starts it again where it was.</summary>
    public async Task StartAsync()
    {
        await RunToolAsync("start");
        _client?.Dispose();
#pragma warning disable CA5359 // The server made its certificate itself a moment ago, and listens on loopback alone.
        _client = new HttpClient(
            new SocketsHttpHandler
            {
                UseProxy = false,
                SslOptions = { RemoteCertificateValidationCallback = static (_, _, _, _) => true },
            }) { BaseAddress = new Uri((await File.ReadAllTextAsync(Path.Combine(_folder, "url"))).Trim()) };
#pragma warning restore CA5359
        _client.DefaultRequestHeaders.Authorization =
            new AuthenticationHeaderValue("Bearer", (await File.ReadAllTextAsync(Path.Combine(_folder, "admin.token"))).Trim());
    }

    /// <summary>Ends it; what it keeps stays.</summary>
    public Task StopAsync() => RunToolAsync("stop");

    /// <summary>One request; the answer's JSON.</summary>
    public async Task<JsonObject> AskAsync(HttpMethod method, string path, string? json = null, string type = "application/json")
    {
        using var request = new HttpRequestMessage(method, path) { Content = json is null
            ? null : new StringContent(json, Encoding.UTF8, type) };
        using HttpResponseMessage answer = await _client.SendAsync(request, TestContext.Current.CancellationToken);
        string text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        if (!answer.IsSuccessStatusCode)
            throw new HttpRequestException($"{method} {path}: {(int)answer.StatusCode} {text}", null, answer.StatusCode);
        return JsonNode.Parse(text)!.AsObject();
    }

    public Task<JsonObject> GetAsync(string path) => AskAsync(HttpMethod.Get, path);

    /// <summary>Creates every object of a text.</summary>
    public async Task CreateAsync(string yaml, string ns = "default")
    {
        foreach (Document document in DocumentReader.Read(yaml, "", []).Where(document => document.Root is not null))
        {
            string json = NodeText.ToJson(document.Root!, indented: false);
            await AskAsync(HttpMethod.Post, PathOf(JsonNode.Parse(json)!.AsObject(), ns), json);
        }
    }

    /// <summary>Where objects of a kind lie.</summary>
    public static string PathOf(JsonObject written, string ns)
    {
        (string version, string kind) = ((string)written["apiVersion"]!, (string)written["kind"]!);
        string root = version.Contains('/', StringComparison.Ordinal) ? $"/apis/{version}" : $"/api/{version}";
        string plural = kind.EndsWith('y') && kind != "Gateway" ? kind[..^1].ToLowerInvariant() + "ies"
            : kind.EndsWith('s') && kind != "Endpoints" ? kind.ToLowerInvariant() + "es" : kind.ToLowerInvariant() + "s";
        if (kind is "Namespace" or "Node" or "CustomResourceDefinition" or "ValidatingWebhookConfiguration" or "GatewayClass")
            return $"{root}/{plural}";
        return $"{root}/namespaces/{(string?)written["metadata"]?["namespace"] ?? ns}/{plural}";
    }

    private async Task UntilServedAsync(params string[] paths)
    {
        foreach (string path in paths)
            Assert.True(await Stands.Lateen.UntilAsync(async () => await IsServedAsync(path), 30), path + " is not served");
    }

    private async Task<bool> IsServedAsync(string path)
    {
        try
        {
            await GetAsync(path);
            return true;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private async Task RunToolAsync(string verb)
    {
        Stands.CommandEnd end = await Stands.Lateen.RunAsync(
            new ProcessStartInfo(Tool, [verb, _folder])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                RedirectStandardInput = true,
            }, withinSeconds: 300);
        if (end.Code != 0) throw new InvalidOperationException($"kube-apiserver {verb}: {end}");
    }
}
