using System.Globalization;

namespace Lateen.Injector.Templates;

/// <summary>Tokens to a tree; definitions go into a table.</summary>
internal sealed class TemplateParser(string name, string text, Dictionary<string, BlockNode> defined)
{
    private readonly IReadOnlyList<Token> _tokens = new TemplateLexer(name, text).Run();
    private int _at;

    private Token Current => _tokens[_at];

    public BlockNode Parse()
    {
        var (block, end) = Block();
        return end is null ? block : throw Mistake($"unexpected {{{{{end}}}}}");
    }

    // Up to "end" or "else" (whose word is given, with the place behind it), or the end of the text (null).
    private (BlockNode Block, string? End) Block()
    {
        var (parts, line) = (new List<TemplateNode>(), Current.Line);
        while (Current.Kind != TokenKind.End)
        {
            if (Current.Kind == TokenKind.Text)
            {
                parts.Add(new TextNode(Current.Line, Current.Text));
                _at++;
                continue;
            }
            Expect(TokenKind.Open);
            Blanks();
            if (Current is { Kind: TokenKind.Word, Text: "end" or "else" } end)
            {
                _at++;
                return (new BlockNode(line, parts), end.Text);
            }
            if (Action() is { } part) parts.Add(part);
        }
        return (new BlockNode(line, parts), null);
    }

    private TemplateNode? Action()
    {
        var word = Current;
        if (word.Kind != TokenKind.Word) return Printed();
        switch (word.Text)
        {
            case "if" or "with" or "range":
                _at++;
                return Branch(word.Text, word.Line);
            case "define" or "block":
                _at++;
                return Definition(word.Text == "block", word.Line);
            case "template":
                _at++;
                var (called, argument) = Named();
                return new CallNode(word.Line, called, argument);
            case "break" or "continue":
                _at++;
                Close();
                return new JumpNode(word.Line, word.Text == "break");
            default:
                return Printed();
        }
    }

    private ActionNode Printed()
    {
        var line = Current.Line;
        var pipeline = Pipeline();
        Close();
        return new ActionNode(line, pipeline);
    }

    private BranchNode Branch(string keyword, int line)
    {
        var pipeline = Pipeline();
        Close();
        var (body, end) = Block();
        BlockNode? otherwise = null;
        if (end == "else")
        {
            Blanks();
            // "else if" is a branch inside of the other, which shares its end.
            if (Current is { Kind: TokenKind.Word, Text: "if" or "with" } chained)
            {
                _at++;
                return new BranchNode(line, keyword, pipeline, body, new BlockNode(chained.Line, [Branch(chained.Text, chained.Line)]));
            }
            Close();
            (otherwise, end) = Block();
        }
        if (end != "end") throw Mistake($"{{{{{keyword}}}}} is not ended");
        Close();
        return new BranchNode(line, keyword, pipeline, body, otherwise);
    }

    private CallNode? Definition(bool isCalled, int line)
    {
        var (called, argument) = Named();
        var (body, end) = Block();
        if (end != "end") throw Mistake("a definition is not ended");
        Close();
        defined[called] = body;
        return isCalled ? new CallNode(line, called, argument) : null;
    }

    private (string Name, PipelineNode? Argument) Named()
    {
        Blanks();
        var called = Expect(TokenKind.Quoted).Value as string ?? "";
        Blanks();
        var argument = Current.Kind == TokenKind.Close ? null : Pipeline();
        Close();
        return (called, argument);
    }

    // ---- Pipelines

    private PipelineNode Pipeline()
    {
        Blanks();
        var line = Current.Line;
        var (variables, isDeclaration) = Variables();
        var commands = new List<CommandNode> { Command() };
        while (Current.Kind == TokenKind.Pipe)
        {
            _at++;
            commands.Add(Command());
        }
        return new PipelineNode(line, variables, isDeclaration, commands);
    }

    private (List<string> Names, bool IsDeclaration) Variables()
    {
        var (start, names) = (_at, new List<string>());
        while (Current.Kind == TokenKind.Variable)
        {
            names.Add(Current.Text);
            _at++;
            Blanks();
            if (Current.Kind is TokenKind.Declare or TokenKind.Assign)
            {
                var isDeclaration = Current.Kind == TokenKind.Declare;
                _at++;
                return (names, isDeclaration);
            }
            if (Current.Kind != TokenKind.Comma) break;
            _at++;
            Blanks();
        }
        _at = start;
        return ([], false);
    }

    private CommandNode Command()
    {
        var operands = new List<OperandNode>();
        while (true)
        {
            Blanks();
            if (Current.Kind is TokenKind.Close or TokenKind.Pipe or TokenKind.RightParen or TokenKind.End) break;
            operands.Add(Operand());
        }
        return operands.Count > 0 ? new CommandNode(operands) : throw Mistake("a command is missing");
    }

    private OperandNode Operand()
    {
        var token = Current;
        _at++;
        switch (token.Kind)
        {
            case TokenKind.Quoted or TokenKind.Number:
                return new LiteralNode(token.Value);
            case TokenKind.Dot:
                return new PathNode(null, null, []);
            case TokenKind.Field:
                return new PathNode(null, null, [token.Text[1..], .. Fields()]);
            case TokenKind.Variable:
                return new PathNode(token.Text, null, Fields());
            case TokenKind.LeftParen:
                var inner = Pipeline();
                Expect(TokenKind.RightParen);
                return new PathNode(null, inner, Fields());
            case TokenKind.Word:
                return token.Text switch { "true" => new LiteralNode(true), "false" => new LiteralNode(false),
                    "nil" => new LiteralNode(null), _ => new FunctionNode(token.Text) };
            default:
                throw Mistake($"unexpected \"{token.Text}\"");
        }
    }

    private List<string> Fields()
    {
        var fields = new List<string>();
        while (Current.Kind == TokenKind.Field)
        {
            fields.Add(Current.Text[1..]);
            _at++;
        }
        return fields;
    }

    // ---- Tokens

    private void Blanks()
    {
        while (Current.Kind == TokenKind.Space) _at++;
    }

    private void Close()
    {
        Blanks();
        Expect(TokenKind.Close);
    }

    private Token Expect(TokenKind kind)
    {
        var token = Current;
        if (token.Kind != kind) throw Mistake($"unexpected \"{token.Text}\"");
        _at++;
        return token;
    }

    private TemplateException Mistake(string what) =>
        new(string.Create(CultureInfo.InvariantCulture, $"template {name}, line {Current.Line}: {what}"));
}
