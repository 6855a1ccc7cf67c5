using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Documents;
using Lateen.Proxy.Net;

namespace Lateen.Test.Fuzz.Targets;

/// <summary>Changes messages by their descriptors: what comes out is always well-formed, and mostly near to something sensible.</summary>
internal sealed class MessageMaker(Chance chance)
{
    private const int DepthMax = 4;

    private static readonly string[] Texts =
    [
        "", "a", "up", "*", "/", "a.example", "*.a.example", "10.0.0.3", "::1", "256.1.1.1", "x-a", ":path", "%REQ(X-A)%", "%", "%BOGUS%",
        "(", "[a-", ".*", "xn--a", "spiffe://cluster.local/ns/a/sa/b", "\0", "ü", "envoy.filters.http.router", "http", "none",
        new string('a', 300),
    ];

    private static readonly ulong[] Numbers = [0, 1, 2, 3, 5, 50, 99, 100, 101, 255, 1000, 1024, 4096, 65535, 65536, 65537, 1_000_000,
        int.MaxValue, uint.MaxValue, long.MaxValue, ulong.MaxValue];

    private static readonly double[] Fractions = [0, -1, 0.5, 1, 100, 1e9, 1e308, double.NaN, double.PositiveInfinity];

    private static readonly Lazy<MessageDescriptor[]> Extensions = new(() =>
    [
        .. typeof(Envoy.Config.Core.V3.Address).Assembly.GetExportedTypes()
            .Where(t => t.Namespace is { } space
                && (space.StartsWith("Envoy.Extensions.", StringComparison.Ordinal) || space.StartsWith("Istio.", StringComparison.Ordinal))
                && !t.IsNested && typeof(IMessage).IsAssignableFrom(t))
            .Select(t => t.GetProperty("Descriptor")!.GetValue(null)).OfType<MessageDescriptor>()
            .OrderBy(d => d.FullName, StringComparer.Ordinal),
    ]);

    /// <summary>Changes one place of a message, however deep.</summary>
    public void Change(IMessage message, int depth = 0)
    {
        IList<FieldDescriptor> fields = message.Descriptor.Fields.InDeclarationOrder();
        if (fields.Count == 0)
            return;
        if (message is Any any)
        {
            ChangeAny(any, depth);
            return;
        }
        // Mostly inside of what is there: the interesting places lie deep.
        FieldDescriptor[] inner = [.. fields.Where(f => Inner(message, f).Any())];
        if (inner.Length > 0 && chance.Hits(5, 6))
        {
            IMessage[] places = [.. Inner(message, inner[chance.Below((uint)inner.Length)])];
            Change(places[chance.Below((uint)places.Length)], depth + 1);
            return;
        }
        Set(message, fields[(int)chance.Below((uint)fields.Count)], depth);
    }

    private static IEnumerable<IMessage> Inner(IMessage message, FieldDescriptor field)
    {
        if (field.FieldType != FieldType.Message || field.IsMap)
            return [];
        object value = field.Accessor.GetValue(message);
        return field.IsRepeated ? ((System.Collections.IList)value).OfType<IMessage>() : value is IMessage one ? [one] : [];
    }

    private void ChangeAny(Any any, int depth)
    {
        if (chance.Hits(1, 12))
        {
            MessageDescriptor kind = Extensions.Value[chance.Below((uint)Extensions.Value.Length)];
            any.TypeUrl = MessageTypes.UrlOf(kind);
            any.Value = New(kind, depth + 1).ToByteString();
            return;
        }
        if (chance.Hits(1, 30))
        {
            byte[] bytes = any.Value.ToByteArray();
            if (bytes.Length > 0)
                bytes[chance.Below((uint)bytes.Length)] = (byte)chance.Below(256);
            any.Value = ByteString.CopyFrom(bytes);
            return;
        }
        if (MessageTypes.Unpack(any) is not { } inside)
            return;
        Change(inside, depth + 1);
        any.Value = inside.ToByteString();
    }

    private void Set(IMessage message, FieldDescriptor field, int depth)
    {
        if (field.IsMap)
        {
            ChangeMap(message, field, depth);
            return;
        }
        if (!field.IsRepeated)
        {
            if (chance.Hits(1, 5))
                field.Accessor.Clear(message);
            else
                field.Accessor.SetValue(message, Value(field, depth));
            return;
        }
        var list = (System.Collections.IList)field.Accessor.GetValue(message);
        switch (chance.Below(list.Count == 0 ? 1u : 4u))
        {
            case 0:
                list.Add(Value(field, depth));
                break;
            case 1:
                list.RemoveAt((int)chance.Below((uint)list.Count));
                break;
            case 2:
                object again = list[(int)chance.Below((uint)list.Count)]!;
                list.Add(again is IMessage one ? Copy(one) : again);
                break;
            default:
                int a = (int)chance.Below((uint)list.Count), b = (int)chance.Below((uint)list.Count);
                (list[a], list[b]) = (list[b], list[a]);
                break;
        }
    }

    private static IMessage Copy(IMessage message) => message.Descriptor.Parser.ParseFrom(message.ToByteString());

    private void ChangeMap(IMessage message, FieldDescriptor field, int depth)
    {
        var map = (System.Collections.IDictionary)field.Accessor.GetValue(message);
        object key = Value(field.MessageType.FindFieldByNumber(1), depth);
        if (map.Count > 0 && chance.Hits(1, 4))
            map.Clear();
        else
            map[key] = Value(field.MessageType.FindFieldByNumber(2), depth);
    }

    private object Value(FieldDescriptor field, int depth) => field.FieldType switch
    {
        FieldType.Bool => chance.Hits(1, 2),
        FieldType.String => Texts[chance.Below((uint)Texts.Length)],
        FieldType.Bytes => ByteString.CopyFromUtf8(Texts[chance.Below((uint)Texts.Length)]),
        FieldType.Double => Fractions[chance.Below((uint)Fractions.Length)],
        FieldType.Float => (float)Fractions[chance.Below((uint)Fractions.Length)],
        FieldType.Int32 or FieldType.SInt32 or FieldType.SFixed32 => unchecked((int)Number()),
        FieldType.Int64 or FieldType.SInt64 or FieldType.SFixed64 => unchecked((long)Number()),
        FieldType.UInt32 or FieldType.Fixed32 => unchecked((uint)Number()),
        FieldType.UInt64 or FieldType.Fixed64 => Number(),
        FieldType.Enum => System.Enum.ToObject(field.EnumType.ClrType, (int)chance.Below((uint)field.EnumType.Values.Count + 1)),
        _ => Boxed(field, depth),
    };

    // Wrappers are their values.
    private object Boxed(FieldDescriptor field, int depth)
    {
        bool wrapper = field.MessageType.File.Name == "google/protobuf/wrappers.proto" && !field.IsRepeated;
        return wrapper ? Value(field.MessageType.FindFieldByNumber(1), depth) : New(field.MessageType, depth + 1);
    }

    private ulong Number() => chance.Hits(4, 5) ? Numbers[chance.Below((uint)Numbers.Length)] : chance.NextULong();

    private IMessage New(MessageDescriptor kind, int depth)
    {
        IMessage message = kind.Parser.ParseFrom(ByteString.Empty);
        if (message is Any any && depth < DepthMax)
        {
            MessageDescriptor inside = Extensions.Value[chance.Below((uint)Extensions.Value.Length)];
            any.TypeUrl = MessageTypes.UrlOf(inside);
            any.Value = New(inside, depth + 1).ToByteString();
            return message;
        }
        IList<FieldDescriptor> fields = kind.Fields.InDeclarationOrder();
        for (uint n = depth < DepthMax && fields.Count > 0 ? chance.Below(4) : 0; n > 0; n--)
            Set(message, fields[(int)chance.Below((uint)fields.Count)], depth);
        return message;
    }
}
