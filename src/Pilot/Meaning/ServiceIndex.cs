using System.Collections.Frozen;
using System.Collections.Immutable;
using Lateen.Registry;

namespace Lateen.Pilot.Meaning;

/// <summary>Services by who may see them.</summary>
public sealed record ServiceIndex
{
    /// <summary>Audience of every service that not everybody sees.</summary>
    public required IReadOnlyDictionary<Service, Export> Limited { get; init; }

    /// <summary>Services that everybody sees.</summary>
    public required ImmutableArray<Service> Public { get; init; }

    /// <summary>Services that only their own namespace sees.</summary>
    public required FrozenDictionary<string, ImmutableArray<Service>> PrivateByNamespace { get; init; }

    /// <summary>Services exported to a namespace by name.</summary>
    public required FrozenDictionary<string, ImmutableArray<Service>> ExportedToNamespace { get; init; }

    /// <summary>All services that a namespace sees: its private ones, those exported to it, the public ones; each part oldest
    /// first.</summary>
    public IEnumerable<Service> VisibleTo(string ns)
    {
        if (PrivateByNamespace.TryGetValue(ns, out var own))
        {
            foreach (var service in own) yield return service;
        }
        if (ExportedToNamespace.TryGetValue(ns, out var exported))
        {
            foreach (var service in exported) yield return service;
        }
        foreach (var service in Public) yield return service;
    }

    /// <summary>Whether a client of this namespace sees a service of the mesh.</summary>
    public bool IsVisible(Service service, string ns) => !Limited.TryGetValue(service, out var export) || export.Includes(ns);
}
