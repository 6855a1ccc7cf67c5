using System.Collections;
using System.Globalization;
using System.Text;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Lateen.Test.Conformance.Frame;

/// <summary>Messages in protobuf's text format, as far as recordings use it: fields, messages in braces, lists in brackets, maps as
/// entries, comments.</summary>
public static class ProtoText
{
    /// <summary>Reads a message.</summary>
    /// <exception cref="FormatException">The text has another form, or names a field that the message has not.</exception>
    public static T Parse<T>(string text) where T : IMessage, new()
    {
        var message = new T();
        var reader = new Reader(text);
        reader.Fields(message, '\0');
        return message;
    }

    private sealed class Reader(string text)
    {
        private int _at;

        public void Fields(IMessage message, char end)
        {
            while (Peek() != end)
            {
                string name = Word();
                FieldDescriptor field = message.Descriptor.FindFieldByName(name)
                    ?? throw new FormatException($"{message.Descriptor.Name} has no field {name}");
                Take(':');
                if (!Take('[')) Value(message, field);
                else while (!Take(']'))
                {
                    Value(message, field);
                    Take(',');
                }
                _ = Take(',') || Take(';');
            }
            if (end != '\0') _at++;
        }

        private void Value(IMessage message, FieldDescriptor field)
        {
            if (field.IsMap) Entry((IDictionary)field.Accessor.GetValue(message), field);
            else if (field.IsRepeated) ((IList)field.Accessor.GetValue(message)).Add(One(field, null));
            else field.Accessor.SetValue(message,
                One(field, field.FieldType == FieldType.Message ? field.Accessor.GetValue(message) as IMessage : null));
        }

        private void Entry(IDictionary map, FieldDescriptor field)
        {
            (object? key, object? value) = (null, null);
            _ = Take('{') || Take('<');
            while (!Take('}'))
            {
                FieldDescriptor part = field.MessageType.FindFieldByName(Word());
                Take(':');
                if (part.FieldNumber == 1) key = One(part, null);
                else value = One(part, null);
                Take(',');
            }
            map[key!] = value;
        }

        private object? One(FieldDescriptor field, IMessage? before)
        {
            if (field.FieldType == FieldType.Message)
            {
                IMessage inner = before ?? field.MessageType.Parser.ParseFrom(ByteString.Empty);
                if (!Take('{')) throw new FormatException($"{field.Name} is a message");
                Fields(inner, '}');
                // Wrappers are plain values in C#.
                return field.MessageType.File.Name == "google/protobuf/wrappers.proto"
                    ? field.MessageType.FindFieldByNumber(1).Accessor.GetValue(inner) : inner;
            }
            if (Peek() is '"' or '\'') return Quoted();
            string word = Word();
            return field.FieldType switch
            {
                FieldType.Enum => System.Enum.ToObject(field.EnumType.ClrType,
                    field.EnumType.FindValueByName(word)?.Number ?? int.Parse(word, CultureInfo.InvariantCulture)),
                FieldType.Bool => word is "true" or "1",
                FieldType.Int32 or FieldType.SInt32 or FieldType.SFixed32 => int.Parse(word, CultureInfo.InvariantCulture),
                FieldType.Int64 or FieldType.SInt64 or FieldType.SFixed64 => long.Parse(word, CultureInfo.InvariantCulture),
                FieldType.UInt32 or FieldType.Fixed32 => uint.Parse(word, CultureInfo.InvariantCulture),
                FieldType.UInt64 or FieldType.Fixed64 => ulong.Parse(word, CultureInfo.InvariantCulture),
                FieldType.Float => float.Parse(word, CultureInfo.InvariantCulture),
                FieldType.Double => double.Parse(word, CultureInfo.InvariantCulture),
                _ => throw new FormatException($"{field.Name} is to be quoted"),
            };
        }

        private char Peek()
        {
            while (_at < text.Length)
            {
                if (text[_at] == '#') _at = text.IndexOf('\n', _at) is >= 0 and var line ? line : text.Length;
                else if (char.IsWhiteSpace(text[_at])) _at++;
                else return text[_at];
            }
            return '\0';
        }

        private bool Take(char expected)
        {
            if (Peek() != expected) return false;
            _at++;
            return true;
        }

        private string Word()
        {
            Peek();
            int from = _at;
            while (_at < text.Length && (char.IsAsciiLetterOrDigit(text[_at]) || text[_at] is '_' or '-' or '.' or '+')) _at++;
            return _at > from ? text[from.._at] : throw new FormatException($"a name or value is expected at {from}");
        }

        private string Quoted()
        {
            char quote = text[_at++];
            var found = new StringBuilder();
            for (; text[_at] != quote; _at++)
            {
                if (text[_at] == '\\') _at++;
                found.Append(text[_at]);
            }
            _at++;
            return found.ToString();
        }
    }
}
