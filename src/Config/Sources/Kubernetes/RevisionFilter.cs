using Lateen.Config.Resources;

namespace Lateen.Config.Sources.Kubernetes;

/// <summary>
/// Which configuration is this revision's. A tag is a name that stands for a revision until it is moved: an injection webhook with the
/// labels <c>istio.io/tag</c> and <c>istio.io/rev</c>. When one moves, objects labelled with it change sides, so they are kept here.
/// </summary>
internal sealed class RevisionFilter(string revision)
{
    private const string RevisionLabel = "istio.io/rev";
    private const string TagLabel = "istio.io/tag";

    private readonly Dictionary<ResourceKey, Resource> _labelled = [];
    private readonly Dictionary<ResourceKey, string> _tags = [];

    /// <summary>Whether the object counts here; it is remembered when that may change.</summary>
    public bool Takes(Resource resource)
    {
        if (!resource.Kind.IsConfiguration || revision.Length == 0 || !resource.Labels.TryGetValue(RevisionLabel, out var label))
        {
            _labelled.Remove(resource.Key);
            return true;
        }

        _labelled[resource.Key] = resource;
        return IsOurs(label);
    }

    public void Forget(ResourceKey key) => _labelled.Remove(key);

    /// <summary>Takes note of a webhook, or of its end; true when the tags of this revision are others now.</summary>
    public bool Note(ResourceKey key, Resource? webhook)
    {
        if (key.Kind != Kinds.MutatingWebhookConfiguration) return false;
        var tag = webhook?.Labels.GetValueOrDefault(RevisionLabel) == revision ? webhook.Labels.GetValueOrDefault(TagLabel) : null;
        if (_tags.GetValueOrDefault(key) == tag) return false;
        if (tag is null) _tags.Remove(key);
        else _tags[key] = tag;
        return true;
    }

    /// <summary>Every labelled object, and whether it counts now.</summary>
    public IEnumerable<(Resource Resource, bool IsOurs)> Judged() => _labelled.Values.Select(r => (r, IsOurs(r.Labels[RevisionLabel])));

    private bool IsOurs(string label) => label == revision || _tags.ContainsValue(label);
}
