using System.Collections;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Diagnostics;

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

/// <summary>Turns a node into a message by the message's descriptor, with the rules of proto-JSON, telling every mistake with its place and path.</summary>
/// <remarks>
/// More lenient than proto-JSON where Istio and Kubernetes are: durations in Go's form, and IntOrString and Quantity of Kubernetes as their
/// plain values. A mistake leaves its field unset and reading goes on. An instance is for one document and one thread.
/// </remarks>
public sealed class MessageReader(string file, DiagnosticBag diagnostics, UnknownFields unknownFields = UnknownFields.Error)
{
    private readonly record struct Segment(string? Name, int Index);

    private readonly Stack<Segment> _path = new();
    private int _depth;

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

    /// <summary>Fills the message.</summary>
    public void ReadInto(Node? node, IMessage message, string path = "")
    {
        if (path.Length > 0)
        {
            _path.Push(new Segment(path, 0));
        }

        if (node is { IsNull: false })
        {
            Fill(node, message);
        }

        _path.Clear();
    }

    private void Fill(Node node, IMessage message)
    {
        // Well-known types may nest without bound (Struct in Struct, Any in Any); the tree's own bound is checked once more for trees not read from a text.
        if (_depth >= DocumentLimits.Default.DepthMax * 2)
        {
            Add(DocumentCodes.TooLarge, node, "nested too deep");
            return;
        }

        _depth++;
        if (!WellKnownReader.TryFill(this, node, message))
        {
            if (node is MappingNode mapping)
            {
                FillFields(mapping, message, skip: null);
            }
            else
            {
                Add(DocumentCodes.WrongType, node, $"expected an object ({message.Descriptor.Name}), found {node.Describe()}");
            }
        }

        _depth--;
    }

    internal void FillFields(MappingNode mapping, IMessage message, string? skip)
    {
        var given = new HashSet<int>();
        foreach (var member in mapping.Members)
        {
            if (member.Name == skip)
            {
                continue;
            }

            _path.Push(new Segment(member.Name, 0));
            if (message.Descriptor.FindFieldByJsonOrOriginalName(member.Name) is not { } field)
            {
                Unknown(member, message.Descriptor);
            }
            else if (!given.Add(field.FieldNumber))
            {
                Add(DocumentCodes.FieldTwice, member.Value, $"the field is also given as \"{(member.Name == field.JsonName ? field.Name : field.JsonName)}\"");
            }
            else if (!member.Value.IsNull || TakesNull(field))
            {
                Field(member, field, message);
            }

            _path.Pop();
        }
    }

    private static bool TakesNull(FieldDescriptor field) =>
        !field.IsRepeated && field.FieldType == FieldType.Message && field.MessageType.FullName == Value.Descriptor.FullName;

    private void Field(NodeMember member, FieldDescriptor field, IMessage message)
    {
        if (field.RealContainingOneof is { } oneof && oneof.Accessor.GetCaseFieldDescriptor(message) is { } other)
        {
            Add(DocumentCodes.OneofTwice, member.Value, $"only one of \"{other.JsonName}\" and \"{field.JsonName}\" may be set");
            return;
        }

        if (field.IsMap)
        {
            Map(member.Value, field, (IDictionary)field.Accessor.GetValue(message));
        }
        else if (field.IsRepeated)
        {
            List(member.Value, field, (IList)field.Accessor.GetValue(message));
        }
        else if (Single(member.Value, field) is { } value)
        {
            field.Accessor.SetValue(message, value);
        }
    }

    private void List(Node node, FieldDescriptor field, IList list)
    {
        if (node is not SequenceNode sequence)
        {
            Add(DocumentCodes.WrongType, node, $"expected a list, found {node.Describe()}");
            return;
        }

        for (var i = 0; i < sequence.Items.Count; i++)
        {
            _path.Push(new Segment(null, i));
            var item = sequence.Items[i];
            if (item.IsNull && !TakesNullItem(field))
            {
                Add(DocumentCodes.WrongType, item, "a list cannot hold null");
            }
            else if (Single(item, field) is { } value)
            {
                list.Add(value);
            }

            _path.Pop();
        }
    }

    private static bool TakesNullItem(FieldDescriptor field) => field.FieldType == FieldType.Message && field.MessageType.FullName == Value.Descriptor.FullName;

    private void Map(Node node, FieldDescriptor field, IDictionary map)
    {
        if (node is not MappingNode mapping)
        {
            Add(DocumentCodes.WrongType, node, $"expected an object of keys and values, found {node.Describe()}");
            return;
        }

        var keyField = field.MessageType.FindFieldByNumber(1);
        var valueField = field.MessageType.FindFieldByNumber(2);
        foreach (var member in mapping.Members)
        {
            _path.Push(new Segment(member.Name, 0));
            var keyKind = keyField.FieldType == FieldType.String ? ScalarKind.Text : ScalarKind.Integer;
            var key = Single(new ScalarNode(member.Name, keyKind, member.Line, member.Column), keyField);
            if (member.Value.IsNull && !TakesNullItem(valueField))
            {
                // Kubernetes reads a null in a map of texts as the empty text.
                if (key is not null && valueField.FieldType == FieldType.String)
                {
                    map[key] = "";
                }
                else
                {
                    Add(DocumentCodes.WrongType, member.Value, "a map cannot hold null");
                }
            }
            else if (Single(member.Value, valueField) is { } value && key is not null)
            {
                map[key] = value;
            }

            _path.Pop();
        }
    }

    private object? Single(Node node, FieldDescriptor field)
    {
        if (field.FieldType is FieldType.Message or FieldType.Group)
        {
            if (WellKnownReader.TryWrapper(this, node, field.MessageType, out var wrapped))
            {
                return wrapped;
            }

            var message = field.MessageType.Parser.ParseFrom(ByteString.Empty);
            Fill(node, message);
            return message;
        }

        if (node is not ScalarNode scalar)
        {
            Add(DocumentCodes.WrongType, node, $"expected {ScalarReader.Expected(field)}, found {node.Describe()}");
            return null;
        }

        return Scalar(scalar, field);
    }

    internal object? Scalar(ScalarNode scalar, FieldDescriptor field)
    {
        var value = ScalarReader.Read(scalar, field, out var mistake, out var text);
        if (mistake is not null)
        {
            Add(mistake, scalar, text);
        }

        return value;
    }

    internal void FillNested(Node node, IMessage message, string name)
    {
        _path.Push(new Segment(name, 0));
        Fill(node, message);
        _path.Pop();
    }

    internal void Add(DiagnosticCode code, Node node, string text, string? remedy = null) =>
        diagnostics.Add(code, new SourcePosition(file, node.Line, node.Column), Path(), text, remedy);

    private void Unknown(NodeMember member, MessageDescriptor descriptor)
    {
        if (unknownFields == UnknownFields.Ignore)
        {
            return;
        }

        var names = descriptor.Fields.InDeclarationOrder().SelectMany(f => new[] { f.JsonName, f.Name });
        diagnostics.Add(new Diagnostic
        {
            Code = DocumentCodes.UnknownField,
            Level = unknownFields == UnknownFields.Error ? DiagnosticLevel.Error : DiagnosticLevel.Warning,
            Position = new SourcePosition(file, member.Line, member.Column),
            Path = Path(),
            Text = $"{descriptor.Name} has no field \"{member.Name}\"{Suggestions.DidYouMean(member.Name, names)}",
            Remedy = DocumentCodes.UnknownField.Remedy,
        });
    }

    /// <summary><c>spec.http[0].match[1].uri</c>, built only once something is wrong.</summary>
    private string Path() => NodePath.Format(_path.Reverse().Select(s => (s.Name, s.Index)));
}
