using Istio.Networking.V1Alpha3;
using Lateen.Config.Resources;

namespace Lateen.Registry.Entries;

/// <summary>What a WorkloadEntry says of its workload. Its status, which agents renew, is no part of it; whether it counts is another
/// question (<see cref="EntryHealth"/>).</summary>
/// <remarks>A value, so that who remembers what was made of it compares what it says.</remarks>
internal readonly struct WorkloadDeclaration(Resource<WorkloadEntry> resource) : IEquatable<WorkloadDeclaration>
{
    private readonly Resource<WorkloadEntry> _resource = resource;

    /// <inheritdoc/>
    public bool Equals(WorkloadDeclaration other)
    {
        if (ReferenceEquals(_resource, other._resource)) return true;
        var (own, its) = (_resource.Metadata, other._resource.Metadata);
        return own.Name == its.Name && own.Namespace == its.Namespace && own.CreationTime == its.CreationTime
            && LabelSelection.AreSame(own.Labels, its.Labels) && _resource.Spec.Equals(other._resource.Spec);
    }

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is WorkloadDeclaration other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_resource.Namespace, _resource.Name);
}
