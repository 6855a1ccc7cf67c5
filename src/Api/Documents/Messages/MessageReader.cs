using Google.Protobuf;
using Google.Protobuf.Reflection;
using Lateen.Api.Diagnostics;
using Lateen.Api.Schemas;

namespace Lateen.Api.Documents;

/// <summary>What to do with a field that the message does not have.</summary>
public enum UnknownFields
{
    /// <summary>LTN1010 as an error: a misspelt field must not be dropped without a word.</summary>
    Error,

    /// <summary>LTN1010 as a warning.</summary>
    Warning,

    /// <summary>Nothing: for objects of which only a part is modelled.</summary>
    Ignore,
}

/// <summary>Turns a node into a message by the message's shape, with the rules of proto-JSON, telling every mistake with its place and
/// path.</summary>
/// <remarks>
/// More lenient than proto-JSON where Istio and Kubernetes are: durations in Go's form, and IntOrString and Quantity of Kubernetes as their
/// plain values. A mistake leaves its field unset and reading goes on. An instance is for one document and one thread.
/// </remarks>
public sealed class MessageReader(string file, DiagnosticBag diagnostics, UnknownFields unknownFields = UnknownFields.Error)
{
    private readonly record struct Segment(string? Name, int Index);

    // What the deepest tree can become: an object of a Struct is an entry, a Value and a Struct.
    private static readonly int NestingMax = DocumentLimits.Default.DepthMax * 8;

    // A reader of a thread takes what the last one has left: most texts are short, and are read by the thousand.
    [ThreadStatic]
    private static WireBuffer? _spare;

    // The library bounds nesting at 100 by itself; of what a level here may become, see NestingMax.
    private const int ShallowMax = 100 / 8;

    private readonly Stack<Segment> _path = new();
    private WireBuffer _out = null!;
    private int _depth, _deepest;

    internal WireBuffer Out => _out;

    /// <summary>Fills a new message. Look at the bag for whether it is whole.</summary>
    /// <param name="node">An object; null gives the empty message.</param>
    /// <param name="path">What stands before the paths in diagnostics, like <c>spec</c>.</param>
    public T Read<T>(Node? node, string path = "")
        where T : IMessage<T>, new()
    {
        var message = new T();
        ReadInto(node, message, path);
        return message;
    }

    /// <summary>Fills the message, which is empty: what is there already is merged with.</summary>
    public void ReadInto(Node? node, IMessage message, string path = "")
    {
        Write(node, SchemaSet.Of(message.GetType()), path);
        if (_deepest < ShallowMax) message.MergeFrom(_out.Written);
        else
        {
            using var input = CodedInputStream.CreateWithLimits(_out.ToStream(), int.MaxValue, NestingMax);
            message.MergeFrom(input);
        }

        Spare();
    }

    /// <summary>The canonical bytes of the message of that shape.</summary>
    public ByteString ReadBytes(Node? node, MessageShape shape, string path = "")
    {
        Write(node, shape, path);
        var bytes = ByteString.CopyFrom(_out.Written);
        Spare();
        return bytes;
    }

    private void Write(Node? node, MessageShape shape, string path)
    {
        (_out, _spare, _deepest) = (_spare ?? new WireBuffer(), null, 0);
        _out.Rewind(0);
        if (path.Length > 0) _path.Push(new Segment(path, 0));
        if (node is { IsNull: false }) Fill(node, shape);
        _path.Clear();
    }

    private void Spare()
    {
        if (_out.IsSmall) _spare = _out;
        _out = null!;
    }

    private void Fill(Node node, MessageShape shape)
    {
        // Well-known types may nest without bound (Struct in Struct, Any in Any); the tree's own bound is checked once more for trees not
        // read from a text.
        if (_depth >= DocumentLimits.Default.DepthMax * 4)
        {
            Add(DocumentCodes.TooLarge, node, "nested too deep");
            return;
        }

        _deepest = Math.Max(_deepest, ++_depth);
        if (shape.Form != SpecialForm.None) WellKnownReader.Fill(this, node, shape);
        else if (node is MappingNode mapping) FillFields(mapping, shape, skip: null);
        else Add(DocumentCodes.WrongType, node, $"expected an object ({shape.Name}), found {node.Describe()}");
        _depth--;
    }

    internal void FillFields(MappingNode mapping, MessageShape shape, string? skip)
    {
        var mark = _out.OpenMessage();
        var given = default(NumberSet);
        Dictionary<int, FieldShape>? chosen = null;
        foreach (var member in mapping.Members)
        {
            if (member.Name == skip) continue;
            _path.Push(new Segment(member.Name, 0));
            if (shape.Field(member.Name) is not { } field) Unknown(member, shape);
            else if (!given.Add(field.Number))
                Add(DocumentCodes.FieldTwice, member.Value,
                    $"the field is also given as \"{(member.Name == field.JsonName ? field.Name : field.JsonName)}\"");
            else if (chosen is not null && field.Oneof >= 0 && chosen.TryGetValue(field.Oneof, out var other))
            {
                Add(DocumentCodes.OneofTwice, member.Value, $"only one of \"{other.JsonName}\" and \"{field.JsonName}\" may be set");
            }
            else if ((!member.Value.IsNull || (!field.IsRepeated && TakesNull(field))) && Field(member.Value, field) && field.Oneof >= 0)
                (chosen ??= []).Add(field.Oneof, field);
            _path.Pop();
        }

        _out.CloseMessage(mark);
    }

    private static bool TakesNull(FieldShape field) => field.Message?.Form == SpecialForm.Value;

    private bool Field(Node node, FieldShape field)
    {
        if (!field.IsRepeated)
        {
            var start = _out.Length;
            if (!Single(node, field, always: field.HasPresence)) return false;
            _out.EndField(field.Number, start);
            return true;
        }

        if (field.IsMap) Map(node, field);
        else List(node, field);
        return true;
    }

    private void List(Node node, FieldShape field)
    {
        if (node is not SequenceNode sequence)
        {
            Add(DocumentCodes.WrongType, node, $"expected a list, found {node.Describe()}");
            return;
        }

        var isPacked = field.Type is not (FieldType.Message or FieldType.Group or FieldType.String or FieldType.Bytes);
        var start = _out.Length;
        if (isPacked) _out.Tag(field.Number, 2);
        var first = _out.Length;
        for (var i = 0; i < sequence.Items.Count; i++)
        {
            _path.Push(new Segment(null, i));
            Item(sequence.Items[i], field, isPacked);
            _path.Pop();
        }

        if (isPacked && _out.Length == first) _out.Rewind(start);
        else if (isPacked)
        {
            _out.PrefixLength(first);
            _out.EndField(field.Number, start);
        }
    }

    private void Item(Node item, FieldShape field, bool isPacked)
    {
        var start = _out.Length;
        if (item.IsNull && !TakesNull(field)) Add(DocumentCodes.WrongType, item, "a list cannot hold null");
        else if (isPacked) Scalar(item, field)?.Write(_out, field.Type);
        else if (Single(item, field, always: true)) _out.EndField(field.Number, start);
    }

    private void Map(Node node, FieldShape field)
    {
        if (node is not MappingNode mapping)
        {
            Add(DocumentCodes.WrongType, node, $"expected an object of keys and values, found {node.Describe()}");
            return;
        }

        foreach (var member in mapping.Members)
        {
            _path.Push(new Segment(member.Name, 0));
            Entry(member, field);
            _path.Pop();
        }
    }

    private void Entry(NodeMember member, FieldShape field)
    {
        var (keyField, valueField) = (field.Message!.Fields[0], field.Message.Fields[1]);
        var start = _out.Length;
        _out.Tag(field.Number, 2);
        var content = _out.Length;
        var kind = keyField.Type == FieldType.String ? ScalarKind.Text : ScalarKind.Integer;
        var key = Scalar(new ScalarNode(member.Name, kind, member.Line, member.Column), keyField);
        if (key is { IsDefault: false } written) written.WriteField(_out, 1, keyField.Type);
        if (member.Value.IsNull && !TakesNull(valueField))
        {
            // Kubernetes reads a null in a map of texts as the empty text.
            if (valueField.Type != FieldType.String)
            {
                Add(DocumentCodes.WrongType, member.Value, "a map cannot hold null");
                key = null;
            }
        }
        else if (!Single(member.Value, valueField, always: valueField.HasPresence)) key = null;
        if (key is not { } whole)
        {
            _out.Rewind(start);
            return;
        }

        _out.PrefixLength(content);
        _out.EndField(field.Number, start, whole.Text, (long)whole.Bits);
    }

    // A field of one value with its tag; false where nothing came of it. A value that may go without saying is written only where it must
    // be.
    private bool Single(Node node, FieldShape field, bool always)
    {
        if (field.Message is { } message) return Nested(node, field.Number, message);
        if (Scalar(node, field) is not { } value) return false;
        if (always || !value.IsDefault) value.WriteField(_out, field.Number, field.Type);
        return true;
    }

    private bool Nested(Node node, int number, MessageShape shape)
    {
        var start = _out.Length;
        _out.Tag(number, 2);
        var content = _out.Length;
        if (shape.Form == SpecialForm.Wrapper)
        {
            if (!WellKnownReader.FillWrapper(this, node, shape))
            {
                _out.Rewind(start);
                return false;
            }
        }
        else Fill(node, shape);
        _out.PrefixLength(content);
        return true;
    }

    internal ScalarValue? Scalar(Node node, FieldShape field)
    {
        if (node is not ScalarNode scalar)
        {
            Add(DocumentCodes.WrongType, node, $"expected {ScalarReader.Expected(field)}, found {node.Describe()}");
            return null;
        }

        var value = ScalarReader.Read(scalar, field, out var mistake, out var text);
        if (mistake is not null) Add(mistake, scalar, text);
        return value;
    }

    /// <summary>Writes a field of the message that is being filled, read from a part of its node.</summary>
    internal void FillNested(Node node, int number, MessageShape shape, string? name = null)
    {
        if (name is not null) _path.Push(new Segment(name, 0));
        Nested(node, number, shape);
        if (name is not null) _path.Pop();
    }

    /// <summary>Writes the content of a message that has a form of its own, read from a part of its node.</summary>
    internal void FillContent(Node node, MessageShape shape, string name)
    {
        _path.Push(new Segment(name, 0));
        Fill(node, shape);
        _path.Pop();
    }

    internal void Add(DiagnosticCode code, Node node, string text, string? remedy = null) =>
        diagnostics.Add(code, new SourcePosition(file, node.Line, node.Column), Path(), text, remedy);

    private void Unknown(NodeMember member, MessageShape shape)
    {
        if (unknownFields == UnknownFields.Ignore) return;
        var names = shape.Fields.SelectMany(f => new[] { f.JsonName, f.Name });
        diagnostics.Add(new Diagnostic
        {
            Code = DocumentCodes.UnknownField,
            Level = unknownFields == UnknownFields.Error ? DiagnosticLevel.Error : DiagnosticLevel.Warning,
            Position = new SourcePosition(file, member.Line, member.Column),
            Path = Path(),
            Text = $"{shape.Name} has no field \"{member.Name}\"{Suggestions.DidYouMean(member.Name, names)}",
            Remedy = DocumentCodes.UnknownField.Remedy,
        });
    }

    /// <summary><c>spec.http[0].match[1].uri</c>, built only once something is wrong.</summary>
    private string Path() => NodePath.Format(_path.Reverse().Select(s => (s.Name, s.Index)));
}
