using Lateen.Config.Resources;
using Lateen.Config.Store;

namespace Lateen.ControlPlane;

/// <summary>Which of several control planes beside each other is meant: revisions by their names, and tags, which stand for a revision
/// until they are moved.</summary>
public static class Revisions
{
    /// <summary>The revision that names nothing after itself.</summary>
    public const string Default = "default";

    private const string RevisionLabel = "istio.io/rev", TagLabel = "istio.io/tag", DefaultTag = "istio-revision-tag-default";

    /// <summary>A name that every revision has for itself: that of the default one as it is, others with the revision behind it.</summary>
    public static string Named(string name, string revision) => revision is "" or Default ? name : $"{name}-{revision}";

    /// <summary>Whether an object is for this revision, by its own label or, without one, by its namespace's: it may name the revision or a
    /// tag of it. What is labelled nowhere is the default revision's.</summary>
    /// <remarks>A control plane without a revision takes everything.</remarks>
    public static bool IsOf(string revision, ResourceView view, Resource resource)
    {
        if (revision.Length == 0) return true;
        string wanted = resource.Labels.GetValueOrDefault(RevisionLabel)
            ?? view.Find(Kinds.Namespace, "", resource.Namespace)?.Labels.GetValueOrDefault(RevisionLabel) ?? "";
        if (wanted.Length == 0) wanted = Default;
        return wanted == revision || view.All(Kinds.MutatingWebhookConfiguration)
            .Any(webhook => webhook.Labels.GetValueOrDefault(RevisionLabel) == revision
                && webhook.Labels.GetValueOrDefault(TagLabel) == wanted);
    }

    /// <summary>The revision that the tag `default` stands for; empty where there is no such tag.</summary>
    public static string DefaultOf(ResourceView view) =>
        view.Find(Kinds.MutatingWebhookConfiguration, "", DefaultTag)?.Labels.GetValueOrDefault(RevisionLabel) ?? "";
}
