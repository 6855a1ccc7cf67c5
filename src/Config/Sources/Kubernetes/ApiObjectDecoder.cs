using System.Text.Json;
using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;
using Lateen.Config.Resources;
using Lateen.Config.Sources.Kubernetes.Watching;

namespace Lateen.Config.Sources.Kubernetes;

/// <summary>Objects of an API server to resources.</summary>
/// <param name="source">What their origin is called, see <see cref="ResourceOrigin.Source"/>.</param>
public sealed class ApiObjectDecoder(string source)
{
    private const string OldSlices = "discovery.k8s.io/v1beta1";
    private const string HostnameLabel = "kubernetes.io/hostname";
    private const string ZoneLabel = "topology.kubernetes.io/zone";

    private readonly ResourceDecoder _decoder = new(new DecoderOptions
    {
        // The API server lets through what its definitions have, which may be newer than these messages: what is unknown is told, and the
        // rest counts.
        Unknown = UnknownFields.Warning, TellUnused = false, Source = source,
    });

    /// <summary>The resource, or null when a part of it has the wrong form; the bag tells which.</summary>
    public Resource? Decode(ServedKind served, ApiObject found, DiagnosticBag diagnostics) =>
        Decode(served, found, diagnostics, static _ => true);

    /// <summary>What names an object that cannot be read: its metadata and, where that is of the right form, its status; null where not
    /// even that can be read.</summary>
    public Resource? Envelope(ServedKind served, ApiObject found) =>
        Decode(served, found, [], static name => name is "metadata" or "status")
            ?? Decode(served, found, [], static name => name == "metadata");

    private Resource? Decode(ServedKind served, ApiObject found, DiagnosticBag diagnostics, Func<string, bool> isRead)
    {
        var members = new List<NodeMember> { Text("apiVersion", served.ApiVersion), Text("kind", served.Kind.Name) };
        foreach (var member in found.Json.EnumerateObject().Where(member => isRead(member.Name)))
        {
            if (member.NameEquals("metadata")) members.Add(new NodeMember("metadata", Metadata(member.Value), 0, 0));
            else if (!member.NameEquals("apiVersion") && !member.NameEquals("kind"))
                members.Add(new NodeMember(member.Name, Of(member.Value), 0, 0));
        }

        var root = new MappingNode(members, 0, 0);
        return _decoder.Decode(served.ApiVersion == OldSlices ? WithNewTopology(root) : root, diagnostics);
    }

    /// <summary>Who manages which field is of no use here, and often half of the object.</summary>
    private static MappingNode Metadata(JsonElement metadata) =>
        new([.. metadata.EnumerateObject().Where(m => !m.NameEquals("managedFields"))
            .Select(m => new NodeMember(m.Name, Of(m.Value), 0, 0))], 0, 0);

    private static Node Of(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => new MappingNode([.. value.EnumerateObject().Select(m => new NodeMember(m.Name, Of(m.Value), 0, 0))], 0, 0),
        JsonValueKind.Array => new SequenceNode([.. value.EnumerateArray().Select(Of)], 0, 0),
        JsonValueKind.String => new ScalarNode(value.GetString()!, ScalarKind.Text, 0, 0),
        JsonValueKind.True => new ScalarNode("true", ScalarKind.Boolean, 0, 0),
        JsonValueKind.False => new ScalarNode("false", ScalarKind.Boolean, 0, 0),
        JsonValueKind.Number => new ScalarNode(value.GetRawText(),
            value.GetRawText().AsSpan().ContainsAny(".eE") ? ScalarKind.Float : ScalarKind.Integer, 0, 0),
        _ => new ScalarNode("null", ScalarKind.Null, 0, 0),
    };

    /// <summary>EndpointSlice v1 has node and zone as fields of an endpoint; before, they stood in its topology.</summary>
    private static MappingNode WithNewTopology(MappingNode slice) =>
        new(
            [.. slice.Members.Select(m => m.Name == "endpoints" && m.Value is SequenceNode list
                ? m with { Value = new SequenceNode([.. list.Items.Select(Endpoint)], 0, 0) } : m)], 0, 0);

    private static Node Endpoint(Node node)
    {
        if (node is not MappingNode endpoint || endpoint["topology"] is not MappingNode topology) return node;
        var members = endpoint.Members.Where(m => m.Name != "topology").ToList();
        Move("nodeName", HostnameLabel);
        Move("zone", ZoneLabel);
        return new MappingNode(members, 0, 0);

        void Move(string field, string label)
        {
            if (endpoint[field] is null && topology.Text(label) is { Length: > 0 } value) members.Add(Text(field, value));
        }
    }

    private static NodeMember Text(string name, string value) => new(name, new ScalarNode(value, ScalarKind.Text, 0, 0), 0, 0);
}
