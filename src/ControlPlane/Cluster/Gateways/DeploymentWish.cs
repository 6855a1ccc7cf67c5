using System.Text.Json;
using System.Text.Json.Nodes;
using Lateen.Config.Resources;
using Lateen.Config.Sources.Kubernetes;
using Lateen.Injector.Gateways;

namespace Lateen.ControlPlane.Cluster.Gateways;

/// <summary>The objects by which a Gateway runs: rendered, compared with what is there, and applied in order.</summary>
/// <param name="Key">The Gateway.</param>
/// <param name="Deployment">Renders them.</param>
/// <param name="Request">All that they depend on but what is in the cluster.</param>
public sealed record DeploymentWish(ResourceKey Key, GatewayDeployment Deployment, DeploymentRequest Request) : ClusterWish(Key)
{
    private const string GatewayKind = "Gateway";

    private static readonly Dictionary<string, string> Plurals = new(StringComparer.Ordinal)
    {
        ["Deployment"] = "deployments", ["Service"] = "services", ["ServiceAccount"] = "serviceaccounts", ["HorizontalPodAutoscaler"] =
            "horizontalpodautoscalers", ["PodDisruptionBudget"] = "poddisruptionbudgets",
        [GatewayKind] = "gateways",
    };

    /// <inheritdoc />
    public override string Subject => $"what runs {Key}";

    /// <inheritdoc />
    public override async Task<WishEnd> FulfilAsync(ClusterObjects objects, CancellationToken cancel)
    {
        // Who signed it is asked now: a newer control plane may have done so since this was wished for.
        ApiResult<JsonObject> gateway = await objects.ReadAsync(GatewayPath, cancel);
        if (gateway.Value is not { } signed) return new WishEnd(false, gateway.Failure);
        DeploymentRequest request = Request with { Gateway = GatewayDeployment.SignedAs(Request.Gateway, signed) };
        // Rendered twice: which objects there are to look for is known by the first.
        var present = new Dictionary<(string Kind, string Name), JsonObject?> { [(GatewayKind, Key.Name)] = signed };
        foreach (JsonObject rendered in Deployment.Deploy(request).Objects.Where(rendered => KindOf(rendered) != GatewayKind))
        {
            ApiResult<JsonObject> read = await objects.ReadAsync(PathOf(rendered), cancel);
            if (read.Failure is { } failure) return new WishEnd(false, failure);
            present[(KindOf(rendered), NameOf(rendered))] = read.Value;
        }
        DeploymentResult result = Deployment.Deploy(request with { Existing = (kind, name) => present.GetValueOrDefault((kind, name)) });
        WishEnd end = await WriteAsync(objects, result.Objects, present, cancel);
        return end.Failure is null && result.Problem is { } problem ? end with { Failure = new ApiFailure(422, "Invalid", problem) } : end;
    }

    private async Task<WishEnd> WriteAsync(ClusterObjects objects, IReadOnlyList<JsonObject> wanted,
        Dictionary<(string, string), JsonObject?> present, CancellationToken cancel)
    {
        bool hasWritten = false;
        foreach (JsonObject rendered in wanted)
        {
            bool isGateway = KindOf(rendered) == GatewayKind;
            string? before = VersionOf(present.GetValueOrDefault((KindOf(rendered), isGateway ? Key.Name : NameOf(rendered))));
            ApiResult<JsonDocument> answer = isGateway
                ? await SignAsync(objects, rendered, before, cancel)
                : await objects.ApplyAsync(PathOf(rendered), rendered, Request.Class.Controller, cancel);
            using JsonDocument? written = answer.Value;
            if (written is null) return new WishEnd(hasWritten, answer.Failure);
            hasWritten |= before is null
                || written.RootElement.GetProperty("metadata").GetProperty("resourceVersion").GetString() != before;
        }
        return new WishEnd(hasWritten);
    }

    // Of the Gateway itself, which is somebody else's, one annotation is ours. With the version that was read: a signature that somebody
    // newer wrote meanwhile is never overwritten, the write fails and the wish is looked at anew.
    private Task<ApiResult<JsonDocument>> SignAsync(ClusterObjects objects, JsonObject signature, string? version, CancellationToken cancel)
    {
        JsonObject metadata = signature["metadata"]!.DeepClone().AsObject();
        metadata["resourceVersion"] = version;
        return objects.MergeAsync(GatewayPath, new JsonObject { ["metadata"] = metadata }, cancel);
    }

    private string GatewayPath => $"/apis/{Key.Kind.PreferredApiVersion}/namespaces/{Key.Namespace}/gateways/{Key.Name}";

    private static string PathOf(JsonObject rendered)
    {
        string version = (string)rendered["apiVersion"]!;
        string root = version.Contains('/', StringComparison.Ordinal) ? "/apis/" : "/api/";
        return $"{root}{version}/namespaces/{(string)rendered["metadata"]!["namespace"]!}/{Plurals[KindOf(rendered)]}/{NameOf(rendered)}";
    }

    private static string KindOf(JsonObject rendered) => (string)rendered["kind"]!;

    private static string? VersionOf(JsonObject? read) => (string?)read?["metadata"]?["resourceVersion"];

    private static string NameOf(JsonObject rendered) => (string)rendered["metadata"]!["name"]!;
}
