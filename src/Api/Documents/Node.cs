namespace Lateen.Api.Documents;

/// <summary>What a plain scalar means.</summary>
public enum ScalarKind
{
    Null,
    Boolean,
    Integer,
    Float,
    Text,
}

/// <summary>A part of a document with its place. Lines and columns count from 1; 0 means that the node was not read from a text.</summary>
public abstract class Node(int line, int column)
{
    public int Line { get; } = line;

    public int Column { get; } = column;

    /// <summary>What the node is, for a message to the user.</summary>
    public abstract string Describe();

    public bool IsNull => this is ScalarNode { Kind: ScalarKind.Null };
}

/// <summary>A text, number, truth value or null.</summary>
public sealed class ScalarNode(string value, ScalarKind kind, int line, int column) : Node(line, column)
{
    /// <summary>The text as written, without quotes and escapes.</summary>
    public string Value { get; } = value;

    public ScalarKind Kind { get; } = kind;

    public override string Describe() => Kind switch
    {
        ScalarKind.Null => "null",
        ScalarKind.Text => Value.Length > 40 ? "a text" : $"the text \"{Value}\"",
        ScalarKind.Boolean => $"the truth value {Value}",
        _ => $"the number {Value}",
    };
}

/// <summary>A list.</summary>
public sealed class SequenceNode(IReadOnlyList<Node> items, int line, int column) : Node(line, column)
{
    public IReadOnlyList<Node> Items { get; } = items;

    public override string Describe() => "a list";
}

/// <summary>A key with its place, and its value.</summary>
public readonly record struct NodeMember(string Name, Node Value, int Line, int Column);

/// <summary>Names and values, in the order written. No name occurs twice.</summary>
public sealed class MappingNode(IReadOnlyList<NodeMember> members, int line, int column) : Node(line, column)
{
    public IReadOnlyList<NodeMember> Members { get; } = members;

    public override string Describe() => "an object";

    /// <summary>The value under the name, or null when there is none.</summary>
    public Node? this[string name]
    {
        get
        {
            foreach (var member in Members)
            {
                if (member.Name == name) return member.Value;
            }

            return null;
        }
    }

    /// <summary>The text under the name, or null when there is none or when it is no text.</summary>
    public string? Text(string name) => this[name] is ScalarNode { Kind: ScalarKind.Text } scalar ? scalar.Value : null;
}
