using System.Text.Json;
using System.Text.RegularExpressions;

namespace Lateen.Proxy.Cel;

/// <summary>Expressions to nodes: attributes and constants are resolved here, once.</summary>
internal sealed class CelCompiler(JsonElement node)
{
    private const int NodesMax = 4096;
    private const int DepthMax = 250;

    private int _nodes, _depth;

    /// <summary>What an author should know.</summary>
    public List<string> Notes { get; } = [];

    /// <summary>Compiles.</summary>
    /// <exception cref="CelException">It uses what is not served, or is too large.</exception>
    public CelNode Compile(CelExpr expr)
    {
        if (++_nodes > NodesMax || ++_depth > DepthMax)
            throw new CelException("the expression is too large");
        CelNode made = expr switch
        {
            CelConstant constant => new ConstantNode(constant),
            CelIdent ident => Ident(ident.Name),
            CelSelect select => Select(select),
            CelList list => new ListNode([.. list.Elements.Select(Compile)]),
            CelMap map => new MapNode([.. map.Entries.Select(e => Compile(e.Key))], [.. map.Entries.Select(e => Compile(e.Value))]),
            CelCall call => Call(call),
            _ => throw new InvariantException("an expression of no known form"),
        };
        _depth--;
        return made;
    }

    private CelNode Ident(string name)
    {
        if (CelAttributes.Group(name) is not { } group)
        {
            Notes.Add($"{name} is no attribute: what depends on it never has a value");
            return new UnknownNode();
        }
        return group == CelGroup.Metadata ? new MetadataNode() : new GroupNode(group, node);
    }

    private CelNode Select(CelSelect select)
    {
        CelNode operand = Compile(select.Operand);
        CelNode value = MemberOf(operand, select.Field);
        return select.TestOnly ? new PresentNode(operand is GroupNode ? null : operand, value) : value;
    }

    private CelNode MemberOf(CelNode operand, string field)
    {
        if (operand is not GroupNode group)
            return new FieldNode(operand, field);
        if (Member(group.Group, field, node) is { } member)
            return member;
        Notes.Add($"{group.Group.ToString().ToLowerInvariant()}.{field} is no attribute: what depends on it never has a value");
        return new UnknownNode();
    }

    /// <summary>An attribute of a group; null for no such one.</summary>
    internal static CelNode? Member(CelGroup group, string name, JsonElement node)
    {
        if (group == CelGroup.FilterState)
            return new StateNode(name);
        if (group is CelGroup.Connection or CelGroup.Upstream && CelAttributes.IsTls(name))
            return new TlsNode(name, group == CelGroup.Upstream);
        return CelAttributes.Find(group, name) switch
        {
            CelAttribute.None => null,
            CelAttribute.XdsNode => new JsonNode(node),
            var attribute => new AttributeNode(attribute),
        };
    }

    private CelNode Call(CelCall call)
    {
        CelNode[] a = [.. call.Arguments.Select(Compile)];
        return (call.Function, a.Length) switch
        {
            ("_&&_", 2) => new LogicNode(a[0], a[1], and: true),
            ("_||_", 2) => new LogicNode(a[0], a[1], and: false),
            ("!_", 1) => new NotNode(a[0]),
            ("-_", 1) => new NegateNode(a[0]),
            ("_?_:_", 3) => new ConditionNode(a[0], a[1], a[2]),
            ("_==_" or "_!=_", 2) => new EqualNode(a[0], a[1], call.Function == "_==_"),
            ("_<_" or "_<=_" or "_>_" or "_>=_", 2) => new OrderNode(a[0], a[1], call.Function),
            ("_+_" or "_-_" or "_*_" or "_/_" or "_%_", 2) => new ArithmeticNode(a[0], a[1], call.Function[1]),
            ("@in" or "_in_" or "in", 2) => In(a[0], a[1]),
            ("_[_]", 2) => a[1] is ConstantNode { Constant: { Kind: CelKind.String } key }
                ? MemberOf(a[0], System.Text.Encoding.UTF8.GetString(key.Bytes)) : new IndexNode(a[0], a[1]),
            ("contains" or "startsWith" or "endsWith", 2) => new TextTestNode(a[0], a[1], call.Function),
            ("matches", 2) => new RegexNode(a[0], Pattern(a[1], "matches"), null),
            ("size", 1) => new SizeNode(a[0]),
            ("int" or "uint" or "double" or "string" or "bytes" or "bool", 1) => new ConvertNode(a[0], call.Function),
            ("duration" or "timestamp", 1) => Time(a[0], call.Function),
            ("dyn", 1) => a[0],
            (_, 1) when TimePartNode.Functions.Contains(call.Function) => new TimePartNode(a[0], call.Function),
            _ => Regular(call, a)
                ?? throw new CelException($"function {call.Function} with {a.Length} arguments is not served{Hint(call.Function)}"),
        };
    }

    // re.extract(text, pattern, rewrite), re.capture(text, pattern): a method of a name that is no value.
    private static RegexNode? Regular(CelCall call, CelNode[] a) =>
        (call.Function, call.Arguments.Count > 0 ? call.Arguments[0] : null, a.Length) switch
        {
            ("extract", CelIdent { Name: "re" }, 4) => new RegexNode(a[1], Pattern(a[2], "re.extract"), Literal(a[3], "re.extract")),
            ("re.extract", _, 3) => new RegexNode(a[0], Pattern(a[1], "re.extract"), Literal(a[2], "re.extract")),
            ("capture", CelIdent { Name: "re" }, 3) => new RegexNode(a[1], Pattern(a[2], "re.capture"), "\\1"),
            ("re.capture", _, 2) => new RegexNode(a[0], Pattern(a[1], "re.capture"), "\\1"),
            _ => null,
        };

    private static string Hint(string function) =>
        function is "all" or "exists" or "exists_one" or "map" or "filter" ? " (comprehensions are off, as in Envoy)" : "";

    private static CelNode In(CelNode item, CelNode of)
    {
        if (of is ListNode list && Array.TrueForAll(list.Elements, static e => e is ConstantNode { Constant.Kind: CelKind.String }))
            return new OneOfNode(item, [.. list.Elements.Select(static e => ((ConstantNode)e).Constant.Bytes)]);
        return new InNode(item, of);
    }

    private static CelNode Time(CelNode operand, string function)
    {
        if (operand is not ConstantNode { Constant: { Kind: CelKind.String } text })
            return new ConvertNode(operand, function);
        if (!(function == "duration" ? CelTimes.TryDuration(text.Bytes, out long nanos) : CelTimes.TryTimestamp(text.Bytes, out nanos)))
            throw new CelException($"{function}('{System.Text.Encoding.UTF8.GetString(text.Bytes)}') is none");
        return new ConstantNode(new CelConstant(function == "duration" ? CelKind.Duration : CelKind.Timestamp, nanos, []));
    }

    private static string Literal(CelNode argument, string function) => argument is ConstantNode { Constant: { Kind: CelKind.String } text }
        ? System.Text.Encoding.UTF8.GetString(text.Bytes) : throw new CelException($"{function} wants a constant pattern");

    private static Regex Pattern(CelNode argument, string function)
    {
        string pattern = Literal(argument, function);
        try
        {
            return new Regex(pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw new CelException($"{function}: invalid pattern '{pattern}': {e.Message}");
        }
    }
}
