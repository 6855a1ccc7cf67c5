using System.Text.Json.Nodes;
using Kubernetes.Core.V1;
using Kubernetes.Networking.V1;
using Lateen.Config.Resources;
using Lateen.Config.Store;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Meaning.Ingresses;

namespace Lateen.ControlPlane.Cluster;

/// <summary>Where the Ingresses that this mesh serves are reached: the addresses of its ingress gateway, in each one's status, from where
/// external DNS takes them.</summary>
public static class IngressStatuses
{
    private const string ExternalName = "ExternalName";

    /// <summary>The Ingresses of a view whose status says something else.</summary>
    public static IEnumerable<StatusWish> Of(ResourceView view, MeshSnapshot snapshot)
    {
        string[] addresses = [.. Addresses(view, snapshot.Settings.Mesh.IngressService, snapshot.Settings.Mesh.RootNamespace).Distinct()
            .Order(StringComparer.Ordinal)];
        var wanted = new JsonObject { ["loadBalancer"] = addresses.Length == 0
            ? new JsonObject() : new JsonObject { ["ingress"] = new JsonArray([.. addresses.Select(Row)]) } };
        IReadOnlyList<Resource<IngressClass>> classes = view.All(Kinds.IngressClass);
        foreach (Resource<Ingress> ingress in view.All(Kinds.Ingress)
            .Where(ingress => ingress.Origin.Source == ResourceOrigin.FromCluster
                && IngressConverter.IsOurs(ingress, classes, snapshot.Settings.Mesh)))
        {
            string[] present = [.. (ingress.Spec.Status?.LoadBalancer?.Ingress
                ?? []).Select(row => row.Ip.Length > 0 ? row.Ip : row.Hostname).Order(StringComparer.Ordinal)];
            if (!present.SequenceEqual(addresses)) yield return new StatusWish(ingress.Key, wanted.DeepClone().AsObject());
        }
    }

    // NAMESPACE/NAME, or a name of the root namespace.
    private static IEnumerable<string> Addresses(ResourceView view, string written, string rootNamespace)
    {
        int slash = written.IndexOf('/', StringComparison.Ordinal);
        (string ns, string name) = slash < 0 ? (rootNamespace, written) : (written[..slash], written[(slash + 1)..]);
        if (view.Find(Kinds.Service, ns, name)?.Spec is not { } service) return [];
        if (service.Spec.Type == ExternalName) return [service.Spec.ExternalName];
        return (service.Status?.LoadBalancer?.Ingress ?? []).Select(row => row.Ip.Length > 0 ? row.Ip : row.Hostname)
            .Concat(service.Spec.ExternalIps).Where(address => address.Length > 0);
    }

    private static JsonNode Row(string address) =>
        new JsonObject { [System.Net.IPAddress.TryParse(address, out _) ? "ip" : "hostname"] = address };
}
