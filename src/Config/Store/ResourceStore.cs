using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;

namespace Lateen.Config.Store;

/// <summary>Holds the current view and takes changes, one at a time. Thread-safe; readers take <see cref="Current"/> and are never
/// blocked.</summary>
/// <param name="check">Judges one object; an error keeps it out.</param>
/// <param name="time">Gives creation times and the times of revisions.</param>
/// <param name="journal">Keeps revisions; null for none.</param>
public sealed class ResourceStore(Func<Resource, IReadOnlyList<Diagnostic>> check, TimeProvider time, Journal? journal = null)
{
    private readonly Lock _writing = new();
    private volatile ResourceView _current = ResourceView.Empty;

    public ResourceView Current => _current;

    /// <summary>The journal, or null when none is kept.</summary>
    public Journal? Journal => journal;

    /// <summary>Raised once for each generation, in their order, by the thread that applies, before <see cref="Apply"/> returns. Handlers
    /// must be quick and must not apply.</summary>
    public event Action<StoreChange>? Changed;

    /// <summary>Takes the change whole or not at all; see <see cref="ChangeSet.IsObserved"/> for the one exception.</summary>
    public ApplyResult Apply(ChangeSet change)
    {
        lock (_writing)
        {
            var before = _current;
            var step = new StoreStep(before, change, check, time.GetUtcNow());
            if (step.IsRefused) return new ApplyResult(false, before, 0, step.Diagnostics, []);
            if (step.Changes.Count == 0 && step.Held.Count == 0)
            {
                _current = before.Moved(step.Moved);
                return new ApplyResult(true, _current, 0, step.Diagnostics, []);
            }

            var revision = 0L;
            // What somebody applied is kept whatever its kind; of what a source merely observes, configuration alone.
            var kept = step.Changes.Where(c => !change.IsObserved || c.Key.Kind.IsConfiguration).ToDictionary();
            if (journal is not null && kept.Count > 0)
            {
                var written = journal.Append(time.GetUtcNow(), change.Author, change.Reason, before, kept);
                if (written.Failure is { } failure) return new ApplyResult(false, before, 0, [.. step.Diagnostics, failure], []);
                revision = written.Number;
            }

            Publish(before, step);
            return new ApplyResult(true, _current, revision, step.Diagnostics, step.Changes.Keys.ToArray());
        }
    }

    /// <summary>Checks a change against the present view without taking it.</summary>
    public ApplyResult Preview(ChangeSet change)
    {
        var before = _current;
        var step = new StoreStep(before, change, check, time.GetUtcNow());
        var after = step.IsRefused ? before : before.Next(step.Changes, step.Held);
        return new ApplyResult(!step.IsRefused, after, 0, step.Diagnostics, step.Changes.Keys.ToArray());
    }

    /// <summary>Makes the objects that the journal knows the content of this store, without writing a revision. For start-up.</summary>
    public ApplyResult Restore()
    {
        if (journal is null) return new ApplyResult(true, _current, 0, [], []);
        var diagnostics = new DiagnosticBag();
        var resources = journal.StateAt(journal.LastNumber, diagnostics);
        lock (_writing)
        {
            var before = _current;
            var step = new StoreStep(before, new ChangeSet { Put = resources.Values.ToArray(), IsObserved = true }, check,
                time.GetUtcNow());
            Publish(before, step);
            return new ApplyResult(!diagnostics.HasErrors, _current, journal.LastNumber, [.. diagnostics, .. step.Diagnostics],
                step.Changes.Keys.ToArray());
        }
    }

    /// <summary>Makes configuration what it was right after the revision, as a new revision.</summary>
    public ApplyResult Rollback(long number, string author, string reason = "")
    {
        var diagnostics = new DiagnosticBag();
        if (journal is null || !journal.Has(number))
        {
            diagnostics.Add(StoreCodes.UnknownRevision, SourcePosition.None, "", $"there is no revision {number}");
            return new ApplyResult(false, _current, 0, [.. diagnostics], []);
        }

        var then = journal.StateAt(number, diagnostics);
        if (diagnostics.HasErrors) return new ApplyResult(false, _current, 0, [.. diagnostics], []);
        var now = journal.StateAt(journal.LastNumber, diagnostics);
        return Apply(new ChangeSet
        {
            Put = then.Values.ToArray(),
            Delete = now.Keys.Where(k => !then.ContainsKey(k) && _current.Find(k) is not null).ToArray(),
            Author = author,
            Reason = reason.Length > 0 ? reason : $"rollback to revision {number}",
        });
    }

    private void Publish(ResourceView before, StoreStep step)
    {
        _current = before.Moved(step.Moved).Next(step.Changes, step.Held);
        Changed?.Invoke(new StoreChange(before, _current, step.Changes.Keys.ToHashSet(), step.Held.Keys.ToHashSet()));
    }
}
