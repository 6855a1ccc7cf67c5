using Istio.Meta.V1Alpha1;
using Istio.Networking.V1Alpha3;
using Lateen.Config.Resources;

namespace Lateen.Registry.Entries;

/// <summary>Whether a WorkloadEntry counts: the agent of a virtual machine that probes its application says so in the entry's
/// status.</summary>
internal static class EntryHealth
{
    private const string Checked = "proxy.istio.io/health-checks-enabled", Healthy = "Healthy", True = "True";

    /// <summary>False for an entry that is probed and was not found healthy, or not yet: it is as good as absent until then
    /// (PILOT_ENABLE_WORKLOAD_ENTRY_HEALTHCHECKS). Entries that nobody probes count.</summary>
    public static bool Counts(Resource<WorkloadEntry> entry) =>
        !IsTrue(entry.Annotations.GetValueOrDefault(Checked, ""))
        || (entry.Status is IstioStatus status
            && status.Conditions.FirstOrDefault(static condition => condition.Type == Healthy)?.Status == True);

    // What Go's strconv.ParseBool takes.
    private static bool IsTrue(string text) => text is "1" or "t" or "T" or "true" or "TRUE" or "True";
}
