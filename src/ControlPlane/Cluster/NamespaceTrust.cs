using System.Text.Json;
using System.Text.Json.Nodes;
using Kubernetes.Core.V1;
using Lateen.Config.Resources;
using Lateen.Config.Sources.Kubernetes;
using Lateen.Config.Store;
using Lateen.Pilot.Meaning;

namespace Lateen.ControlPlane.Cluster;

/// <summary>What the pods of a namespace mount to know whom to trust before they trust anybody: the authority's certificates, and what it
/// revoked.</summary>
/// <param name="Key">The ConfigMap.</param>
/// <param name="Member">Its one key.</param>
/// <param name="Text">What stands there, PEM.</param>
public sealed record NamespaceTrust(ResourceKey Key, string Member, string Text) : ClusterWish(Key)
{
    private const string Roots = "istio-ca-root-cert", RootsMember = "root-cert.pem", Revoked = "istio-ca-crl",
        RevokedMember = "ca-crl.pem", Mark = "istio.io/config";

    // Kubernetes' own, in which no workload runs.
    private static readonly string[] Left = ["kube-public", "kube-node-lease"];

    /// <inheritdoc />
    public override string Subject => Key.ToString();

    /// <summary>What the namespaces of a view lack, or have in another form.</summary>
    public static IEnumerable<NamespaceTrust> Of(ResourceView view, MeshSnapshot snapshot, string roots)
    {
        var selectors = snapshot.Settings.Mesh.DiscoverySelectors;
        return view.All(Kinds.Namespace)
            .Where(ns => ns.Metadata.DeletionTime is null && !Left.Contains(ns.Name)
                && (selectors.Count == 0 || ns.Name == snapshot.Settings.Mesh.RootNamespace
                    || selectors.Any(selector => LabelSelectors.Selects(selector, ns.Labels))))
            .SelectMany(ns => Wanted(ns.Name, roots))
            .Where(
                wish =>
                    view.Find(Kinds.ConfigMap, wish.Key.Namespace, wish.Key.Name)?.Spec.Data.GetValueOrDefault(wish.Member) != wish.Text);
    }

    // This authority revokes nothing: its certificates live for a day. What mounts the list finds it empty.
    private static IEnumerable<NamespaceTrust> Wanted(string ns, string roots) =>
        [new(new ResourceKey(Kinds.ConfigMap, ns, Roots), RootsMember, roots),
            new(new ResourceKey(Kinds.ConfigMap, ns, Revoked), RevokedMember, "")];

    /// <inheritdoc />
    public override async Task<WishEnd> FulfilAsync(ClusterObjects objects, CancellationToken cancel)
    {
        string collection = $"/api/v1/namespaces/{Key.Namespace}/configmaps";
        ApiResult<JsonObject> read = await objects.ReadAsync($"{collection}/{Key.Name}", cancel);
        if (read.Failure is { } failure) return new WishEnd(false, failure);
        if ((string?)read.Value?["data"]?[Member] == Text) return WishEnd.Nothing;
        var members = new JsonObject
        {
            ["apiVersion"] = "v1", ["kind"] = "ConfigMap",
            ["metadata"] = new JsonObject { ["name"] = Key.Name, ["labels"] = new JsonObject { [Mark] = "true" } },
            ["data"] = new JsonObject { [Member] = Text },
        };
        ApiResult<JsonDocument> written = read.Value is null ? await objects.CreateAsync(collection, members, cancel)
            : await objects.MergeAsync($"{collection}/{Key.Name}", members, cancel);
        WishEnd end = WishEnd.Of(written);
        // A namespace that goes away takes nothing any more, and needs nothing.
        return end.Failure is { } refused && (refused.IsAbsent || refused.Text.Contains("being terminated", StringComparison.Ordinal))
            ? WishEnd.Nothing : end;
    }
}
