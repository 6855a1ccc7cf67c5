using System.Globalization;
using Lateen.Api.Documents;

namespace Lateen.Config.Resources;

/// <summary>A resource as the tree of a Kubernetes object.</summary>
public static class ResourceNodes
{
    public static Node Of(Resource resource)
    {
        var members = new List<NodeMember>
        {
            Member("apiVersion", Text(resource.Kind.PreferredApiVersion)),
            Member("kind", Text(resource.Kind.Name)),
            Member("metadata", Metadata(resource.Metadata)),
        };
        if (resource.Kind.MessageIsSpec)
        {
            members.Add(Member("spec", MessageWriter.ToNode(resource.Message)));
            if (resource.Status is { } status) members.Add(Member("status", MessageWriter.ToNode(status)));
        }
        else members.AddRange(((MappingNode)MessageWriter.ToNode(resource.Message)).Members);
        return new MappingNode(members, 0, 0);
    }

    private static MappingNode Metadata(ResourceMetadata metadata)
    {
        var members = new List<NodeMember> { Member("name", Text(metadata.Name)) };
        Add(members, "namespace", metadata.Namespace);
        Add(members, "labels", metadata.Labels);
        Add(members, "annotations", metadata.Annotations);
        Add(members, "creationTimestamp", metadata.CreationTime is { } time ? Time(time) : "");
        Add(members, "deletionTimestamp", metadata.DeletionTime is { } gone ? Time(gone) : "");
        if (metadata.Generation > 0)
            members.Add(Member("generation",
                new ScalarNode(metadata.Generation.ToString(CultureInfo.InvariantCulture), ScalarKind.Integer, 0, 0)));
        Add(members, "resourceVersion", metadata.ResourceVersion);
        Add(members, "uid", metadata.Uid);
        if (metadata.Owners.Count > 0)
            members.Add(Member("ownerReferences", new SequenceNode(metadata.Owners.Select(Owner).ToArray(), 0, 0)));
        return new MappingNode(members, 0, 0);
    }

    private static Node Owner(OwnerReference owner)
    {
        var members = new List<NodeMember>
        {
            Member("apiVersion", Text(owner.ApiVersion)), Member("kind", Text(owner.Kind)), Member("name", Text(owner.Name)),
            Member("uid", Text(owner.Uid)),
        };
        if (owner.IsController) members.Add(Member("controller", new ScalarNode("true", ScalarKind.Boolean, 0, 0)));
        return new MappingNode(members, 0, 0);
    }

    private static void Add(List<NodeMember> members, string name, string value)
    {
        if (value.Length > 0) members.Add(Member(name, Text(value)));
    }

    private static void Add(List<NodeMember> members, string name, IReadOnlyDictionary<string, string> values)
    {
        if (values.Count > 0)
            members.Add(
                Member(name, new MappingNode(
                    values.OrderBy(v => v.Key, StringComparer.Ordinal).Select(v => Member(v.Key, Text(v.Value))).ToArray(), 0, 0)));
    }

    private static string Time(DateTimeOffset time) =>
        time.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'", CultureInfo.InvariantCulture);

    private static NodeMember Member(string name, Node value) => new(name, value, 0, 0);

    private static ScalarNode Text(string value) => new(value, ScalarKind.Text, 0, 0);
}
