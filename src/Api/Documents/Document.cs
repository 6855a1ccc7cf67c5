namespace Lateen.Api.Documents;

/// <summary>One document of a text.</summary>
/// <param name="Root">The tree; null when the document is empty.</param>
/// <param name="Text">The document as written, with its comments, without separators.</param>
/// <param name="File">Where it comes from; empty when not from a file.</param>
/// <param name="FirstLine">The line of the file at which <paramref name="Text"/> begins, from 1.</param>
public sealed record Document(Node? Root, string Text, string File, int FirstLine);
