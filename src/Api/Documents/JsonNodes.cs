using System.Text;
using System.Text.Json;
using Lateen.Api.Diagnostics;

namespace Lateen.Api.Documents;

/// <summary>JSON text to nodes. Comments and trailing commas are refused, duplicate keys are told.</summary>
internal ref struct JsonNodes
{
    private const int FewMembers = 12;
    private readonly string _file;
    private readonly DiagnosticBag _diagnostics;
    private readonly DocumentLimits _limits;
    private readonly ReadOnlySpan<byte> _utf8;
    private Utf8JsonReader _reader;
    private int _nodes;
    private int _lineStart;
    private int _line;
    private int _scanned;

    private JsonNodes(ReadOnlySpan<byte> utf8, string file, DiagnosticBag diagnostics, DocumentLimits limits)
    {
        _utf8 = utf8;
        (_file, _diagnostics, _limits, _line) = (file, diagnostics, limits, 1);
        _reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = limits.DepthMax + 1 });
    }

    public static Node? Parse(string text, string file, DiagnosticBag diagnostics, DocumentLimits limits)
    {
        // Unpaired surrogates become U+FFFD here; a text from a file cannot hold any.
        var nodes = new JsonNodes(Encoding.UTF8.GetBytes(text), file, diagnostics, limits);
        try
        {
            nodes._reader.Read();
            var root = nodes.Value(0);
            if (root is not null && nodes._reader.Read()) nodes.Add(DocumentCodes.Syntax, "something follows the JSON value");
            return root;
        }
        catch (JsonException e)
        {
            // Depth is the one limit that the reader itself enforces; it cannot be told apart but by how deep we are.
            var place = new SourcePosition(file, (int)(e.LineNumber ?? 0) + 1, (int)(e.BytePositionInLine ?? 0) + 1);
            var isDepth = nodes._reader.CurrentDepth >= limits.DepthMax;
            diagnostics.Add(isDepth ? DocumentCodes.TooLarge : DocumentCodes.Syntax, place, "",
                isDepth ? $"nested deeper than {limits.DepthMax}" : Reason(e));
            return null;
        }
        catch (InvalidOperationException)
        {
            // A text with an escaped unpaired surrogate (\ud800) has no string value.
            nodes.Add(DocumentCodes.Syntax, "a text holds an unpaired surrogate");
            return null;
        }
    }

    private Node? Value(int depth)
    {
        if (depth > _limits.DepthMax || ++_nodes > _limits.NodesMax)
        {
            Add(DocumentCodes.TooLarge,
                depth > _limits.DepthMax ? $"nested deeper than {_limits.DepthMax}" : $"more than {_limits.NodesMax} nodes");
            return null;
        }

        var (line, column) = Place();
        return _reader.TokenType switch
        {
            JsonTokenType.StartObject => Mapping(line, column, depth),
            JsonTokenType.StartArray => Sequence(line, column, depth),
            JsonTokenType.String => new ScalarNode(_reader.GetString()!, ScalarKind.Text, line, column),
            JsonTokenType.True => new ScalarNode("true", ScalarKind.Boolean, line, column),
            JsonTokenType.False => new ScalarNode("false", ScalarKind.Boolean, line, column),
            JsonTokenType.Null => new ScalarNode("null", ScalarKind.Null, line, column),
            _ => Number(line, column),
        };
    }

    private readonly ScalarNode Number(int line, int column)
    {
        var text = Encoding.UTF8.GetString(_reader.ValueSpan);
        return new ScalarNode(text, text.AsSpan().ContainsAny(".eE") ? ScalarKind.Float : ScalarKind.Integer, line, column);
    }

    private SequenceNode? Sequence(int line, int column, int depth)
    {
        var items = new List<Node>();
        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndArray)
        {
            if (Value(depth + 1) is not { } item) return null;
            items.Add(item);
        }

        return new SequenceNode(items, line, column);
    }

    private MappingNode? Mapping(int line, int column, int depth)
    {
        var members = new List<NodeMember>();
        HashSet<string>? seen = null;
        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndObject)
        {
            var name = _reader.GetString()!;
            var (nameLine, nameColumn) = Place();
            _reader.Read();
            if (Value(depth + 1) is not { } value) return null;
            if (!IsNew(name, members, ref seen))
            {
                _diagnostics.Add(DocumentCodes.DuplicateKey, new SourcePosition(_file, nameLine, nameColumn), name,
                    $"the key \"{name}\" occurs twice");
                continue;
            }

            members.Add(new NodeMember(name, value, nameLine, nameColumn));
        }

        return new MappingNode(members, line, column);
    }

    // Most objects have a handful of members, which are looked through faster than a set is made.
    private static bool IsNew(string name, List<NodeMember> members, ref HashSet<string>? seen)
    {
        if (seen is null && members.Count < FewMembers)
        {
            foreach (var member in members)
            {
                if (member.Name == name) return false;
            }

            return true;
        }

        seen ??= [.. members.Select(static member => member.Name)];
        return seen.Add(name);
    }

    /// <summary>Line and column of the current token. Tokens come in order, so lines are counted once over the whole text.</summary>
    private (int Line, int Column) Place()
    {
        var index = (int)_reader.TokenStartIndex;
        for (; _scanned < index; _scanned++)
        {
            if (_utf8[_scanned] == (byte)'\n') (_line, _lineStart) = (_line + 1, _scanned + 1);
        }

        return (_line, index - _lineStart + 1);
    }

    private void Add(DiagnosticCode code, string text)
    {
        var (line, column) = Place();
        _diagnostics.Add(code, new SourcePosition(_file, line, column), "", text);
    }

    private static string Reason(JsonException e)
    {
        var message = e.Message;
        var place = message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        return "not JSON: " + (place > 0 ? message[..place] : message).TrimEnd('.');
    }
}
