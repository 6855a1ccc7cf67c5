// Findings: what is to be said about a resource beyond its own text: which other took its place, which of its fields change nothing, what
// of it no proxy would take. Each finding is a `Diagnostic` on the resource concerned, made when somebody asks for it; nothing here changes
// what is in force.
//
// Refused: findings made while a snapshot is compiled: most are never read, and compiling is what every proxy waits for.
using Lateen.Config.Resources;

namespace Lateen.ControlPlane.Findings;

/// <summary>The paths by which Istio's metadata names resources, such as
/// <c>/apis/networking.istio.io/v1/namespaces/default/virtual-service/reviews</c>.</summary>
public static class ConfigPaths
{
    private const int Parts = 7;

    /// <summary>The resource that a path means; null where it is none.</summary>
    public static ResourceKey? KeyOf(string path)
    {
        string[] parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (parts is not ["apis", var group, _, "namespaces", var inNamespace, var kebab, var name] || parts.Length != Parts) return null;
        string word = kebab.Replace("-", "", StringComparison.Ordinal);
        ResourceKind? kind = Kinds.All.FirstOrDefault(
            known => known.Group == group && known.Name.Equals(word, StringComparison.OrdinalIgnoreCase));
        return kind is null ? null : new ResourceKey(kind, inNamespace, name);
    }
}
