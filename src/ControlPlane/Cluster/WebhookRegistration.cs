using System.Net.Http;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Lateen.Config.Sources.Kubernetes;

namespace Lateen.ControlPlane.Cluster;

/// <summary>Keeps the registrations of the webhooks right: in both kinds the authority that signed our certificate, and in the validating
/// one `Fail` in place of `Ignore` once it is seen to work.</summary>
/// <remarks>
/// The registrations themselves are the installation's, as with Istio: configurations labelled `istio.io/rev`. Until a wrong object was
/// really refused the policy stays as it is, so that a door that nobody reaches does not close a cluster.
/// </remarks>
public sealed class WebhookRegistration : IAsyncDisposable
{
    private const string Root = "/apis/admissionregistration.k8s.io/v1/", Validating = "validatingwebhookconfigurations",
        Mutating = "mutatingwebhookconfigurations";
    // Of the mutating webhooks those that inject; others may stand under the same label.
    private const string Injector = "sidecar-injector.istio.io";
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(30);
    private readonly ApiClient _client;
    private readonly string _revision;
    private readonly string _rootNamespace;
    private readonly Func<string> _roots;
    private readonly Func<bool> _mayWrite;
    private readonly TimeProvider _time;
    private readonly Action<string> _say;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;

    /// <summary>Begins to look.</summary>
    /// <param name="client">The API server.</param>
    /// <param name="revision">The label that registrations of this revision carry.</param>
    /// <param name="rootNamespace">Where the wrong object is tried.</param>
    /// <param name="roots">The authority's certificates as they are now, PEM.</param>
    /// <param name="mayWrite">Whether this replica leads.</param>
    /// <param name="time">The clock.</param>
    /// <param name="say">Takes a line for the log.</param>
    public WebhookRegistration(ApiClient client, string revision, string rootNamespace, Func<string> roots, Func<bool> mayWrite,
        TimeProvider time, Action<string> say)
    {
        (_client, _revision, _rootNamespace, _roots, _mayWrite, _time, _say) =
            (client, revision, rootNamespace, roots, mayWrite, time, say);
        _running = RunAsync(_stop.Token);
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task RunAsync(CancellationToken cancel)
    {
        while (true)
        {
            // Soon after the start: the first leader is known within seconds.
            bool isLeader = _mayWrite();
            if (isLeader)
            {
                await LookAsync(Validating, cancel);
                await LookAsync(Mutating, cancel);
            }
            await Task.Delay(isLeader ? LookEvery : TimeSpan.FromSeconds(1), _time, cancel);
        }
    }

    private async Task LookAsync(string plural, CancellationToken cancel)
    {
        ApiResult<JsonDocument> read =
            await _client.GetAsync($"{Root}{plural}?labelSelector={Uri.EscapeDataString("istio.io/rev=" + _revision)}", cancel);
        using JsonDocument? list = read.Value;
        if (list is null) return;
        foreach (JsonElement item in list.RootElement.GetProperty("items").EnumerateArray())
        {
            JsonObject present = JsonObject.Create(item.Clone())!;
            JsonObject wanted = present.DeepClone().AsObject();
            bool refuses = plural == Validating && await RefusesAsync(cancel);
            foreach (JsonObject webhook in (wanted["webhooks"] as JsonArray ?? []).OfType<JsonObject>())
            {
                if (plural == Validating || ((string?)webhook["name"])?.EndsWith(Injector, StringComparison.Ordinal) == true)
                    Correct(webhook, refuses);
            }
            if (JsonNode.DeepEquals(present["webhooks"], wanted["webhooks"])) continue;
            string name = (string?)present["metadata"]!["name"] ?? "";
            ApiResult<JsonDocument> written =
                await _client.SendAsync(HttpMethod.Put, $"{Root}{plural}/{name}", wanted.ToJsonString(), ApiClient.Json, cancel);
            written.Value?.Dispose();
            _say(written.Failure is { } failure ? $"warn\twebhook\tthe registration {name} cannot be written: {failure}"
                : $"info\twebhook\tthe registration {name} has this authority{(refuses ? ", and refuses what it cannot ask about" : "")}");
        }
    }

    private void Correct(JsonObject webhook, bool refuses)
    {
        if (webhook["clientConfig"] is JsonObject client) client["caBundle"] = Convert.ToBase64String(Encoding.UTF8.GetBytes(_roots()));
        if (refuses) webhook["failurePolicy"] = "Fail";
    }

    // An object that nobody may create, tried without effect: only the webhook says no to it.
    private async Task<bool> RefusesAsync(CancellationToken cancel)
    {
        const string Wrong = """{"apiVersion":"networking.istio.io/v1","kind":"Gateway","metadata":{"name":"invalid-gateway"},"spec":{}}""";
        ApiResult<JsonDocument> tried = await _client.SendAsync(HttpMethod.Post,
            $"/apis/networking.istio.io/v1/namespaces/{_rootNamespace}/gateways?dryRun=All", Wrong, ApiClient.Json, cancel);
        tried.Value?.Dispose();
        return tried.Failure is { } failure && failure.Text.Contains("denied the request", StringComparison.Ordinal);
    }
}
