using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Lateen.Config.Resources;

/// <summary>What becomes of fields that the kind's message does not have.</summary>
public enum KindModel
{
    /// <summary>All of the object is modelled: an unknown field is a mistake.</summary>
    Whole,

    /// <summary>Modelled, but newer versions of the API may have more: an unknown field is a warning.</summary>
    Extensible,

    /// <summary>Only what a mesh reads is modelled.</summary>
    Partial,
}

/// <summary>One kind of object. <see cref="Kinds"/> has them all.</summary>
public abstract class ResourceKind
{
    /// <summary>The API group; empty for Kubernetes' core.</summary>
    public required string Group { get; init; }

    /// <summary>Versions that are accepted, the preferred one first. They do not differ in meaning.</summary>
    public required IReadOnlyList<string> Versions { get; init; }

    /// <summary>The kind as written, like <c>VirtualService</c>.</summary>
    public required string Name { get; init; }

    /// <summary>As in URLs and commands, like <c>virtualservices</c>.</summary>
    public required string Plural { get; init; }

    public IReadOnlyList<string> ShortNames { get; init; } = [];

    public bool IsNamespaced { get; init; } = true;

    public KindModel Model { get; init; } = KindModel.Whole;

    /// <summary>The message is <c>spec</c> (Istio's kinds), else it is the whole object beside its metadata (Kubernetes' kinds).</summary>
    public bool MessageIsSpec { get; init; } = true;

    /// <summary>It is configuration that people write, and revisions are kept of it; false for what a cluster makes by itself (pods,
    /// endpoints).</summary>
    public bool IsConfiguration { get; init; } = true;

    /// <summary>The text that it was written as is kept; false for what a cluster makes by the ten thousand: there the place alone is
    /// known, and the text is made again when asked for.</summary>
    public bool KeepsText { get; init; } = true;

    /// <summary>Whether something in the mesh changes because of it today; what has none is told so when it is applied.</summary>
    public bool HasEffect { get; init; } = true;

    public string PreferredApiVersion => Group.Length == 0 ? Versions[0] : $"{Group}/{Versions[0]}";

    public abstract MessageDescriptor Message { get; }

    /// <summary>The message of <c>status</c> where the message is <c>spec</c>.</summary>
    public abstract MessageDescriptor? Status { get; }

    public override string ToString() => Group.Length == 0 ? Name : $"{Name}.{Group}";

    internal abstract IMessage NewMessage();

    internal abstract IMessage? NewStatus();

    internal abstract Resource NewResource(ResourceMetadata metadata, IMessage message, IMessage? status, ResourceOrigin origin);
}

/// <summary>A kind whose message is <typeparamref name="T"/>.</summary>
public sealed class ResourceKind<T>(Func<IMessage>? status = null) : ResourceKind
    where T : class, IMessage<T>, new()
{
    public override MessageDescriptor Message => new T().Descriptor;

    public override MessageDescriptor? Status => status?.Invoke().Descriptor;

    /// <summary>A resource of this kind that was not read from a text.</summary>
    public Resource<T> Create(string ns, string name, T message, ResourceMetadata? metadata = null, IMessage? status = null,
        ResourceOrigin? origin = null)
    {
        metadata ??= new ResourceMetadata { Name = name, Namespace = ns };
        return new Resource<T>(this, metadata with { Name = name, Namespace = IsNamespaced ? ns : "" }, message, status,
            origin ?? ResourceOrigin.None);
    }

    internal override IMessage NewMessage() => new T();

    internal override IMessage? NewStatus() => status?.Invoke();

    internal override Resource NewResource(ResourceMetadata metadata, IMessage message, IMessage? status, ResourceOrigin origin) =>
        new Resource<T>(this, metadata, (T)message, status, origin);
}
