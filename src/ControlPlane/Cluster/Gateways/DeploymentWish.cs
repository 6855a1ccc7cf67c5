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
        // Rendered twice: which objects there are to look for is known by the first.
        var present = new Dictionary<(string Kind, string Name), JsonObject?>();
        foreach (JsonObject rendered in Deployment.Deploy(Request).Objects.Where(rendered => KindOf(rendered) != GatewayKind))
        {
            ApiResult<JsonObject> read = await objects.ReadAsync(PathOf(rendered), cancel);
            if (read.Failure is { } failure) return new WishEnd(false, failure);
            present[(KindOf(rendered), NameOf(rendered))] = read.Value;
        }
        DeploymentResult result = Deployment.Deploy(Request with { Existing = (kind, name) => present.GetValueOrDefault((kind, name)) });
        WishEnd end = await WriteAsync(objects, result.Objects, present, cancel);
        return end.Failure is null && result.Problem is { } problem ? end with { Failure = new ApiFailure(422, "Invalid", problem) } : end;
    }

    private async Task<WishEnd> WriteAsync(ClusterObjects objects, IReadOnlyList<JsonObject> wanted,
        Dictionary<(string, string), JsonObject?> present, CancellationToken cancel)
    {
        bool hasWritten = false;
        foreach (JsonObject rendered in wanted)
        {
            // Of the Gateway itself, which is somebody else's, one annotation is ours.
            bool isGateway = KindOf(rendered) == GatewayKind;
            ApiResult<JsonDocument> answer = isGateway
                ? await objects.MergeAsync(GatewayPath, new JsonObject { ["metadata"] = rendered["metadata"]!.DeepClone() }, cancel)
                : await objects.ApplyAsync(PathOf(rendered), rendered, Request.Class.Controller, cancel);
            using JsonDocument? written = answer.Value;
            if (written is null) return new WishEnd(hasWritten, answer.Failure);
            string? before = isGateway
                ? null : (string?)present.GetValueOrDefault((KindOf(rendered), NameOf(rendered)))?["metadata"]?["resourceVersion"];
            hasWritten |= before is null
                || written.RootElement.GetProperty("metadata").GetProperty("resourceVersion").GetString() != before;
        }
        return new WishEnd(hasWritten);
    }

    private string GatewayPath => $"/apis/{Key.Kind.PreferredApiVersion}/namespaces/{Key.Namespace}/gateways/{Key.Name}";

    private static string PathOf(JsonObject rendered)
    {
        string version = (string)rendered["apiVersion"]!;
        string root = version.Contains('/', StringComparison.Ordinal) ? "/apis/" : "/api/";
        return $"{root}{version}/namespaces/{(string)rendered["metadata"]!["namespace"]!}/{Plurals[KindOf(rendered)]}/{NameOf(rendered)}";
    }

    private static string KindOf(JsonObject rendered) => (string)rendered["kind"]!;

    private static string NameOf(JsonObject rendered) => (string)rendered["metadata"]!["name"]!;
}
