using Lateen.Api.Diagnostics;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Lateen.Api.Documents;

/// <summary>One YAML document to nodes, from the parser's events: anchors, aliases and merge keys are resolved, and bounded by their
/// expansion.</summary>
internal sealed class YamlNodes
{
    private readonly record struct Anchored(Node Node, long Weight);

    private readonly string _file;
    private readonly int _lineOffset;
    private readonly DiagnosticBag _diagnostics;
    private readonly DocumentLimits _limits;
    private readonly Parser _parser;
    private readonly Dictionary<string, Anchored> _anchors = [];
    private long _nodes;

    private YamlNodes(string text, string file, int firstLine, DiagnosticBag diagnostics, DocumentLimits limits)
    {
        (_file, _lineOffset, _diagnostics, _limits) = (file, firstLine - 1, diagnostics, limits);
        _parser = new Parser(new Scanner(new StringReader(text), skipComments: true));
    }

    public static Node? Parse(string text, string file, int firstLine, DiagnosticBag diagnostics, DocumentLimits limits)
    {
        if (string.IsNullOrWhiteSpace(text)) return null;
        var nodes = new YamlNodes(text, file, firstLine, diagnostics, limits);
        try
        {
            return nodes.Document();
        }
        catch (YamlException e)
        {
            // The parser's message repeats the place; only its reason is wanted.
            nodes.Add(DocumentCodes.Syntax, e.Start, "not YAML: " + (e.InnerException?.Message ?? e.Message).TrimEnd('.'));
            return null;
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or IndexOutOfRangeException or FormatException
            or OverflowException)
        {
            // The scanner lets some of these out for malformed escapes and directives.
            nodes.Add(DocumentCodes.Syntax, Mark.Empty, "not YAML: " + e.Message);
            return null;
        }
    }

    private Node? Document()
    {
        _parser.Consume<StreamStart>();
        if (!_parser.TryConsume<DocumentStart>(out _)) return null;
        var root = Value(0, out _);
        if (root is not null && _parser.TryConsume<DocumentEnd>(out _) && !_parser.Accept<StreamEnd>(out _))
        {
            Add(DocumentCodes.Syntax, _parser.Current!.Start, "something follows the end of the document");
            return null;
        }

        return root is ScalarNode { Kind: ScalarKind.Null } ? null : root;
    }

    /// <summary>The next node, or null once a bound was crossed. <paramref name="weight"/> is its number of nodes with aliases
    /// expanded.</summary>
    private Node? Value(int depth, out long weight)
    {
        weight = 1;
        if (depth > _limits.DepthMax || ++_nodes > _limits.NodesMax)
        {
            var mark = _parser.Current?.Start ?? Mark.Empty;
            Add(DocumentCodes.TooLarge, mark,
                depth > _limits.DepthMax ? $"nested deeper than {_limits.DepthMax}" : $"more than {_limits.NodesMax} nodes");
            return null;
        }

        if (_parser.TryConsume<Scalar>(out var scalar)) return Remember(scalar.Anchor, ScalarOf(scalar), 1);
        if (_parser.TryConsume<AnchorAlias>(out var alias)) return Alias(alias, out weight);
        if (_parser.TryConsume<SequenceStart>(out var sequence))
            return Remember(sequence.Anchor, Sequence(sequence, depth, ref weight), weight);
        var mapping = _parser.Consume<MappingStart>();
        return Remember(mapping.Anchor, Mapping(mapping, depth, ref weight), weight);
    }

    private ScalarNode ScalarOf(Scalar scalar)
    {
        var isPlain = scalar.Style == ScalarStyle.Plain;
        var kind = (isPlain, scalar.Tag.IsEmpty ? "" : scalar.Tag.Value) switch
        {
            (_, "tag:yaml.org,2002:str" or "!") => ScalarKind.Text,
            (true, _) => YamlScalars.Resolve(scalar.Value),
            _ => ScalarKind.Text,
        };
        return new ScalarNode(YamlScalars.Normalize(scalar.Value, kind), kind, Line(scalar.Start), (int)scalar.Start.Column);
    }

    private Node? Alias(AnchorAlias alias, out long weight)
    {
        weight = 1;
        if (!_anchors.TryGetValue(alias.Value.Value, out var anchored))
        {
            Add(DocumentCodes.Syntax, alias.Start, $"the alias *{alias.Value.Value} has no anchor before it");
            return null;
        }

        weight = anchored.Weight;
        if ((_nodes += weight) > _limits.NodesMax)
        {
            Add(DocumentCodes.TooLarge, alias.Start, $"more than {_limits.NodesMax} nodes once aliases are expanded");
            return null;
        }

        return anchored.Node;
    }

    private SequenceNode? Sequence(SequenceStart start, int depth, ref long weight)
    {
        var items = new List<Node>();
        while (!_parser.TryConsume<SequenceEnd>(out _))
        {
            if (Value(depth + 1, out var itemWeight) is not { } item) return null;
            weight += itemWeight;
            items.Add(item);
        }

        return new SequenceNode(items, Line(start.Start), (int)start.Start.Column);
    }

    private MappingNode? Mapping(MappingStart start, int depth, ref long weight)
    {
        var members = new List<NodeMember>();
        var seen = new HashSet<string>();
        var merges = new List<Node>();
        while (!_parser.TryConsume<MappingEnd>(out _))
        {
            var isPlain = _parser.Accept<Scalar>(out var name) && name.Style == ScalarStyle.Plain;
            if (Value(depth + 1, out _) is not { } key || Value(depth + 1, out var valueWeight) is not { } value) return null;
            weight += valueWeight + 1;
            if (key is not ScalarNode scalar)
            {
                Add(DocumentCodes.Syntax, key, "a key must be a text");
                return null;
            }

            if (isPlain && scalar.Value == "<<") merges.Add(value);
            else if (seen.Add(scalar.Value)) members.Add(new NodeMember(scalar.Value, value, key.Line, key.Column));
            else _diagnostics.Add(DocumentCodes.DuplicateKey, new SourcePosition(_file, key.Line, key.Column), scalar.Value,
                $"the key \"{scalar.Value}\" occurs twice");
        }

        foreach (var merge in merges) Merge(merge, members, seen);
        return new MappingNode(members, Line(start.Start), (int)start.Start.Column);
    }

    /// <summary>The merge key of YAML 1.1: what is written in the object itself wins over what is merged, the earlier merge over the
    /// later.</summary>
    private void Merge(Node merge, List<NodeMember> members, HashSet<string> seen)
    {
        var sources = merge is SequenceNode list ? list.Items : [merge];
        foreach (var source in sources)
        {
            if (source is not MappingNode mapping)
            {
                Add(DocumentCodes.Syntax, source, "<< needs an object or a list of objects");
                continue;
            }

            foreach (var member in mapping.Members)
            {
                if (seen.Add(member.Name)) members.Add(member);
            }
        }
    }

    private Node? Remember(AnchorName anchor, Node? node, long weight)
    {
        if (node is not null && !anchor.IsEmpty) _anchors[anchor.Value] = new Anchored(node, weight);
        return node;
    }

    private int Line(Mark mark) => (int)mark.Line + _lineOffset;

    private void Add(DiagnosticCode code, Mark mark, string text) =>
        _diagnostics.Add(code, new SourcePosition(_file, Math.Max(1, Line(mark)), (int)mark.Column), "", text);

    private void Add(DiagnosticCode code, Node node, string text) =>
        _diagnostics.Add(code, new SourcePosition(_file, node.Line, node.Column), "", text);
}
