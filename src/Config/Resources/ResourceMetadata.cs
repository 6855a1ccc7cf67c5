using Lateen.Api.Names;

namespace Lateen.Config.Resources;

/// <summary>An owner of an object, such as the ReplicaSet of a Pod.</summary>
public sealed record OwnerReference(string ApiVersion, string Kind, string Name, string Uid, bool IsController);

/// <summary>The envelope of an object.</summary>
public sealed record ResourceMetadata
{
    public required string Name { get; init; }

    /// <summary>Empty when the kind has none.</summary>
    public string Namespace { get; init; } = "";

    public IReadOnlyDictionary<string, string> Labels { get; init; } = LabelSet.Empty;

    public IReadOnlyDictionary<string, string> Annotations { get; init; } = LabelSet.Empty;

    /// <summary>When it was first seen; the older of two rules wins in many places of the API. The store sets it when it is
    /// missing.</summary>
    public DateTimeOffset? CreationTime { get; init; }

    public DateTimeOffset? DeletionTime { get; init; }

    /// <summary>Counts changes of the message. The store counts when the source does not.</summary>
    public long Generation { get; init; }

    /// <summary>The source's mark of this very form of the object; opaque.</summary>
    public string ResourceVersion { get; init; } = "";

    public string Uid { get; init; } = "";

    public IReadOnlyList<OwnerReference> Owners { get; init; } = [];
}
