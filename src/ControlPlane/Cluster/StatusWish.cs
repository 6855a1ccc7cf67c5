using System.Text.Json.Nodes;
using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;
using Lateen.Config.Resources;
using Lateen.Config.Sources.Kubernetes;
using Lateen.Config.Store;
using Lateen.Pilot.Meaning.GatewayApi.Status;

namespace Lateen.ControlPlane.Cluster;

/// <summary>What an object's status should say. Members that it does not name are others', and stay.</summary>
/// <param name="Key">The object.</param>
/// <param name="Status">The members that are ours.</param>
public sealed record StatusWish(ResourceKey Key, JsonObject Status) : ClusterWish(Key)
{
    private const string Messages = "validationMessages";
    private static readonly ResourceKind[] Istios = [.. Kinds.All.Where(IsIstios)];

    /// <inheritdoc />
    public override string Subject => $"the status of {Key}";

    /// <summary>Everything that should be said about the objects of a view, as far as it is not said already.</summary>
    /// <param name="view">The objects, with the status that they have.</param>
    /// <param name="gatewayApi">What became of the objects of the Gateway API.</param>
    /// <param name="findings">What is to be said about an object that is in force: who took its place, what of it changes nothing.</param>
    public static IEnumerable<StatusWish> Of(ResourceView view, IReadOnlyList<GatewayApiStatus> gatewayApi,
        Func<Resource, IEnumerable<Diagnostic>>? findings = null)
    {
        foreach (GatewayApiStatus status in gatewayApi)
        {
            var key = new ResourceKey(status.Kind, status.Kind.IsNamespaced ? status.Namespace : "", status.Name);
            if (view.Find(key) is not { Origin.Source: ResourceOrigin.FromCluster } written) continue;
            var wish = new StatusWish(key, StatusForm.Complete(Json(MessageWriter.ToNode(status.Content))));
            if (!wish.IsSaid(Present(written))) yield return wish;
        }
        foreach ((ResourceKey key, HeldResource held) in view.Held)
        {
            if (!IsIstios(key.Kind) || held.Resource.Origin.Source != ResourceOrigin.FromCluster) continue;
            var wish = new StatusWish(key,
                new JsonObject
                {
                    [Messages] = Told(held.Diagnostics.Where(found => found.IsError)),
                    ["observedGeneration"] = held.Resource.Metadata.Generation,
                });
            if (!wish.IsSaid(Present(held.Resource))) yield return wish;
        }
        foreach (Resource taken in Istios.SelectMany(view.Untyped))
        {
            if (taken.Origin.Source != ResourceOrigin.FromCluster || (view.Held.Count > 0 && view.Held.ContainsKey(taken.Key))) continue;
            Diagnostic[] found = [.. findings?.Invoke(taken) ?? []];
            if (found.Length == 0 && !SaysSomething(taken.Status)) continue;
            var wish = new StatusWish(taken.Key,
                new JsonObject { [Messages] = Told(found), ["observedGeneration"] = taken.Metadata.Generation });
            if (!wish.IsSaid(Present(taken))) yield return wish;
        }
    }

    /// <summary>Whether a status says all of this; times, on which nobody depends, are not compared.</summary>
    public bool IsSaid(JsonObject present) => Status.All(member => StatusForm.SaysTheSame(member.Value, present[member.Key]));

    /// <inheritdoc />
    public override async Task<WishEnd> FulfilAsync(ClusterObjects objects, CancellationToken cancel)
    {
        ApiResult<ServedKind> served = await objects.FindAsync(Key.Kind, cancel);
        if (served.Value is not { } kind) return new WishEnd(false, served.Failure);
        string path = kind.PathOf(Key.Namespace, Key.Name);
        ApiResult<JsonObject> read = await objects.ReadAsync(path, cancel);
        if (read.Value is not { } present) return new WishEnd(false, read.Failure);
        JsonObject status = present["status"] as JsonObject ?? [];
        if (IsSaid(StatusForm.Complete(status.DeepClone().AsObject()))) return WishEnd.Nothing;
        JsonObject next = Status.DeepClone().AsObject();
        StatusForm.SetTimes(next, status, objects.Now);
        // The version makes it fail when somebody wrote meanwhile: then it is read again.
        var patch = new JsonObject
        {
            ["metadata"] = new JsonObject { ["resourceVersion"] = present["metadata"]!["resourceVersion"]!.DeepClone() },
            ["status"] = next,
        };
        WishEnd end = WishEnd.Of(await objects.MergeAsync(path + "/status", patch, cancel));
        return end.Failure is { IsAbsent: true } ? WishEnd.Nothing : end;
    }

    private static bool IsIstios(ResourceKind kind) => kind.Group.EndsWith(".istio.io", StringComparison.Ordinal);

    private static JsonObject Present(Resource written)
    {
        if (written.Status is { } status) return Json(MessageWriter.ToNode(status));
        return Json(MessageWriter.ToNode(written.Message))["status"] as JsonObject is { } inside
            ? StatusForm.Complete(inside.DeepClone().AsObject()) : [];
    }

    private static JsonObject Json(Node node) => JsonNode.Parse(NodeText.ToJson(node, indented: false)) as JsonObject ?? [];

    private static bool SaysSomething(Google.Protobuf.IMessage? status) =>
        status is Istio.Meta.V1Alpha1.IstioStatus { ValidationMessages.Count: > 0 }
            or Istio.Networking.V1Alpha3.ServiceEntryStatus { ValidationMessages.Count: > 0 };

    private static JsonArray Told(IEnumerable<Diagnostic> said) => new([.. said.Select(found => (JsonNode)new JsonObject
    {
        ["type"] = new JsonObject { ["code"] = found.Code.Id },
        ["level"] = found.Level.ToString().ToUpperInvariant(),
        ["message"] = found.Path.Length > 0 ? $"{found.Path}: {found.Text}" : found.Text,
    })]);
}
