// Definitions: what an API server has to be told of the mesh's kinds (apiextensions.k8s.io/v1), made from the same message shapes by which
// objects are read. A definition checks form alone: names and types of fields. What fields mean together is the validator's, which every
// reader of objects asks and the admission webhook serves.
//
// Refused: a copy of Istio's published definitions (a megabyte of text that says again what the messages say; who has them keeps them: both
// accept the same objects), and rules in CEL (old servers drop them, and two validators disagree in the end).
using Google.Protobuf.Reflection;
using Lateen.Api.Documents;
using Lateen.Api.Schemas;
using Lateen.Config.Resources;

namespace Lateen.Config.Definitions;

/// <summary>Makes CustomResourceDefinitions.</summary>
public static class CustomResourceDefinitions
{
    private const string Preserve = "x-kubernetes-preserve-unknown-fields";
    private const string IntOrString = "x-kubernetes-int-or-string";

    // Some messages contain themselves; beyond this depth their form is left open. Istio's own go no deeper than 14.
    private const int DepthMax = 18;

    /// <summary>Istio's kinds.</summary>
    public static IReadOnlyList<ResourceKind> Istio { get; } =
        [.. Kinds.All.Where(k => k.Group.EndsWith(".istio.io", StringComparison.Ordinal))];

    /// <summary>The Gateway API's kinds. Its own definitions are published by its makers; these are for machines that have none.</summary>
    public static IReadOnlyList<ResourceKind> GatewayApi { get; } =
        [.. Kinds.All.Where(k => k.IsConfiguration && k.Group.Contains('.', StringComparison.Ordinal)
            && !k.Group.EndsWith(".istio.io", StringComparison.Ordinal) && k.Group != "networking.k8s.io")];

    /// <summary>The definitions of the kinds, as YAML documents.</summary>
    public static string Yaml(IEnumerable<ResourceKind> kinds) => string.Concat(kinds.Select(k => "---\n" + NodeText.ToYaml(Of(k))));

    /// <summary>The definition of one kind.</summary>
    public static MappingNode Of(ResourceKind kind) => Map(
        ("apiVersion", Text("apiextensions.k8s.io/v1")),
        ("kind", Text("CustomResourceDefinition")),
        ("metadata", Metadata(kind)),
        ("spec", Map(
            ("group", Text(kind.Group)),
            ("names", Names(kind)),
            ("scope", Text(kind.IsNamespaced ? "Namespaced" : "Cluster")),
            ("versions", List(kind.Versions.Select((version, i) => (Node)Version(kind, version, isStored: i == 0)))))));

    private static MappingNode Metadata(ResourceKind kind)
    {
        var name = ("name", (Node)Text($"{kind.Plural}.{kind.Group}"));
        // Groups of Kubernetes want to be told that nobody of them has approved this.
        return kind.Group.EndsWith("k8s.io", StringComparison.Ordinal)
            ? Map(name, ("annotations", Map(("api-approved.kubernetes.io", Text("unapproved, made from the messages that a mesh reads")))))
            : Map(name, ("labels", Map(("app", Text("istio-pilot")))), ("annotations", Map(("helm.sh/resource-policy", Text("keep")))));
    }

    private static MappingNode Names(ResourceKind kind)
    {
        var members = new List<(string, Node)>
        {
            ("kind", Text(kind.Name)), ("listKind", Text(kind.Name + "List")), ("plural", Text(kind.Plural)),
            ("singular", Text(kind.Name.ToLowerInvariant())),
        };
        if (kind.ShortNames.Count > 0) members.Add(("shortNames", List(kind.ShortNames.Select(Text))));
        var family = kind.Group.EndsWith(".istio.io", StringComparison.Ordinal) ? "istio-io" : "gateway-api";
        members.Add(("categories", List([Text(family)])));
        return Map([.. members]);
    }

    private static MappingNode Version(ResourceKind kind, string version, bool isStored)
    {
        var message = SchemaSet.Find(kind.Message.FullName) ?? throw new Lateen.Api.InvariantException($"{kind} has no shape");
        (string, Node)[] parts = kind.MessageIsSpec
            ? [("spec", Object(message, 0))]
            : [.. message.Fields.Where(f => f.JsonName is not ("metadata" or "status" or "apiVersion" or "kind"))
                .Select(f => (f.JsonName, Field(f, 0)))];
        var status = Map(("type", Text("object")), (Preserve, Truth(true)));
        return Map(
            ("name", Text(version)),
            ("served", Truth(true)),
            ("storage", Truth(isStored)),
            ("subresources", Map(("status", new MappingNode([], 0, 0)))),
            ("additionalPrinterColumns",
                List([Map(("name", Text("Age")), ("type", Text("date")), ("jsonPath", Text(".metadata.creationTimestamp")))])),
            ("schema", Map(("openAPIV3Schema", Map(("type", Text("object")), ("properties", Map([.. parts, ("status", status)])))))));
    }

    private static Node Field(FieldShape field, int depth)
    {
        if (field.IsMap) return Map(("type", Text("object")), ("additionalProperties", Single(field.Message!.Field("value")!, depth)));
        return field.IsRepeated ? Map(("type", Text("array")), ("items", Single(field, depth))) : Single(field, depth);
    }

    private static MappingNode Single(FieldShape field, int depth) => field.Type switch
    {
        FieldType.Message or FieldType.Group => OfMessage(field.Message!, depth),
        FieldType.Enum => Map(("type", Text("string")), ("enum", List(field.Enum!.Names.Select(Text)))),
        var scalar => Scalar(scalar),
    };

    private static MappingNode OfMessage(MessageShape message, int depth) => message.Form switch
    {
        SpecialForm.Duration or SpecialForm.FieldMask => Map(("type", Text("string"))),
        SpecialForm.Timestamp => Map(("type", Text("string")), ("format", Text("date-time"))),
        SpecialForm.Struct or SpecialForm.Any => Map(("type", Text("object")), (Preserve, Truth(true))),
        SpecialForm.Value or SpecialForm.List => Map((Preserve, Truth(true))),
        SpecialForm.Wrapper => Nullable(Scalar(message.Fields[0].Type)),
        SpecialForm.IntOrString or SpecialForm.Quantity => Map((IntOrString, Truth(true))),
        _ when depth >= DepthMax || message.Fields.Count == 0 => Map(("type", Text("object")), (Preserve, Truth(true))),
        _ => Object(message, depth),
    };

    private static MappingNode Object(MessageShape message, int depth) =>
        Map(("type", Text("object")), ("properties", Map([.. message.Fields.Select(f => (f.JsonName, Field(f, depth + 1)))])));

    private static MappingNode Scalar(FieldType type) => type switch
    {
        FieldType.Bool => Map(("type", Text("boolean"))),
        FieldType.Double or FieldType.Float => Map(("type", Text("number"))),
        FieldType.Int32 or FieldType.SInt32 or FieldType.SFixed32 => Map(("type", Text("integer")), ("format", Text("int32"))),
        FieldType.UInt32 or FieldType.Fixed32 =>
            Map(("type", Text("integer")), ("minimum", new ScalarNode("0", ScalarKind.Integer, 0, 0)),
                ("maximum", new ScalarNode("4294967295", ScalarKind.Integer, 0, 0))),
        FieldType.Bytes => Map(("type", Text("string")), ("format", Text("byte"))),
        FieldType.String => Map(("type", Text("string"))),
        _ => Map((IntOrString, Truth(true))),
    };

    private static MappingNode Nullable(MappingNode schema) =>
        new([.. schema.Members, new NodeMember("nullable", Truth(true), 0, 0)], 0, 0);

    private static MappingNode Map(params (string Name, Node Value)[] members) =>
        new([.. members.Select(m => new NodeMember(m.Name, m.Value, 0, 0))], 0, 0);

    private static SequenceNode List(IEnumerable<Node> items) => new([.. items], 0, 0);

    private static ScalarNode Text(string value) => new(value, ScalarKind.Text, 0, 0);

    private static ScalarNode Truth(bool value) => new(value ? "true" : "false", ScalarKind.Boolean, 0, 0);
}
