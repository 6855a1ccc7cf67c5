using System.Globalization;
using System.Text;

namespace Lateen.Injector.Templates;

/// <summary>One rendering: the text made so far and the variables in sight.</summary>
internal sealed class TemplateRendering(string name, IReadOnlyDictionary<string, BlockNode> defined,
    IReadOnlyDictionary<string, TemplateFunction> functions)
{
    private const int DepthMax = 100;
    private const int CharsMax = 16 * 1024 * 1024;

    private readonly StringBuilder _out = new();
    private readonly List<(string Name, object? Value)> _variables = [];
    private int _depth;

    private enum Flow
    {
        On,
        Break,
        Continue,
    }

    public string Run(object? context)
    {
        _variables.Add(("$", context));
        Block(defined[""], context);
        return _out.ToString();
    }

    private Flow Block(BlockNode block, object? dot)
    {
        foreach (var part in block.Parts)
        {
            if (Part(part, dot) is var flow and not Flow.On) return flow;
        }
        return Flow.On;
    }

    private Flow Part(TemplateNode part, object? dot)
    {
        try
        {
            return Unguarded(part, dot);
        }
        catch (TemplateException failure) when (!failure.Message.StartsWith("template ", StringComparison.Ordinal))
        {
            throw new TemplateException(
                string.Create(CultureInfo.InvariantCulture, $"template {name}, line {part.Line}: {failure.Message}"), failure);
        }
    }

    private Flow Unguarded(TemplateNode part, object? dot)
    {
        switch (part)
        {
            case TextNode text:
                Print(text.Text);
                return Flow.On;
            case ActionNode action:
                var value = Pipeline(action.Pipeline, dot);
                if (action.Pipeline.Variables.Count == 0) Print(TemplateValues.Print(value));
                return Flow.On;
            case BranchNode { Keyword: "range" } range:
                return Range(range, dot);
            case BranchNode branch:
                return Branch(branch, dot);
            case CallNode call:
                Call(call, dot);
                return Flow.On;
            default:
                return ((JumpNode)part).IsBreak ? Flow.Break : Flow.Continue;
        }
    }

    private void Print(string text)
    {
        if (_out.Length + text.Length > CharsMax) throw new TemplateException("the result is too long");
        _out.Append(text);
    }

    private Flow Branch(BranchNode branch, object? dot)
    {
        var mark = _variables.Count;
        var value = Pipeline(branch.Pipeline, dot);
        var flow = Flow.On;
        if (TemplateValues.IsTrue(value)) flow = Block(branch.Body, branch.Keyword == "with" ? value : dot);
        else if (branch.Otherwise is { } otherwise) flow = Block(otherwise, dot);
        Forget(mark);
        return flow;
    }

    private Flow Range(BranchNode range, object? dot)
    {
        var mark = _variables.Count;
        var value = Evaluate(range.Pipeline, dot);
        var (any, flow) = (false, Flow.On);
        foreach (var (key, item) in Items(value))
        {
            any = true;
            var inner = _variables.Count;
            if (range.Pipeline.Variables is [var only]) Set(only, item, range.Pipeline.IsDeclaration);
            if (range.Pipeline.Variables is [var first, var second])
            {
                Set(first, key, range.Pipeline.IsDeclaration);
                Set(second, item, range.Pipeline.IsDeclaration);
            }
            flow = Block(range.Body, item);
            Forget(inner);
            if (flow == Flow.Break) break;
        }
        if (!any && range.Otherwise is { } otherwise) flow = Block(otherwise, dot);
        Forget(mark);
        return any ? Flow.On : flow;
    }

    private static IEnumerable<(object? Key, object? Item)> Items(object? value) => value switch
    {
        null or Absent or "" => [],
        IReadOnlyDictionary<string, object?> map => TemplateValues.Sorted(map).Select(entry => ((object?)entry.Key, entry.Value)),
        IReadOnlyList<object?> list => list.Select((item, index) => ((object?)(long)index, item)),
        long count => Enumerable.Range(0, (int)Math.Clamp(count, 0, CharsMax))
            .Select(index => ((object?)(long)index, (object?)(long)index)),
        _ => throw new TemplateException($"range can't iterate over {TemplateValues.Print(value)}"),
    };

    private void Call(CallNode call, object? dot) => Call(call.Name, call.Pipeline is null ? null : Pipeline(call.Pipeline, dot));

    // The same as a text that goes on through the pipeline: charts indent parts that way.
    private string Included(CommandNode command, object? dot, IReadOnlyList<object?> piped)
    {
        List<object?> arguments = [.. command.Operands.Skip(1).Select(operand => Operand(operand, dot)), .. piped];
        var start = _out.Length;
        Call(TemplateValues.Text(arguments.ElementAtOrDefault(0)), arguments.ElementAtOrDefault(1));
        var text = _out.ToString(start, _out.Length - start);
        _out.Length = start;
        return text;
    }

    private void Call(string called, object? argument)
    {
        if (!defined.TryGetValue(called, out var block)) throw new TemplateException($"template \"{called}\" is not defined");
        if (++_depth > DepthMax) throw new TemplateException("templates call each other too deeply");
        // What is called sees none of the caller's variables.
        (string Name, object? Value)[] hidden = [.. _variables];
        _variables.Clear();
        _variables.Add(("$", argument));
        Block(block, argument);
        _variables.Clear();
        _variables.AddRange(hidden);
        _depth--;
    }

    // ---- Values

    private object? Pipeline(PipelineNode pipeline, object? dot)
    {
        var value = Evaluate(pipeline, dot);
        foreach (var variable in pipeline.Variables) Set(variable, value, pipeline.IsDeclaration);
        return value;
    }

    private object? Evaluate(PipelineNode pipeline, object? dot)
    {
        var value = Command(pipeline.Commands[0], dot, [], out _);
        foreach (var command in pipeline.Commands.Skip(1))
        {
            value = Command(command, dot, [value is Absent ? null : value], out var isCall);
            if (!isCall) throw new TemplateException("a value is given to what is no function");
        }
        return value;
    }

    private object? Command(CommandNode command, object? dot, IReadOnlyList<object?> piped, out bool isCall)
    {
        isCall = command.Operands[0] is FunctionNode;
        if (command.Operands[0] is not FunctionNode function)
        {
            return command.Operands.Count == 1
                ? Operand(command.Operands[0], dot) : throw new TemplateException("arguments are given to what is no function");
        }
        if (function.Name == "include") return Included(command, dot, piped);
        if (function.Name is "and" or "or") return Chosen(function.Name == "or", command, dot, piped);
        if (!functions.TryGetValue(function.Name, out var called))
            throw new TemplateException($"function \"{function.Name}\" is not defined");
        List<object?> arguments = [
            .. command.Operands.Skip(1).Select(operand => Operand(operand, dot)).Select(value => value is Absent ? null : value), .. piped];
        try
        {
            return called(arguments);
        }
        catch (ArgumentOutOfRangeException)
        {
            throw new TemplateException($"function \"{function.Name}\" lacks an argument");
        }
    }

    // The first that decides; those behind it are not evaluated.
    private object? Chosen(bool whenTrue, CommandNode command, object? dot, IReadOnlyList<object?> piped)
    {
        object? value = null;
        foreach (var operand in command.Operands.Skip(1))
        {
            value = Operand(operand, dot);
            if (TemplateValues.IsTrue(value) == whenTrue) return value;
        }
        return piped.Count > 0 ? piped[0] : value;
    }

    private object? Operand(OperandNode operand, object? dot) => operand switch
    {
        LiteralNode literal => literal.Value,
        FunctionNode function => Command(new CommandNode([function]), dot, [], out _),
        PathNode path => path.Fields.Aggregate(path switch
        {
            { Inner: { } inner } => Pipeline(inner, dot),
            { Variable: { } variable } => Get(variable),
            _ => dot,
        }, Field),
        _ => throw new TemplateException("unknown operand"),
    };

    private static object? Field(object? of, string field) => of switch
    {
        null or Absent => Absent.Value,
        IReadOnlyDictionary<string, object?> map => map.TryGetValue(field, out var value) ? value : Absent.Value,
        GoObject with => with.Field(field),
        // Absent parts of objects are empty texts; so are their fields.
        "" => "",
        _ => throw new TemplateException($"{TemplateValues.Print(of)} has no field {field}"),
    };

    private object? Get(string variable)
    {
        for (var i = _variables.Count - 1; i >= 0; i--)
        {
            if (_variables[i].Name == variable) return _variables[i].Value;
        }
        throw new TemplateException($"variable {variable} is not defined");
    }

    private void Set(string variable, object? value, bool isDeclaration)
    {
        if (isDeclaration)
        {
            _variables.Add((variable, value));
            return;
        }
        for (var i = _variables.Count - 1; i >= 0; i--)
        {
            if (_variables[i].Name != variable) continue;
            _variables[i] = (variable, value);
            return;
        }
        throw new TemplateException($"variable {variable} is not defined");
    }

    private void Forget(int mark) => _variables.RemoveRange(mark, _variables.Count - mark);
}
