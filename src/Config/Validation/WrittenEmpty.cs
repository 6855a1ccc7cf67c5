using Lateen.Api.Documents;
using Lateen.Config.Resources;
using Codes = Lateen.Config.Validation.ValidationCodes;

namespace Lateen.Config.Validation;

/// <summary>
/// What is written but says nothing: <c>from: []</c>, <c>portLevelMtls: {}</c>, an empty <c>spec</c>. A message cannot tell it from what is
/// not written, and for a policy the two are worlds apart, so this looks at the text.
/// </summary>
internal static class WrittenEmpty
{
    /// <summary>Fields that may be absent but not empty, by kind; a star stands for every item of a list or map.</summary>
    private static readonly Dictionary<string, string[][]> NotEmpty = new()
    {
        ["AuthorizationPolicy"] = [["rules", "*", "from"], ["rules", "*", "to"]],
        ["PeerAuthentication"] = [["portLevelMtls"]],
        ["Gateway"] = [["servers", "*", "tls", "credentialNames"], ["servers", "*", "tls", "tlsCertificates"]],
        ["RequestAuthentication"] = [["jwtRules", "*", "jwksUri"]],
        ["WasmPlugin"] = [["imagePullSecret"], ["pluginName"]],
        ["TrafficExtension"] = [["wasm", "imagePullSecret"], ["wasm", "pluginName"]],
    };

    /// <summary>Kinds that mean nothing without a spec.</summary>
    private static readonly HashSet<string> NeedsSpec = ["WorkloadEntry", "WorkloadGroup", "WasmPlugin", "TrafficExtension",
        "ServiceEntry"];

    public static void Check(Findings f, Resource resource)
    {
        if (!resource.Kind.MessageIsSpec || resource.Origin.Text.Length == 0) return;
        var hasRules = NotEmpty.TryGetValue(resource.Kind.Name, out var paths);
        if (!hasRules && !NeedsSpec.Contains(resource.Kind.Name)) return;
        var document = DocumentReader.ReadSingle(resource.Origin.Text, "", []);
        var root = document is null ? null : resource.Origin.TextPath.Length == 0
            ? document : NodePath.Find(document, resource.Origin.TextPath);
        var spec = (root as MappingNode)?["spec"];
        f.ErrorIf(NeedsSpec.Contains(resource.Kind.Name) && spec is null or { IsNull: true }, Codes.Required, "spec", "spec is required");
        foreach (var path in paths ?? []) Walk(f, spec, path, 0, "spec");
    }

    private static void Walk(Findings f, Node? node, string[] path, int at, string where)
    {
        if (at == path.Length)
        {
            var isEmpty = node is SequenceNode { Items.Count: 0 } or MappingNode { Members.Count: 0 }
                or ScalarNode { Kind: ScalarKind.Text, Value.Length: 0 };
            f.ErrorIf(isEmpty, Codes.Empty, where, $"{where[(where.LastIndexOf('.') + 1)..]} must not be empty when it is written");
            return;
        }

        if (path[at] != "*") Walk(f, (node as MappingNode)?[path[at]], path, at + 1, $"{where}.{path[at]}");
        else if (node is SequenceNode sequence)
        {
            for (var i = 0; i < sequence.Items.Count; i++) Walk(f, sequence.Items[i], path, at + 1, $"{where}[{i}]");
        }
    }
}
