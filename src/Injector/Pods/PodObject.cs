using System.Text.Json.Nodes;
using Lateen.Injector.Templates;
using Lateen.Injector.Trees;

namespace Lateen.Injector.Pods;

/// <summary>A part of a pod to templates: an object whose fields may be asked for whether or not they are written; maps of texts are
/// maps.</summary>
internal sealed class PodObject : GoObject
{
    private static readonly HashSet<string> Maps = new(StringComparer.Ordinal) { "annotations", "labels", "nodeSelector", "matchLabels",
        "limits", "requests", "overhead" };

    private readonly Dictionary<string, object?> _fields;

    private PodObject(JsonObject written)
    {
        _fields = written.ToDictionary(entry => entry.Key, entry => Value(entry.Key, entry.Value), StringComparer.OrdinalIgnoreCase);
    }

    /// <summary>A part of a pod; one without fields for none.</summary>
    public static PodObject Of(JsonObject? written) => new(written ?? []);

    public override object? Field(string name) =>
        _fields.GetValueOrDefault(name) ?? (Maps.Contains(char.ToLowerInvariant(name[0]) + name[1..]) ? new TextMap() : "");

    public override object? Plain() =>
        new FieldMap(_fields.OrderBy(field => FieldOrder.Of(field.Key)).ThenBy(field => field.Key, StringComparer.Ordinal));

    private static object? Value(string name, JsonNode? written) => written switch
    {
        JsonObject map when Maps.Contains(name) =>
            new TextMap(map.Select(entry => KeyValuePair.Create(entry.Key, entry.Value?.ToString() ?? ""))),
        JsonObject map => new PodObject(map),
        JsonArray list => list.Select(item => Value("", item)).ToList(),
        _ => PlainText.Of(written, hasWholeNumbers: true),
    };
}
