using System.Net;
using System.Net.Security;
using System.Text;
using System.Text.Json.Nodes;
using Lateen.Api.Documents;
using Lateen.Config.Resources;
using Lateen.Config.Sources.Kubernetes;
using Lateen.Config.Sources.Kubernetes.Access;
using Lateen.ControlPlane.Hosting;
using Lateen.Test.Rigs.Clusters;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Lateen.Test.Conformance.Runners.Live;

/// <summary>An API server in memory behind a port, which asks the validating webhook where somebody tries a write without effect.</summary>
internal sealed class LiveCluster : IAsyncDisposable
{
    private static readonly string[] Served =
    [
        "/apis/apps/v1/deployments", "/api/v1/serviceaccounts", "/apis/coordination.k8s.io/v1/leases",
        "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
    ];

    // That of the recording.
    private const string Version = """{"major": "1", "minor": "20"}""";

    private readonly KestrelDoors _door = new();
    private readonly HttpMessageInvoker _server;
    private readonly HttpClient _webhook;

    public LiveCluster()
    {
        foreach (string collection in Served) Server.Serve(collection);
        _server = new HttpMessageInvoker(Server);
#pragma warning disable CA5359 // Who signed the certificate is what the registration is about; here the door's answer counts.
        _webhook = new HttpClient(
            new SocketsHttpHandler
            {
                UseProxy = false,
                SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = static (_, _, _, _) => true },
            });
#pragma warning restore CA5359
    }

    /// <summary>What the cluster holds.</summary>
    public MemoryApiServer Server { get; } = new(KubernetesSourceOptions.MeshKinds);

    /// <summary>host:port of the webhook; empty while there is none.</summary>
    public string Webhook { get; set; } = "";

    /// <summary>Opens the port.</summary>
    public async Task<ClusterAccess> OpenAsync()
    {
        IReadOnlyList<EndPoint> bound = await _door.OpenAsync(
            [new Door("api", new IPEndPoint(IPAddress.Loopback, 0), HttpProtocols.Http1, AnswerAsync)], CancellationToken.None);
        return new ClusterAccess { Server = new Uri($"http://127.0.0.1:{((IPEndPoint)bound[0]).Port}/"), Name = "memory" };
    }

    /// <summary>Creates or replaces every object of a text that the server has a place for.</summary>
    public void Put(string yaml)
    {
        foreach (Document document in DocumentReader.Read(yaml, "", []).Where(document => document.Root is not null))
        {
            JsonObject whole = JsonNode.Parse(NodeText.ToJson(document.Root!, indented: false))!.AsObject();
            foreach (JsonObject item in (string?)whole["kind"] == "List"
                ? whole["items"]!.AsArray().OfType<JsonObject>().ToArray() : [whole]) Put(item);
        }
    }

    private void Put(JsonObject item)
    {
        (string version, string name) = ((string)item["apiVersion"]!, (string)item["kind"]!);
        string group = version.Contains('/', StringComparison.Ordinal) ? version[..version.IndexOf('/', StringComparison.Ordinal)] : "";
        if (KubernetesSourceOptions.MeshKinds.FirstOrDefault(kind => kind.Name == name && kind.Group == group) is not { } kind) return;
        Server.Put(kind, kind.IsNamespaced ? (string?)item["metadata"]!["namespace"] ?? "default" : "", (string)item["metadata"]!["name"]!,
            item.ToJsonString());
    }

    public async ValueTask DisposeAsync()
    {
        await _door.DisposeAsync();
        _server.Dispose();
        _webhook.Dispose();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        using var body = new StreamReader(context.Request.Body);
        string text = await body.ReadToEndAsync(context.RequestAborted);
        bool isTried = context.Request.Query.ContainsKey("dryRun");
        using HttpResponseMessage answer = context.Request.Path == "/version"
            ? new HttpResponseMessage { Content = new StringContent(Version) } : isTried
            ? await TriedAsync(text) : await ForwardAsync(context, text);
        context.Response.StatusCode = (int)answer.StatusCode;
        context.Response.ContentType = "application/json";
        await context.Response.StartAsync(context.RequestAborted);
        await using Stream given = await answer.Content.ReadAsStreamAsync(context.RequestAborted);
        byte[] part = new byte[64 << 10];
        // A watch is told line by line.
        for (int read; (read = await given.ReadAsync(part, context.RequestAborted)) > 0;)
        {
            await context.Response.Body.WriteAsync(part.AsMemory(0, read), context.RequestAborted);
            await context.Response.Body.FlushAsync(context.RequestAborted);
        }
    }

    private Task<HttpResponseMessage> ForwardAsync(HttpContext context, string text)
    {
        var request = new HttpRequestMessage(new HttpMethod(context.Request.Method),
            new Uri(MemoryApiServer.Address, context.Request.Path + context.Request.QueryString));
        if (text.Length > 0) request.Content = new StringContent(text);
        return _server.SendAsync(request, context.RequestAborted);
    }

    private async Task<HttpResponseMessage> TriedAsync(string text)
    {
        var review = new JsonObject
        {
            ["apiVersion"] = "admission.k8s.io/v1", ["kind"] = "AdmissionReview",
            ["request"] = new JsonObject
            {
                ["uid"] = "u",
                ["operation"] = "CREATE",
                ["kind"] = new JsonObject { ["group"] = "networking.istio.io", ["version"] = "v1", ["kind"] = "Gateway" },
                ["object"] = JsonNode.Parse(text),
            },
        };
        using HttpResponseMessage answer = await _webhook.PostAsync($"https://{Webhook}/validate",
            new StringContent(review.ToJsonString(), Encoding.UTF8, new System.Net.Http.Headers.MediaTypeHeaderValue("application/json")));
        JsonNode response = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["response"]!;
        bool isAllowed = response["allowed"]!.GetValue<bool>();
        string told = isAllowed ? text
            : new JsonObject
            {
                ["kind"] = "Status",
                ["status"] = "Failure",
                ["code"] = 400,
                ["message"] = $"admission webhook \"rev.validation.istio.io\" denied the request: {response["status"]?["message"]}",
            }.ToJsonString();
        return new HttpResponseMessage(isAllowed
            ? HttpStatusCode.Created : HttpStatusCode.BadRequest) { Content = new StringContent(told) };
    }
}
