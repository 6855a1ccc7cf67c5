namespace Lateen.Config.Resources;

/// <summary>What makes an object the same object: kind, namespace (empty when the kind has none) and name.</summary>
public readonly record struct ResourceKey(ResourceKind Kind, string Namespace, string Name)
{
    /// <summary>Like <c>VirtualService bookinfo/reviews</c>: the form that diagnostics carry.</summary>
    public override string ToString() => Namespace.Length > 0 ? $"{Kind.Name} {Namespace}/{Name}" : $"{Kind.Name} {Name}";
}
