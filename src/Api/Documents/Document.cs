// One reader for what people and programs write: YAML and JSON become the same tree of nodes, each with its line and column, and one
// MessageReader turns a tree into any protobuf message by its descriptor. MessageWriter is the way back.
//
// Nothing here throws for what a text can hold. Depth, number of nodes, the expansion of aliases and the length of a text are bounded by
// DocumentLimits, so that a hostile file costs a diagnostic and no more. A tree belongs to its reader; it is immutable once handed out, so
// that an alias may share the nodes of its anchor.
//
// Refused: deserializing into objects by reflection over properties (no positions, other rules than proto-JSON), JsonParser of
// Google.Protobuf (throws at the first mistake, knows neither YAML nor positions), and a document model that keeps comments (the original
// text is kept instead, see Document).
namespace Lateen.Api.Documents;

/// <summary>One document of a text.</summary>
/// <param name="Root">The tree; null when the document is empty.</param>
/// <param name="Text">The document as written, with its comments, without separators.</param>
/// <param name="File">Where it comes from; empty when not from a file.</param>
/// <param name="FirstLine">The line of the file at which <paramref name="Text"/> begins, from 1.</param>
public sealed record Document(Node? Root, string Text, string File, int FirstLine);
