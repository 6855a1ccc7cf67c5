using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;
using Lateen.Api.Schemas;
using Lateen.Config.Resources;
using Lateen.Config.Sources.Kubernetes.Watching;

namespace Lateen.Config.Sources.Kubernetes;

/// <summary>Objects of an API server to resources. For one thread at a time.</summary>
/// <param name="source">What their origin is called, see <see cref="ResourceOrigin.Source"/>.</param>
public sealed class ApiObjectDecoder(string source)
{
    private const string OldSlices = "discovery.k8s.io/v1beta1";
    private const string HostnameLabel = "kubernetes.io/hostname";
    private const string ZoneLabel = "topology.kubernetes.io/zone";

    private readonly Dictionary<ResourceKind, MessageShape> _parts = [];
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
        var isOld = served.ApiVersion == OldSlices;
        try
        {
            ApiNodes.Read(found.Json.Span, isOld ? null : PartOf(served.Kind), isRead, members);
        }
        catch (InvalidOperationException)
        {
            // An escaped surrogate without its other half (\ud800) has no text.
            diagnostics.Add(DocumentCodes.Syntax, SourcePosition.None, "", "a text holds an unpaired surrogate");
            return null;
        }

        var root = new MappingNode(members, 0, 0);
        return _decoder.Decode(isOld ? WithNewTopology(root) : root, diagnostics);
    }

    // What is read of a kind of which only a part is modelled; null where every field counts, or is told.
    private MessageShape? PartOf(ResourceKind kind)
    {
        if (kind is not { Model: KindModel.Partial, MessageIsSpec: false }) return null;
        if (!_parts.TryGetValue(kind, out var part)) _parts[kind] = part = SchemaSet.Of(kind.NewMessage().GetType());
        return part;
    }

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
