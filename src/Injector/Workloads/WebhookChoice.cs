using System.Text.Json.Nodes;
using Lateen.Injector.Trees;

namespace Lateen.Injector.Workloads;

/// <summary>Whether an API server asks a webhook to inject a pod, and why: by labels of the pod and of its namespace. The webhook may still
/// refuse.</summary>
/// <param name="Webhook">Name of the configuration.</param>
/// <param name="Revision">Revision of its control plane.</param>
/// <param name="IsAsked">It is asked.</param>
/// <param name="Reason">Why, or why not.</param>
public sealed record WebhookChoice(string Webhook, string Revision, bool IsAsked, string Reason)
{
    private const string Enabled = "istio-injection";
    private const string RevisionLabel = "istio.io/rev";
    private const string Inject = "sidecar.istio.io/inject";
    private const string Never = "istio.io/deactivated";

    /// <summary>For one configuration of webhooks.</summary>
    /// <param name="configuration">A MutatingWebhookConfiguration.</param>
    /// <param name="pod">Labels of the pod.</param>
    /// <param name="ns">Labels of its namespace.</param>
    public static WebhookChoice Of(JsonObject configuration, IReadOnlyDictionary<string, string> pod,
        IReadOnlyDictionary<string, string> ns)
    {
        var (name, revision) = (configuration["metadata"].Word("name") ?? "",
            configuration.Labels().GetValueOrDefault(RevisionLabel, "default"));
        var hooks = configuration.Each("webhooks").ToArray();
        WebhookChoice Chosen(bool isAsked, string reason) => new(name, revision, isAsked, reason);
        if (hooks.Length > 0 && Array.TrueForAll(hooks, hook => hook["namespaceSelector"].Words("matchLabels").ContainsKey(Never)))
            return Chosen(false, "The injection webhook is deactivated, and will never match labels.");
        if (ns.GetValueOrDefault(Enabled) == "disabled")
            return Chosen(false, $"Namespace has {Enabled}=disabled label, preventing injection");
        if (Array.Exists(hooks, hook => LabelTerms.Hold(hook["namespaceSelector"], ns) && LabelTerms.Hold(hook["objectSelector"], pod)))
            return Chosen(true, Matching(pod, ns, revision));
        var isDefault = revision == "default";
        // The namespace would do: it is the pod that says no.
        if (pod.GetValueOrDefault(Inject) == "false"
            && (ns.GetValueOrDefault(RevisionLabel) == revision || (isDefault && ns.GetValueOrDefault(Enabled) == "enabled")))
            return Chosen(false, $"Pod has {Inject}=false label, preventing injection");
        return Chosen(false,
            $"No matching namespace labels ({RevisionLabel}={revision}{(isDefault ? $", {Enabled}=enabled" : "")}) or pod labels "
            + $"({RevisionLabel}={revision}{(isDefault ? $", {Inject}=true" : "")})");
    }

    private static string Matching(IReadOnlyDictionary<string, string> pod, IReadOnlyDictionary<string, string> ns, string revision)
    {
        string? Said(IReadOnlyDictionary<string, string> labels, params ReadOnlySpan<(string Name, string Value)> wanted)
        {
            foreach (var (name, value) in wanted)
            {
                if (labels.GetValueOrDefault(name) == value) return $"{name}={value}";
            }
            return null;
        }
        var ofNamespace = Said(ns, (Enabled, "enabled"), (RevisionLabel, revision));
        // Where the namespace tells the revision by the older label, a pod's own revision is not looked at.
        var ofPod = ns.ContainsKey(Enabled) ? Said(pod, (Inject, "true")) : Said(pod, (Inject, "true"), (RevisionLabel, revision));
        return (ofNamespace, ofPod) switch
        {
            ({ } first, { } second) => $"Namespace label {first} matches, and pod label {second} matches",
            ({ } first, null) => $"Namespace label {first} matches",
            (null, { } second) => $"Pod label {second} matches",
            _ => "The webhook matches all pods",
        };
    }
}
