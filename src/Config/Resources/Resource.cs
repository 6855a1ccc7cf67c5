using Google.Protobuf;
using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;

namespace Lateen.Config.Resources;

/// <summary>One object as written. Immutable; nobody changes the message inside.</summary>
public abstract class Resource(ResourceKind kind, ResourceMetadata metadata, IMessage? status, ResourceOrigin origin)
{
    public ResourceKind Kind { get; } = kind;

    public ResourceMetadata Metadata { get; } = metadata;

    /// <summary>The status as written, where the kind has its message as spec; null when there is none.</summary>
    public IMessage? Status { get; } = status;

    public ResourceOrigin Origin { get; } = origin;

    public abstract IMessage Message { get; }

    public string Name => Metadata.Name;

    public string Namespace => Metadata.Namespace;

    public IReadOnlyDictionary<string, string> Labels => Metadata.Labels;

    public IReadOnlyDictionary<string, string> Annotations => Metadata.Annotations;

    public ResourceKey Key => new(Kind, Namespace, Name);

    /// <summary>The place of a path like <c>spec.http[3].match[0]</c>.</summary>
    public SourcePosition PositionOf(string path) => Origin.PositionOf(path);

    /// <summary>The same object with another envelope.</summary>
    public Resource With(ResourceMetadata metadata) => Kind.NewResource(metadata, Message, Status, Origin);

    /// <summary>The same object as if it came from elsewhere.</summary>
    public Resource With(ResourceOrigin origin) => Kind.NewResource(Metadata, Message, Status, origin);

    /// <summary>Whether both say the same: message, status, labels, annotations, owners. Versions and origins do not count.</summary>
    public bool SaysTheSameAs(Resource other) =>
        Key == other.Key
        && Message.Equals(other.Message)
        && Equals(Status, other.Status)
        && Same(Labels, other.Labels)
        && Same(Annotations, other.Annotations)
        && Metadata.Owners.SequenceEqual(other.Metadata.Owners)
        && Metadata.DeletionTime == other.Metadata.DeletionTime;

    /// <summary>The object as text: what was written, or the canonical YAML when it was not written.</summary>
    public string ToText() => Kind.KeepsText && Origin.Text.Length > 0 && Origin.TextPath.Length == 0 ? Origin.Text : ToYaml();

    /// <summary>The canonical YAML of the whole object.</summary>
    public string ToYaml() => NodeText.ToYaml(ResourceNodes.Of(this));

    public override string ToString() => Key.ToString();

    private static bool Same(IReadOnlyDictionary<string, string> a, IReadOnlyDictionary<string, string> b) =>
        a.Count == b.Count && a.All(e => b.TryGetValue(e.Key, out var value) && value == e.Value);
}

/// <summary>One object whose message is <typeparamref name="T"/>.</summary>
public sealed class Resource<T>(ResourceKind kind, ResourceMetadata metadata, T spec, IMessage? status, ResourceOrigin origin)
    : Resource(kind, metadata, status, origin)
    where T : class, IMessage<T>, new()
{
    /// <summary>The message: what is under <c>spec</c> for Istio's kinds, the whole object beside its metadata for Kubernetes'
    /// kinds.</summary>
    public T Spec { get; } = spec;

    public override IMessage Message => Spec;
}
