using Istio.Networking.V1Alpha3;
using Lateen.Config.Resources;

namespace Lateen.ControlPlane.Findings.Rivals;

/// <summary>WorkloadEntries of a namespace with one address: the proxy there has the labels, and so the policies, of one of them.</summary>
internal static class RivalAddresses
{
    public static IEnumerable<Rivalry> Find(IReadOnlyList<Resource<WorkloadEntry>> ordered)
    {
        var owners = new Dictionary<(string Namespace, string Network, string Address), Claim>();
        foreach (Resource<WorkloadEntry> entry in ordered.Where(
            entry => entry.Spec.Address.Length > 0 && !entry.Spec.Address.StartsWith("unix:", StringComparison.Ordinal)))
        {
            var claim = new Claim(entry, "spec.address");
            var key = (entry.Namespace, entry.Spec.Network, entry.Spec.Address);
            if (owners.TryAdd(key, claim)) continue;
            yield return Rivalry.Of(OperatorCodes.AddressTaken, owners[key], claim,
                $"the workload that a proxy at {entry.Spec.Address} is");
        }
    }
}
