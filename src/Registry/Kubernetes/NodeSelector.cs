using System.Text.Json;

namespace Lateen.Registry.Kubernetes;

/// <summary>The annotation that chooses the nodes at which a NodePort service is reached from outside.</summary>
public static class NodeSelector
{
    private const string Annotation = "traffic.istio.io/nodeSelector";

    /// <summary>Labels of the nodes; empty for all nodes; null when there is no (readable) annotation.</summary>
    public static IReadOnlyDictionary<string, string>? Of(IReadOnlyDictionary<string, string> annotations)
    {
        if (!annotations.TryGetValue(Annotation, out var text)) return null;
        try
        {
            return JsonSerializer.Deserialize<Dictionary<string, string>>(text);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
