using System.Text.Json;
using System.Text.Json.Nodes;
using Kubernetes.Core.V1;
using Lateen.Config.Resources;
using Lateen.Config.Sources.Kubernetes;
using Lateen.Config.Store;
using Lateen.Pilot.Meaning;

namespace Lateen.ControlPlane.Cluster;

/// <summary>The authority's certificates in a namespace: the ConfigMap by which pods know whom to trust before they trust anybody.</summary>
/// <param name="Key">The ConfigMap.</param>
/// <param name="Roots">The certificates, PEM.</param>
public sealed record RootCertificates(ResourceKey Key, string Roots) : ClusterWish(Key)
{
    private const string Name = "istio-ca-root-cert", Member = "root-cert.pem", Mark = "istio.io/config";

    // Kubernetes' own, in which no workload runs.
    private static readonly string[] Left = ["kube-public", "kube-node-lease"];

    /// <inheritdoc />
    public override string Subject => Key.ToString();

    /// <summary>The namespaces of a view that lack the certificates, or have others.</summary>
    public static IEnumerable<RootCertificates> Of(ResourceView view, MeshSnapshot snapshot, string roots)
    {
        var selectors = snapshot.Settings.Mesh.DiscoverySelectors;
        return view.All(Kinds.Namespace)
            .Where(ns => ns.Metadata.DeletionTime is null && !Left.Contains(ns.Name) && (selectors.Count == 0 || ns.Name == snapshot.Settings.Mesh.RootNamespace || selectors.Any(selector => LabelSelectors.Selects(selector, ns.Labels))))
            .Where(ns => view.Find(Kinds.ConfigMap, ns.Name, Name)?.Spec.Data.GetValueOrDefault(Member) != roots)
            .Select(ns => new RootCertificates(new ResourceKey(Kinds.ConfigMap, ns.Name, Name), roots));
    }

    /// <inheritdoc />
    public override async Task<WishEnd> FulfilAsync(ClusterObjects objects, CancellationToken cancel)
    {
        string collection = $"/api/v1/namespaces/{Key.Namespace}/configmaps";
        ApiResult<JsonObject> read = await objects.ReadAsync($"{collection}/{Name}", cancel);
        if (read.Failure is { } failure) return new WishEnd(false, failure);
        if ((string?)read.Value?["data"]?[Member] == Roots) return WishEnd.Nothing;
        var members = new JsonObject
        {
            ["apiVersion"] = "v1", ["kind"] = "ConfigMap",
            ["metadata"] = new JsonObject { ["name"] = Name, ["labels"] = new JsonObject { [Mark] = "true" } },
            ["data"] = new JsonObject { [Member] = Roots },
        };
        ApiResult<JsonDocument> written = read.Value is null ? await objects.CreateAsync(collection, members, cancel) : await objects.MergeAsync($"{collection}/{Name}", members, cancel);
        WishEnd end = WishEnd.Of(written);
        // A namespace that goes away takes nothing any more, and needs nothing.
        return end.Failure is { } refused && (refused.IsAbsent || refused.Text.Contains("being terminated", StringComparison.Ordinal)) ? WishEnd.Nothing : end;
    }
}
