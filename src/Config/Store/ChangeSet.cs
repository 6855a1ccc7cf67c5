// The written configuration as it stands: one immutable view, and a store that makes the next view out of a change. A change of many
// objects is taken whole or not at all and is one generation, so that nobody ever sees half of it. Revisions of what people write go to a
// journal in a folder; what a cluster makes by itself (pods, endpoints) does not.
//
// The store owns the current view and the journal; a view owns nothing and may be held for ever. The store never reads files or networks
// (sources do) and never says what configuration means (Pilot does).
// Refused: a lock around a mutable dictionary (readers would see half a change), an event per object (the compiler would run per object),
// and a database (a folder of small files can be read, copied and repaired by hand).
using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;

namespace Lateen.Config.Store;

/// <summary>Objects that are to be written or deleted together.</summary>
public sealed record ChangeSet
{
    public IReadOnlyList<Resource> Put { get; init; } = [];

    public IReadOnlyList<ResourceKey> Delete { get; init; } = [];

    /// <summary>Objects of a watched source whose present form cannot even be read, and why; of the object itself there is no more than its
    /// metadata.</summary>
    public IReadOnlyList<HeldResource> Unreadable { get; init; } = [];

    /// <summary>Who asks for it, like <c>alice</c> or <c>folder ./config</c>.</summary>
    public string Author { get; init; } = "";

    /// <summary>Why, in the author's words; may be empty.</summary>
    public string Reason { get; init; } = "";

    /// <summary>
    /// It is what a watched source now says, which cannot be refused: bad objects are held out and keep their last good form, the rest is
    /// taken. Otherwise one bad object refuses the whole.
    /// </summary>
    public bool IsObserved { get; init; }

    public bool IsEmpty => Put.Count == 0 && Delete.Count == 0 && Unreadable.Count == 0;
}

/// <summary>What became of a change.</summary>
/// <param name="Accepted">Whether it was taken. A change that changes nothing is taken, too.</param>
/// <param name="View">The view after it.</param>
/// <param name="Revision">The number under which the journal keeps it; 0 when nothing was to be kept.</param>
/// <param name="Diagnostics">Everything found while checking it, also what does not keep it out.</param>
/// <param name="Changed">The keys whose object is another now.</param>
public sealed record ApplyResult(bool Accepted, ResourceView View, long Revision, IReadOnlyList<Diagnostic> Diagnostics,
    IReadOnlyCollection<ResourceKey> Changed);

/// <summary>One step from a view to the next.</summary>
/// <param name="Before">The view before.</param>
/// <param name="After">The view now.</param>
/// <param name="Keys">The keys whose object was added, replaced or deleted. Exact: objects that say the same as before are not among
/// them.</param>
/// <param name="HeldKeys">The keys that were held out by this step, or came out of it.</param>
public sealed record StoreChange(ResourceView Before, ResourceView After, IReadOnlySet<ResourceKey> Keys,
    IReadOnlySet<ResourceKey> HeldKeys)
{
    public bool Touches(ResourceKind kind) => Keys.Any(k => k.Kind == kind);
}
