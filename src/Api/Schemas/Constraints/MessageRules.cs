using System.Text;
using Google.Protobuf.Reflection;

namespace Lateen.Api.Schemas.Constraints;

/// <summary>Checks a message's bytes against the rules of its type, and of the types inside.</summary>
public sealed class MessageRules
{
    private const int DepthMax = 100;

    private readonly MessageShape _shape;
    private readonly Slot[] _slots;

    // Place plus one of the slot of a field's number, for the numbers that nearly all fields have; and of the others.
    private readonly byte[] _byNumber = new byte[128];
    private readonly Dictionary<int, int> _byLargeNumber = [];

    private readonly record struct Slot(FieldShape Field, FieldRules? Rules, string Name);

    private MessageRules(MessageShape shape)
    {
        _shape = shape;
        _slots = [.. shape.Fields.Select(f => new Slot(f, f.Rules, Pascal(f.Name)))
            .Where(s => s.Rules is not null || s.Field.Type == FieldType.Message || s.Field.Oneof >= 0)];
        for (int i = 0; i < _slots.Length; i++)
        {
            int number = _slots[i].Field.Number;
            if (number < _byNumber.Length && i < byte.MaxValue)
                _byNumber[number] = (byte)(i + 1);
            else
                _byLargeNumber[number] = i;
        }
    }

    private bool TryFind(int number, out int at)
    {
        at = (uint)number < (uint)_byNumber.Length ? _byNumber[number] - 1 : -1;
        return at >= 0 || _byLargeNumber.TryGetValue(number, out at);
    }

    /// <summary>The first rule that the message breaks, as "ClusterValidationError.Name: value length must be at least 1 characters"; null
    /// where it keeps all. Broken bytes are the parser's matter.</summary>
    /// <param name="shape">Its type.</param>
    /// <param name="message">Its bytes.</param>
    /// <param name="intoAnys">Looks into what each Any holds, too; a receiver leaves that to whoever unpacks it.</param>
    public static string? FirstViolation(MessageShape shape, ReadOnlySpan<byte> message, bool intoAnys = false) =>
        Of(shape).Check(message, 0, intoAnys);

    private static MessageRules Of(MessageShape shape) => shape.Rules ??= new MessageRules(shape);

    private string? Check(ReadOnlySpan<byte> message, int depth, bool intoAnys)
    {
        if (_slots.Length == 0 || depth > DepthMax || _shape.IsFreeOfRules)
            return null;
        Span<int> counts = _slots.Length <= 128 ? stackalloc int[_slots.Length] : new int[_slots.Length];
        counts.Clear();
        var fields = new WireFields(message);
        while (fields.Next())
        {
            if (!TryFind(fields.Number, out int at))
                continue;
            ref readonly Slot slot = ref _slots[at];
            string? wrong = fields.IsBytes ? CheckBytes(slot, fields.Bytes, depth, intoAnys)
                : (slot.Field.IsRepeated ? slot.Rules?.Items : slot.Rules)?.Check(fields.Value, slot.Field);
            if (wrong is not null)
                return Said(slot.Field.IsRepeated ? $"{slot.Name}[{counts[at]}]" : slot.Name, wrong);
            counts[at]++;
        }
        return CheckAbsent(counts);
    }

    private string Said(string field, string wrong) => $"{_shape.Name}ValidationError.{field}: {wrong}";

    private static string? CheckBytes(in Slot slot, ReadOnlySpan<byte> bytes, int depth, bool intoAnys)
    {
        FieldShape field = slot.Field;
        FieldRules? rules = field.IsRepeated ? slot.Rules?.Items : slot.Rules;
        if (field.Type is FieldType.String or FieldType.Bytes)
            return rules?.Check(bytes);
        if (field.Type != FieldType.Message)
            return rules is null ? null : CheckPacked(rules, field, bytes);
        MessageShape? inside = field.Message;
        if (inside is null || rules is { Skips: true })
            return null;
        if (field.IsMap)
            return CheckEntry(slot.Rules, inside, bytes, depth, intoAnys);
        if (inside.Form == SpecialForm.Duration)
            return rules is { IsDuration: true } ? rules.CheckDuration(bytes) : null;
        if (inside.Form == SpecialForm.Wrapper)
            return rules is null ? null : CheckWrapped(rules, inside, bytes);
        return CheckInside(inside, bytes, depth, intoAnys);
    }

    private static string? CheckInside(MessageShape inside, ReadOnlySpan<byte> bytes, int depth, bool intoAnys)
    {
        if (inside.Form == SpecialForm.Any && intoAnys)
            return CheckAny(bytes, depth);
        if (inside.Form != SpecialForm.None)
            return null;
        return Of(inside).Check(bytes, depth + 1, intoAnys) is { } cause ? $"embedded message failed validation | caused by {cause}" : null;
    }

    // Of a type that the schema does not have, nothing is known.
    private static string? CheckAny(ReadOnlySpan<byte> any, int depth)
    {
        ReadOnlySpan<byte> url = default, value = default;
        var fields = new WireFields(any);
        while (fields.Next())
        {
            if (fields.Number == 1)
                url = fields.Bytes;
            else
                value = fields.Bytes;
        }
        if (SchemaSet.Find(Encoding.UTF8.GetString(url[(url.LastIndexOf((byte)'/') + 1)..])) is not { } shape)
            return null;
        return Of(shape).Check(value, depth + 1, intoAnys: true) is { } cause
            ? $"embedded message failed validation | caused by {cause}" : null;
    }

    private static string? CheckPacked(FieldRules rules, FieldShape field, ReadOnlySpan<byte> bytes)
    {
        var items = new WireFields(bytes);
        while (field.Type is not (FieldType.Double or FieldType.Float) && items.NextPacked(out ulong item))
        {
            if (rules.Check(item, field) is { } wrong)
                return wrong;
        }
        return null;
    }

    // An UInt32Value is there with its value, or with none: then it is zero.
    private static string? CheckWrapped(FieldRules rules, MessageShape wrapper, ReadOnlySpan<byte> bytes)
    {
        FieldShape value = wrapper.Fields[0];
        var fields = new WireFields(bytes);
        bool there = fields.Next();
        return value.Type is FieldType.String or FieldType.Bytes
            ? rules.Check(there ? fields.Bytes : default) : rules.CheckAs(value.Type, there ? fields.Value : 0);
    }

    private static string? CheckEntry(FieldRules? rules, MessageShape entry, ReadOnlySpan<byte> bytes, int depth, bool intoAnys)
    {
        ReadOnlySpan<byte> key = default, value = default;
        var fields = new WireFields(bytes);
        while (fields.Next())
        {
            if (fields.Number == 1)
                key = fields.Bytes;
            else
                value = fields.Bytes;
        }
        if (rules?.Keys?.Check(key) is { } wrong)
            return wrong;
        FieldShape? held = entry.Field("value");
        if (held is { Type: FieldType.Message, Message: { } inside })
            return CheckInside(inside, value, depth, intoAnys);
        return held is { Type: FieldType.String or FieldType.Bytes } ? rules?.Items?.Check(value) : null;
    }

    // What is not on the wire: required ones, lists that are too short, texts and numbers whose zero breaks their rule.
    private string? CheckAbsent(ReadOnlySpan<int> counts)
    {
        Span<bool> chosen = stackalloc bool[_shape.Oneofs.Count];
        chosen.Clear();
        for (int i = 0; i < _slots.Length; i++)
        {
            ref readonly Slot slot = ref _slots[i];
            if (slot.Field.Oneof >= 0 && counts[i] > 0)
                chosen[slot.Field.Oneof] = true;
            // What was not chosen of a oneof owes nothing.
            if (slot.Rules is not { } rules || (slot.Field.Oneof >= 0 && counts[i] == 0))
                continue;
            string? wrong = slot.Field.IsRepeated ? CheckCount(rules, counts[i]) : counts[i] > 0 ? null
                : rules.IsRequired ? "value is required"
                : slot.Field.HasPresence ? null
                : slot.Field.Type is FieldType.String or FieldType.Bytes
                ? rules.Check(default(ReadOnlySpan<byte>)) : rules.Check(0, slot.Field);
            if (wrong is not null)
                return Said(slot.Name, wrong);
        }
        for (int i = 0; i < chosen.Length; i++)
        {
            if (!chosen[i] && _shape.Oneofs[i].IsRequired)
                return Said(Pascal(_shape.Oneofs[i].Name), "value is required");
        }
        return null;
    }

    private static string? CheckCount(FieldRules rules, int count) => (ulong)count < rules.ItemsMin
        ? $"value must contain at least {rules.ItemsMin} item(s)"
        : (ulong)count > rules.ItemsMax ? $"value must contain no more than {rules.ItemsMax} item(s)" : null;

    private static string Pascal(string name)
    {
        var text = new StringBuilder(name.Length);
        bool capital = true;
        foreach (char c in name)
        {
            if (c != '_')
                text.Append(capital ? char.ToUpperInvariant(c) : c);
            capital = c == '_';
        }
        return text.ToString();
    }
}
