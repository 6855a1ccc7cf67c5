using Istio.Mesh.V1Alpha1;
using Kubernetes.Meta.V1;
using Lateen.Config.Resources;
using Resource = Lateen.Config.Resources.Resource;

namespace Lateen.Pilot.Meaning.Settings;

/// <summary>Which namespaces the control plane looks into.</summary>
public static class DiscoverySelectors
{
    /// <summary>The resources of the namespaces that a selector selects, and those without namespace; all when there is no
    /// selector.</summary>
    public static IReadOnlyList<Resource> Select(IReadOnlyList<Resource> resources, MeshConfig mesh)
    {
        if (mesh.DiscoverySelectors.Count == 0) return resources;
        var chosen = resources.Where(resource => resource.Kind == Kinds.Namespace
            && mesh.DiscoverySelectors.Any(selector => LabelSelectors.Selects(selector, resource.Labels)))
            .Select(ns => ns.Name).ToHashSet();
        // The root namespace holds the mesh's own configuration, whatever its labels.
        chosen.Add(mesh.RootNamespace);
        return [.. resources.Where(resource => resource.Namespace.Length == 0 || chosen.Contains(resource.Namespace))];
    }
}
