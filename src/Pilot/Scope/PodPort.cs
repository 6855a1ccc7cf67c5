using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Lateen.Pilot.Scope;

/// <summary>A port that a container of the proxy's pod declares.</summary>
/// <param name="Name">Name; may be empty.</param>
/// <param name="ContainerPort">Number.</param>
/// <param name="Protocol">Protocol as Kubernetes writes it.</param>
public sealed record PodPort(
    [property: JsonPropertyName("name")] string? Name, [property: JsonPropertyName("containerPort")] int ContainerPort,
    [property: JsonPropertyName("protocol")] string? Protocol)
{
    /// <summary>Reads POD_PORTS: a text that holds a JSON list. Null when it holds something else.</summary>
    public static ImmutableArray<PodPort>? ParseList(string text)
    {
        try
        {
            return JsonSerializer.Deserialize<PodPort[]>(text) is { } ports ? [.. ports] : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
