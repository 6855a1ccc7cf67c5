using Istio.Networking.V1Alpha3;
using Lateen.Config.Resources;

namespace Lateen.Registry.Entries;

/// <summary>What it is that changed in a ServiceEntry.</summary>
public static class EntryChange
{
    /// <summary>Whether both forms of an entry declare the same services, so that at most their endpoints are others.</summary>
    public static bool IsOfEndpoints(Resource<ServiceEntry> before, Resource<ServiceEntry> after) =>
        before.Spec.Hosts.Equals(after.Spec.Hosts) && Equals(before.Status, after.Status)
            && new EntryDeclaration(before).Equals(new EntryDeclaration(after));
}
