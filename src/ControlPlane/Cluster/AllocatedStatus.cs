using System.Text.Json.Nodes;
using Istio.Networking.V1Alpha3;
using Lateen.Config.Resources;
using Lateen.Config.Store;
using Lateen.ControlPlane.Compile;
using Lateen.Pilot.Meaning;
using Lateen.Registry;

namespace Lateen.ControlPlane.Cluster;

/// <summary>The addresses that ServiceEntries were given, in their status: there other control planes, node proxies and people look for
/// them, and there they stay when the one that gave them is gone.</summary>
public static class AllocatedStatus
{
    /// <summary>The entries of a view whose status lacks what they were given.</summary>
    public static IEnumerable<StatusWish> Of(ResourceView view, MeshSnapshot snapshot)
    {
        foreach (Resource<ServiceEntry> entry in view.All(Kinds.ServiceEntry).Where(EntryAddresses.IsWanting))
        {
            if (entry.Origin.Source != ResourceOrigin.FromCluster) continue;
            var given = new JsonArray([.. entry.Spec.Hosts.Distinct().SelectMany(host => Given(snapshot.Registry, host, entry.Namespace))]);
            if (given.Count > 0) yield return new StatusWish(entry.Key, new JsonObject { ["addresses"] = given });
        }
    }

    private static IEnumerable<JsonNode> Given(RegistryView registry, string host, string ns)
    {
        if (registry.Find(host, ns) is not { } service) return [];
        return new[] { service.AutoAllocatedIPv4, service.AutoAllocatedIPv6 }.Where(address => !string.IsNullOrEmpty(address))
            .Select(address => (JsonNode)new JsonObject { ["host"] = host, ["value"] = address });
    }
}
