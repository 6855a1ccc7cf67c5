using System.Collections;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Documents;

namespace Lateen.Test.Unit.Api.Documents;

/// <summary>Messages of any type with random content, from a seed.</summary>
internal sealed class RandomMessages(int seed)
{
    private static readonly string[] Texts = ["", "a", "10s", "true", "null", "1", "- x", "a: b", "é\u2028ü", "line\nline", "\ttab",
        "quote\"'", " end ", "*", "2026-01-31", "x\n", "\n\nx", "{}", "#no", "~", "0x10", "on", "a\\b", "😀"];

    private readonly Random _random = new(seed);

    public IMessage Make(MessageDescriptor type, int depth = 0)
    {
        var message = type.Parser.ParseFrom(ByteString.Empty);
        switch (message)
        {
            case Duration duration:
                (duration.Seconds, duration.Nanos) = (_random.Next(-9999, 9999), 0);
                duration.Nanos = Math.Sign(duration.Seconds) * _random.Next(0, 999_999_999);
                return duration;
            case Timestamp timestamp:
                (timestamp.Seconds, timestamp.Nanos) = (_random.NextInt64(0, 4_000_000_000), _random.Next(0, 999_999_999));
                return timestamp;
            case Value value:
                Fill(value, depth);
                return value;
            case FieldMask mask:
                mask.Paths.Add("one_two.three");
                return mask;
            case Any any:
                var inner = Make(Kubernetes.Core.V1.ServiceSpec.Descriptor, depth + 2);
                (any.TypeUrl, any.Value) = (MessageTypes.UrlOf(inner.Descriptor), DeterministicBytes.Of(inner));
                return any;
            case Kubernetes.Meta.V1.IntOrString either:
                either.Number = _random.Next();
                return either;
        }

        foreach (var field in type.Fields.InDeclarationOrder())
        {
            var oneof = field.RealContainingOneof;
            if (_random.Next(depth + 1) == 0 && (oneof is null || oneof.Accessor.GetCaseFieldDescriptor(message) is null) && depth < 6)
                Set(message, field, depth);
        }

        return message;
    }

    private void Set(IMessage message, FieldDescriptor field, int depth)
    {
        if (field.IsMap)
        {
            var (key, value) = (field.MessageType.FindFieldByNumber(1), field.MessageType.FindFieldByNumber(2));
            for (var i = _random.Next(3); i > 0; i--)
                ((IDictionary)field.Accessor.GetValue(message))[Single(key, depth)] = Single(value, depth);
        }
        else if (field.IsRepeated)
        {
            for (var i = _random.Next(3); i > 0; i--) ((IList)field.Accessor.GetValue(message)).Add(Single(field, depth));
        }
        else field.Accessor.SetValue(message, Single(field, depth));
    }

    private object Single(FieldDescriptor field, int depth) => field.FieldType switch
    {
        FieldType.String => Texts[_random.Next(Texts.Length)],
        FieldType.Bool => _random.Next(2) == 1,
        FieldType.Bytes => ByteString.CopyFromUtf8(Texts[_random.Next(Texts.Length)]),
        FieldType.Enum => System.Enum.ToObject(field.EnumType.ClrType,
            field.EnumType.Values[_random.Next(field.EnumType.Values.Count)].Number),
        FieldType.Double => _random.Next(4) == 0 ? double.PositiveInfinity : _random.NextDouble() * 1e9,
        FieldType.Float => (float)_random.NextDouble(),
        FieldType.Int32 or FieldType.SInt32 or FieldType.SFixed32 => _random.Next(int.MinValue, int.MaxValue),
        FieldType.UInt32 or FieldType.Fixed32 => (uint)_random.NextInt64(0, uint.MaxValue),
        FieldType.UInt64 or FieldType.Fixed64 => (ulong)_random.NextInt64(),
        FieldType.Message when field.MessageType.File.Name == "google/protobuf/wrappers.proto" =>
            Single(field.MessageType.FindFieldByNumber(1), depth),
        FieldType.Message => Make(field.MessageType, depth + 1),
        _ => _random.NextInt64(long.MinValue, long.MaxValue),
    };

    private void Fill(Value value, int depth)
    {
        switch (_random.Next(depth > 4 ? 4 : 6))
        {
            case 0: value.NullValue = NullValue.NullValue; break;
            case 1: value.BoolValue = true; break;
            case 2: value.NumberValue = _random.Next(-1000, 1000) / 4.0; break;
            case 3: value.StringValue = Texts[_random.Next(Texts.Length)]; break;
            case 4: value.StructValue = (Struct)Make(Struct.Descriptor, depth + 1); break;
            default: value.ListValue = (ListValue)Make(ListValue.Descriptor, depth + 1); break;
        }
    }
}
