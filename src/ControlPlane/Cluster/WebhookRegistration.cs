using System.Net.Http;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Lateen.Config.Sources.Kubernetes;

namespace Lateen.ControlPlane.Cluster;

/// <summary>Keeps the registration of the validating webhook right: the authority that signed our certificate, and `Fail` in place of `Ignore` once it is seen to work.</summary>
/// <remarks>
/// The registration itself is the installation's, as with Istio: a ValidatingWebhookConfiguration labelled `istio.io/rev`. Until a wrong object was really
/// refused its policy stays as it is, so that a door that nobody reaches does not close a cluster.
/// </remarks>
public sealed class WebhookRegistration : IAsyncDisposable
{
    private const string Path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(30);
    private readonly ApiClient client;
    private readonly string revision;
    private readonly string rootNamespace;
    private readonly Func<string> roots;
    private readonly Func<bool> mayWrite;
    private readonly TimeProvider time;
    private readonly Action<string> say;
    private readonly CancellationTokenSource stop = new();
    private readonly Task running;

    /// <summary>Begins to look.</summary>
    /// <param name="client">The API server.</param>
    /// <param name="revision">The label that registrations of this revision carry.</param>
    /// <param name="rootNamespace">Where the wrong object is tried.</param>
    /// <param name="roots">The authority's certificates as they are now, PEM.</param>
    /// <param name="mayWrite">Whether this replica leads.</param>
    /// <param name="time">The clock.</param>
    /// <param name="say">Takes a line for the log.</param>
    public WebhookRegistration(ApiClient client, string revision, string rootNamespace, Func<string> roots, Func<bool> mayWrite, TimeProvider time, Action<string> say)
    {
        (this.client, this.revision, this.rootNamespace, this.roots, this.mayWrite, this.time, this.say) = (client, revision, rootNamespace, roots, mayWrite, time, say);
        running = RunAsync(stop.Token);
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        stop.Dispose();
    }

    private async Task RunAsync(CancellationToken cancel)
    {
        while (true)
        {
            // Soon after the start: the first leader is known within seconds.
            bool isLeader = mayWrite();
            if (isLeader) await LookAsync(cancel);
            await Task.Delay(isLeader ? LookEvery : TimeSpan.FromSeconds(1), time, cancel);
        }
    }

    private async Task LookAsync(CancellationToken cancel)
    {
        ApiResult<JsonDocument> read = await client.GetAsync($"{Path}?labelSelector={Uri.EscapeDataString("istio.io/rev=" + revision)}", cancel);
        using JsonDocument? list = read.Value;
        if (list is null) return;
        foreach (JsonElement item in list.RootElement.GetProperty("items").EnumerateArray())
        {
            JsonObject present = JsonObject.Create(item.Clone())!;
            JsonObject wanted = present.DeepClone().AsObject();
            bool refuses = await RefusesAsync(cancel);
            foreach (JsonObject webhook in (wanted["webhooks"] as JsonArray ?? []).OfType<JsonObject>()) Correct(webhook, refuses);
            if (JsonNode.DeepEquals(present["webhooks"], wanted["webhooks"])) continue;
            string name = (string?)present["metadata"]!["name"] ?? "";
            ApiResult<JsonDocument> written = await client.SendAsync(HttpMethod.Put, $"{Path}/{name}", wanted.ToJsonString(), ApiClient.Json, cancel);
            written.Value?.Dispose();
            say(written.Failure is { } failure ? $"warn\twebhook\tthe registration {name} cannot be written: {failure}" : $"info\twebhook\tthe registration {name} has this authority{(refuses ? ", and refuses what it cannot ask about" : "")}");
        }
    }

    private void Correct(JsonObject webhook, bool refuses)
    {
        if (webhook["clientConfig"] is JsonObject client) client["caBundle"] = Convert.ToBase64String(Encoding.UTF8.GetBytes(roots()));
        if (refuses) webhook["failurePolicy"] = "Fail";
    }

    // An object that nobody may create, tried without effect: only the webhook says no to it.
    private async Task<bool> RefusesAsync(CancellationToken cancel)
    {
        const string Wrong = """{"apiVersion":"networking.istio.io/v1","kind":"Gateway","metadata":{"name":"invalid-gateway"},"spec":{}}""";
        ApiResult<JsonDocument> tried = await client.SendAsync(HttpMethod.Post, $"/apis/networking.istio.io/v1/namespaces/{rootNamespace}/gateways?dryRun=All", Wrong, ApiClient.Json, cancel);
        tried.Value?.Dispose();
        return tried.Failure is { } failure && failure.Text.Contains("denied the request", StringComparison.Ordinal);
    }
}
