using System.Globalization;
using System.Text.Json.Nodes;
using Lateen.Injector.Trees;

namespace Lateen.Injector.Settings;

/// <summary>Whether a pod gets a sidecar: never on the node's own network or in the cluster's own namespaces; else as the pod says; else as
/// selectors say; else by the policy.</summary>
public static class InjectionDecision
{
    private const string Inject = "sidecar.istio.io/inject";

    /// <summary>Namespaces of the cluster itself.</summary>
    public static readonly IReadOnlySet<string> SystemNamespaces = new HashSet<string>(StringComparer.Ordinal) { "kube-system",
        "kube-public", "kube-node-lease", "local-path-storage" };

    /// <summary>What the pod says itself; null for nothing, or for a word that is no answer. The label is the newer way, which selectors of
    /// webhooks can see.</summary>
    public static bool? Said(JsonObject pod) =>
        (pod.Labels().TryGetValue(Inject, out var written)
            ? written : pod.Annotations().GetValueOrDefault(Inject, "")).ToLower(CultureInfo.InvariantCulture) switch
        {
            "y" or "yes" or "true" or "on" => true,
            "n" or "no" or "false" or "off" => false,
            _ => null,
        };

    /// <summary>Decides.</summary>
    /// <param name="policy"><c>enabled</c> or <c>disabled</c>; any other word is no consent.</param>
    /// <param name="never">Selectors of pods that get none.</param>
    /// <param name="always">Selectors of pods that get one.</param>
    /// <param name="pod">The pod.</param>
    /// <param name="ns">Its namespace.</param>
    public static bool IsRequired(string policy, IEnumerable<JsonObject> never, IEnumerable<JsonObject> always, JsonObject pod, string ns)
    {
        if (pod["spec"].Word("hostNetwork") == "true" || SystemNamespaces.Contains(ns)) return false;
        if (policy is not ("enabled" or "disabled")) return false;
        if (Said(pod) is { } said) return said;
        var labels = pod.Labels();
        // A selector without terms selects nothing here.
        if (never.Any(selector => !LabelTerms.IsEmpty(selector) && LabelTerms.Hold(selector, labels))) return false;
        return always.Any(selector => !LabelTerms.IsEmpty(selector) && LabelTerms.Hold(selector, labels)) || policy == "enabled";
    }
}
