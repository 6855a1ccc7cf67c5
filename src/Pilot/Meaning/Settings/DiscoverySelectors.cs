using Istio.Mesh.V1Alpha1;
using Kubernetes.Meta.V1;
using Lateen.Config.Resources;
using Resource = Lateen.Config.Resources.Resource;

namespace Lateen.Pilot.Meaning.Settings;

/// <summary>Which namespaces the control plane looks into.</summary>
public static class DiscoverySelectors
{
    /// <summary>The resources of the namespaces that a selector selects, and those without namespace; all when there is no selector.</summary>
    public static IReadOnlyList<Resource> Select(IReadOnlyList<Resource> resources, MeshConfig mesh)
    {
        if (mesh.DiscoverySelectors.Count == 0) return resources;
        var chosen = resources.Where(resource => resource.Kind == Kinds.Namespace && mesh.DiscoverySelectors.Any(selector => Matches(selector, resource.Labels)))
            .Select(ns => ns.Name).ToHashSet();
        // The root namespace holds the mesh's own configuration, whatever its labels.
        chosen.Add(mesh.RootNamespace);
        return [.. resources.Where(resource => resource.Namespace.Length == 0 || chosen.Contains(resource.Namespace))];
    }

    /// <summary>Whether labels satisfy a selector of Kubernetes: all its labels and all its expressions.</summary>
    public static bool Matches(LabelSelector selector, IReadOnlyDictionary<string, string> labels) =>
        selector.MatchLabels.All(pair => labels.TryGetValue(pair.Key, out var value) && value == pair.Value)
        && selector.MatchExpressions.All(expression => Satisfies(expression, labels));

    private static bool Satisfies(LabelSelectorRequirement expression, IReadOnlyDictionary<string, string> labels)
    {
        var isThere = labels.TryGetValue(expression.Key, out var value);
        return expression.Operator switch
        {
            "In" => isThere && expression.Values.Contains(value),
            "NotIn" => !isThere || !expression.Values.Contains(value),
            "Exists" => isThere,
            "DoesNotExist" => !isThere,
            _ => false,
        };
    }
}
