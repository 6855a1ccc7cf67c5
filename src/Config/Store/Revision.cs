using Lateen.Config.Resources;

namespace Lateen.Config.Store;

/// <summary>One object in a revision: its text before and after; null where it did not exist.</summary>
/// <param name="Key">Which object.</param>
/// <param name="Before">Its text before.</param>
/// <param name="After">Its text after.</param>
/// <param name="File">The file it was written in, as it was named; empty where none is known.</param>
/// <param name="Line">The line of that file at which <paramref name="After"/> begins.</param>
/// <param name="IsWatched">The file is one of a watched folder; otherwise it was applied.</param>
public sealed record RevisionEntry(ResourceKey Key, string? Before, string? After, string File = "", int Line = 1, bool IsWatched = false)
{
    public string Action => Before is null ? "created" : After is null ? "deleted" : "changed";
}

/// <summary>One change that was taken: who, when, why, and what.</summary>
public sealed record Revision(long Number, DateTimeOffset Time, string Author, string Reason, IReadOnlyList<RevisionEntry> Entries);
