// Discovery: configuration carried by xDS ("MCP over xDS"): one control plane serves its objects, another takes them as a source. A type is
// named by group, version and kind, as networking.istio.io/v1/VirtualService; an object is a message istio.mcp.v1alpha1.Resource around its
// spec. Only Istio's kinds travel, as with istiod. Both directions of the translation stand here; the streams are ControlPlane/Mcp
// (serving) and `ConfigStreamSource` (asking).
//
// Refused: serving clusters' own objects this way (pods of another cluster are read from its API server, whose permissions say who may).
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Istio.Mcp.V1Alpha1;
using Lateen.Config.Resources;
using Metadata = Istio.Mcp.V1Alpha1.Metadata;
using Resource = Lateen.Config.Resources.Resource;

namespace Lateen.Config.Sources.Discovery;

/// <summary>Resources as they are carried, and back.</summary>
public static class CarriedResources
{
    private const string Prefix = "type.googleapis.com/";

    /// <summary>Every kind that is carried.</summary>
    public static IReadOnlyList<ResourceKind> Carried { get; } = [.. Kinds.All.Where(k => k.MessageIsSpec && k.IsConfiguration)];

    /// <summary>How a kind is asked for.</summary>
    public static string TypeOf(ResourceKind kind) => $"{kind.Group}/{kind.Versions[0]}/{kind.Name}";

    /// <summary>The kind that is asked for; null for none that is carried.</summary>
    public static ResourceKind? KindOf(string type) =>
        type.Split('/') is [var group, var version, var name] && Kinds.Find(group, name) is { } kind && kind.Versions.Contains(version)
            && Carried.Contains(kind) ? kind : null;

    /// <summary>An object as it travels.</summary>
    public static Any Of(Resource resource)
    {
        var metadata = new Metadata
        {
            Name = resource.Namespace.Length > 0 ? $"{resource.Namespace}/{resource.Name}" : resource.Name,
            Version = resource.Metadata.ResourceVersion,
        };
        metadata.Labels.Add(resource.Labels.ToDictionary());
        metadata.Annotations.Add(resource.Annotations.ToDictionary());
        if (resource.Metadata.CreationTime is { } created) metadata.CreateTime = Timestamp.FromDateTimeOffset(created);
        var carried = new Istio.Mcp.V1Alpha1.Resource { Metadata = metadata, Body = Packed(resource.Message) };
        return Packed(carried);
    }

    /// <summary>An object that came; null when it is none of the kind.</summary>
    public static Resource? Read(ResourceKind kind, Any any)
    {
        try
        {
            var carried = Istio.Mcp.V1Alpha1.Resource.Parser.ParseFrom(any.Value);
            var name = carried.Metadata?.Name ?? "";
            var slash = name.IndexOf('/', StringComparison.Ordinal);
            if (carried.Body is null || name.Length == slash + 1) return null;
            var message = kind.NewMessage();
            message.MergeFrom(carried.Body.Value);
            var metadata = new ResourceMetadata
            {
                Name = name[(slash + 1)..], Namespace = slash > 0 ? name[..slash] : "", ResourceVersion = carried.Metadata!.Version,
                Labels = new Dictionary<string, string>(carried.Metadata.Labels), Annotations =
                    new Dictionary<string, string>(carried.Metadata.Annotations),
                CreationTime = carried.Metadata.CreateTime?.ToDateTimeOffset(),
            };
            return kind.NewResource(metadata, message, null, new ResourceOrigin { Source = ResourceOrigin.FromStream });
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }

    // Not Any.Pack, which asks the message's descriptor and thereby builds all of them.
    private static Any Packed(IMessage message) =>
        new() { TypeUrl = Prefix + Lateen.Api.Schemas.SchemaSet.NameOf(message), Value = message.ToByteString() };
}
