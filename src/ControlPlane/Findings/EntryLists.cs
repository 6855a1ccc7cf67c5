using Istio.Networking.V1Alpha3;
using Lateen.Config.Resources;
using Lateen.Registry.Compile;

namespace Lateen.ControlPlane.Findings;

/// <summary>Whether lists of entries differ in more than the endpoints of some, which change all the time and of which findings say
/// nothing.</summary>
internal static class EntryLists
{
    /// <summary>Entries that changed, where nothing but hosts, ports and audiences is looked at and these are the same; null where anything
    /// else changed.</summary>
    public static IReadOnlyList<Resource<ServiceEntry>>? ChangedAlike(IReadOnlyList<Resource<ServiceEntry>> before,
        IReadOnlyList<Resource<ServiceEntry>> now)
    {
        if (before.Count != now.Count) return null;
        var change = ListChange<Resource<ServiceEntry>>.Between(before, now);
        for (int i = 0; i < change.Come.Count; i++)
        {
            if (!AreAlike(change.Gone[i], change.Come[i])) return null;
        }
        return change.Come;
    }

    private static bool AreAlike(Resource<ServiceEntry> before, Resource<ServiceEntry> now) => before.Name == now.Name
        && before.Namespace == now.Namespace && before.Metadata.CreationTime == now.Metadata.CreationTime
        && before.Spec.Hosts.Equals(now.Spec.Hosts) && before.Spec.Ports.Equals(now.Spec.Ports)
        && before.Spec.ExportTo.Equals(now.Spec.ExportTo);
}
