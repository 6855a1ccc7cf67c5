using System.Text.Json.Nodes;
using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;

namespace Lateen.ControlPlane.Operator;

/// <summary>The JSON of the operator's API as YAML, in the style of kubectl.</summary>
public static class YamlText
{
    /// <summary>The document, ending in a newline.</summary>
    public static string Of(JsonNode? node)
    {
        Node? root = DocumentReader.ReadSingle(node?.ToJsonString() ?? "null", "", new DiagnosticBag());
        return root is null ? "null\n" : NodeText.ToYaml(root);
    }
}
