// A mistake in configuration is a value that accumulates, never an exception: a file with nine mistakes tells nine, in one run, each with
// its place, its reason and what to do. Codes are stable: a user may search for them, suppress them and script against them, so a code is
// never given to another meaning, and its text may change while it stays. docs/codes has the list.
//
// The bag belongs to whoever reads or checks one change; it is not shared between threads. Failures of peers and networks are not told
// here (see Failure), and neither are our own bugs (InvariantException).
// Refused: an exception per mistake (the first hides the rest), and bare strings (nobody can act on them by program).
namespace Lateen.Api.Diagnostics;

/// <summary>How bad a <see cref="Diagnostic"/> is. An error keeps the object out; a warning lets it in.</summary>
public enum DiagnosticLevel
{
    Info,
    Warning,
    Error,
}

/// <summary>A stable code with the title that docs/codes lists and the advice that every diagnostic of the code carries unless it has
/// better.</summary>
/// <param name="Id">Like <c>LTN1010</c>.</param>
/// <param name="Level">The usual level; one diagnostic may differ.</param>
/// <param name="Title">What the code means, in one line.</param>
/// <param name="Remedy">What to do, in one line.</param>
public sealed record DiagnosticCode(string Id, DiagnosticLevel Level, string Title, string Remedy);

/// <summary>A place in a text. Lines and columns count from 1; 0 means that it is not known.</summary>
public readonly record struct SourcePosition(string? File, int Line, int Column)
{
    public static SourcePosition None => default;

    public bool IsKnown => Line > 0 || !string.IsNullOrEmpty(File);

    public override string ToString() => (File, Line) switch
    {
        (null or "", 0) => "",
        (null or "", _) => $"{Line}:{Column}",
        (_, 0) => File,
        _ => $"{File}:{Line}:{Column}",
    };
}

/// <summary>One finding about what the user wrote.</summary>
public sealed record Diagnostic
{
    public required DiagnosticCode Code { get; init; }

    public required DiagnosticLevel Level { get; init; }

    /// <summary>What is wrong and why, for a person; starts in lower case, has no full stop.</summary>
    public required string Text { get; init; }

    /// <summary>The object concerned, like <c>VirtualService bookinfo/reviews</c>; empty when none is known yet.</summary>
    public string Resource { get; init; } = "";

    public SourcePosition Position { get; init; }

    /// <summary>The path inside the object, like <c>spec.http[3].match[0].uri</c>; empty for the whole.</summary>
    public string Path { get; init; } = "";

    /// <summary>What to do; the code's advice unless this finding has better.</summary>
    public string Remedy { get; init; } = "";

    public bool IsError => Level == DiagnosticLevel.Error;

    /// <summary>One line: place, level, code, path, text, advice.</summary>
    public override string ToString()
    {
        var place = Position.IsKnown ? Position + ": " : "";
        var subject = Resource.Length > 0 ? $" [{Resource}]" : "";
        var path = Path.Length > 0 ? Path + ": " : "";
        var advice = Remedy.Length > 0 ? $" ({Remedy})" : "";
        return $"{place}{Level.ToString().ToLowerInvariant()} {Code.Id}{subject} {path}{Text}{advice}";
    }
}
