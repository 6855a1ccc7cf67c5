using System.Globalization;
using System.Text.Json.Nodes;
using Lateen.Injector.Trees;

namespace Lateen.Injector.Settings;

/// <summary>Whether a pod gets a sidecar: never on the node's own network or in the cluster's own namespaces; else as the pod says; else as selectors say; else by the policy.</summary>
public static class InjectionDecision
{
    private const string Inject = "sidecar.istio.io/inject";

    /// <summary>Namespaces of the cluster itself.</summary>
    public static readonly IReadOnlySet<string> SystemNamespaces = new HashSet<string>(StringComparer.Ordinal) { "kube-system", "kube-public", "kube-node-lease", "local-path-storage" };

    /// <summary>Decides.</summary>
    /// <param name="policy"><c>enabled</c> or <c>disabled</c>; any other word is no consent.</param>
    /// <param name="never">Selectors of pods that get none.</param>
    /// <param name="always">Selectors of pods that get one.</param>
    /// <param name="pod">The pod.</param>
    /// <param name="ns">Its namespace.</param>
    public static bool IsRequired(string policy, IEnumerable<JsonObject> never, IEnumerable<JsonObject> always, JsonObject pod, string ns)
    {
        if (pod["spec"].Word("hostNetwork") == "true" || SystemNamespaces.Contains(ns)) return false;
        var labels = pod.Labels();
        if (policy is not ("enabled" or "disabled")) return false;
        // The label is the newer way, and selectors of webhooks can see it.
        return (labels.TryGetValue(Inject, out var written) ? written : pod.Annotations().GetValueOrDefault(Inject, "")).ToLower(CultureInfo.InvariantCulture) switch
        {
            "y" or "yes" or "true" or "on" => true,
            "n" or "no" or "false" or "off" => false,
            // A word that means nothing is no answer either way, as if none had been written.
            _ when never.Any(selector => Selects(selector, labels)) => false,
            _ when always.Any(selector => Selects(selector, labels)) => true,
            _ => policy == "enabled",
        };
    }

    // A selector without terms selects nothing here.
    private static bool Selects(JsonObject selector, IReadOnlyDictionary<string, string> labels)
    {
        if (selector.Words("matchLabels") is { Count: 0 } && !selector.Each("matchExpressions").Any()) return false;
        return selector.Words("matchLabels").All(term => labels.TryGetValue(term.Key, out var value) && value == term.Value) && selector.Each("matchExpressions").All(term => Holds(term, labels));
    }

    private static bool Holds(JsonObject term, IReadOnlyDictionary<string, string> labels)
    {
        var isThere = labels.TryGetValue(term.Word("key") ?? "", out var value);
        var isListed = isThere && (term["values"] as JsonArray ?? []).Any(listed => listed?.ToString() == value);
        return term.Word("operator") switch
        {
            "In" => isListed,
            "NotIn" => !isListed,
            "Exists" => isThere,
            "DoesNotExist" => !isThere,
            _ => false,
        };
    }
}
