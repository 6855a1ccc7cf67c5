using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;

namespace Lateen.Config.Resources;

/// <summary>Where a resource was written.</summary>
public sealed record ResourceOrigin
{
    /// <summary>The source of what stands in a watched folder.</summary>
    public const string FromFile = "file";

    /// <summary>The source of what was applied and is known again from its revisions.</summary>
    public const string FromJournal = "journal";

    /// <summary>The source of what an API server of Kubernetes keeps.</summary>
    public const string FromCluster = "cluster";

    /// <summary>The source of what another control plane serves.</summary>
    public const string FromStream = "stream";

    public static readonly ResourceOrigin None = new();

    /// <summary>Which source brought it, like <c>file</c> or <c>cluster</c>; empty for what was made in memory.</summary>
    public string Source { get; init; } = "";

    public string File { get; init; } = "";

    /// <summary>The line at which the object begins; 0 when it has no text.</summary>
    public int Line { get; init; }

    public int Column { get; init; }

    /// <summary>The document as written, with comments; empty when there is none.</summary>
    public string Text { get; init; } = "";

    /// <summary>The line of the file at which <see cref="Text"/> begins.</summary>
    public int TextLine { get; init; } = 1;

    /// <summary>The path of the object inside the document, like <c>items[2]</c>; empty for the whole.</summary>
    public string TextPath { get; init; } = "";

    public SourcePosition Position => new(File, Line, Column);

    /// <summary>The place of a path of the object, like <c>spec.http[3]</c>; of the deepest part that is written. Reads the text again: for
    /// diagnostics and explanations.</summary>
    public SourcePosition PositionOf(string path)
    {
        if (Text.Length == 0 || DocumentReader.ReadSingle(Text, File, []) is not { } root) return Position;
        var whole = TextPath.Length > 0 && path.Length > 0 ? $"{TextPath}.{path}" : TextPath + path;
        var (line, column) = NodePath.Locate(root, whole);
        return new SourcePosition(File, line + TextLine - 1, column);
    }
}
