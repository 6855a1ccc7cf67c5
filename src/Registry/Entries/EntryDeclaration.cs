using Lateen.Config.Resources;
using Lateen.Registry.Kubernetes;
using WrittenEntry = Istio.Networking.V1Alpha3.ServiceEntry;

namespace Lateen.Registry.Entries;

/// <summary>What a ServiceEntry says of each of its hosts apart from who serves it. Endpoints come and go; entries that agree in the rest
/// declare the same services.</summary>
/// <remarks>A value, so that who remembers what was made of it compares what it says.</remarks>
internal readonly struct EntryDeclaration(Resource<WrittenEntry> resource) : IEquatable<EntryDeclaration>
{
    private readonly Resource<WrittenEntry> _resource = resource;

    /// <inheritdoc/>
    public bool Equals(EntryDeclaration other)
    {
        if (ReferenceEquals(_resource, other._resource)) return true;
        var (own, its) = (_resource.Metadata, other._resource.Metadata);
        return own.Name == its.Name && own.Namespace == its.Namespace && own.CreationTime == its.CreationTime
            && LabelSelection.AreSame(own.Labels, its.Labels) && Same(_resource.Spec, other._resource.Spec)
            // Of annotations two are looked at; others, the text that was applied among them, change with every endpoint.
            && own.Annotations.GetValueOrDefault(KubernetesServices.DistributionAnnotation)
                == its.Annotations.GetValueOrDefault(KubernetesServices.DistributionAnnotation)
            && EntryServices.RacesConnections(own.Annotations) == EntryServices.RacesConnections(its.Annotations);
    }

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is EntryDeclaration other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_resource.Namespace, _resource.Name);

    private static bool Same(WrittenEntry own, WrittenEntry its) =>
        own.Location == its.Location && own.Resolution == its.Resolution && own.Ports.Equals(its.Ports)
            && own.Addresses.Equals(its.Addresses) && own.ExportTo.Equals(its.ExportTo)
            && own.SubjectAltNames.Equals(its.SubjectAltNames) && Equals(own.WorkloadSelector, its.WorkloadSelector);
}
