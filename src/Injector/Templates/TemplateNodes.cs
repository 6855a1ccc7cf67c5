namespace Lateen.Injector.Templates;

/// <summary>A part of a template.</summary>
internal abstract record TemplateNode(int Line);

/// <summary>Parts one after the other.</summary>
internal sealed record BlockNode(int Line, IReadOnlyList<TemplateNode> Parts) : TemplateNode(Line);

/// <summary>Text as it is.</summary>
internal sealed record TextNode(int Line, string Text) : TemplateNode(Line);

/// <summary>A pipeline whose value is printed, unless it declares or sets a variable.</summary>
internal sealed record ActionNode(int Line, PipelineNode Pipeline) : TemplateNode(Line);

/// <summary>if, with and range.</summary>
internal sealed record BranchNode(int Line, string Keyword, PipelineNode Pipeline, BlockNode Body, BlockNode? Otherwise)
    : TemplateNode(Line);

/// <summary>A call of another template.</summary>
internal sealed record CallNode(int Line, string Name, PipelineNode? Pipeline) : TemplateNode(Line);

/// <summary>break or continue.</summary>
internal sealed record JumpNode(int Line, bool IsBreak) : TemplateNode(Line);

/// <summary>Commands, each given the value of the one before as its last argument.</summary>
/// <param name="Line">Where.</param>
/// <param name="Variables">Variables that take the value.</param>
/// <param name="IsDeclaration">They are new.</param>
/// <param name="Commands">The commands.</param>
internal sealed record PipelineNode(int Line, IReadOnlyList<string> Variables, bool IsDeclaration, IReadOnlyList<CommandNode> Commands);

/// <summary>An operand, or a function with operands.</summary>
internal sealed record CommandNode(IReadOnlyList<OperandNode> Operands);

/// <summary>What a command is made of.</summary>
internal abstract record OperandNode;

/// <summary>A value as written.</summary>
internal sealed record LiteralNode(object? Value) : OperandNode;

/// <summary>A function by name.</summary>
internal sealed record FunctionNode(string Name) : OperandNode;

/// <summary>The dot, a variable or a pipeline in parentheses, and fields of it.</summary>
/// <param name="Variable">Name with its sign; null for the dot.</param>
/// <param name="Inner">What is in parentheses; null for none.</param>
/// <param name="Fields">Names of fields.</param>
internal sealed record PathNode(string? Variable, PipelineNode? Inner, IReadOnlyList<string> Fields) : OperandNode;
