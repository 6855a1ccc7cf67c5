// Bounds: where what this proxy serves ends. Translators read what they serve; a field that none of them reads would be forgotten without a word, and be it one that says who may pass. So
// each message is walked once more, by its shape: a field of the tables here is refused by its name and path, or said to be without effect, and a field that the schema does not know is told
// by its number. What a field of a message means is the translators' matter; test/Tidy checks that every field of the messages that they read is named in a translator or in a table here.
// Refused: trusting each translator to name what it leaves out (every one forgets another field), and reflection over messages (descriptors at start).
using Lateen.Api.Schemas;
using Lateen.Api.Schemas.Constraints;

namespace Lateen.Proxy.Xds.Bounds;

/// <summary>Finds fields that are set and not served.</summary>
internal static class UnservedFields
{
    private const int DepthMax = 100;

    // Who may pass is decided here: what is not understood must not be let go by.
    private static readonly string[] Deciding =
    [
        "envoy.config.rbac.", "envoy.extensions.filters.http.rbac.", "envoy.extensions.filters.network.rbac.", "envoy.extensions.filters.http.jwt_authn.",
        "envoy.extensions.filters.http.ext_authz.", "envoy.extensions.filters.network.ext_authz.", "envoy.extensions.transport_sockets.tls.",
    ];

    /// <summary>Notes what is set in a message and not served; what an Any holds is looked at when it is unpacked.</summary>
    public static void Check(MessageShape shape, ReadOnlySpan<byte> message, Rejections rejections) => Check(shape, message, rejections, 0);

    private static void Check(MessageShape shape, ReadOnlySpan<byte> message, Rejections rejections, int depth)
    {
        if (depth > DepthMax || shape.Form != SpecialForm.None)
            return;
        var fields = new WireFields(message);
        Dictionary<int, int>? items = null;
        while (fields.Next())
        {
            FieldShape? field = shape.FieldAt(fields.Number);
            if (field is null)
                Unknown(shape, fields.Number, rejections);
            else if (UnservedTable.Of(shape.FullName, field.Name) is var verdict && verdict != ServedVerdict.Served)
                Tell(verdict, field, fields, rejections);
            else if (fields.IsBytes && field.Type == Google.Protobuf.Reflection.FieldType.Message && field.Message is { Form: SpecialForm.None } inside)
                Inside(field.IsRepeated ? $"{field.Name}[{Next(ref items, field)}]" : field.Name, inside, fields.Bytes, rejections, depth);
        }
    }

    private static int Next(ref Dictionary<int, int>? items, FieldShape field)
    {
        int item = (items ??= []).GetValueOrDefault(field.Number);
        items[field.Number] = item + 1;
        return item;
    }

    private static void Inside(string field, MessageShape inside, ReadOnlySpan<byte> bytes, Rejections rejections, int depth)
    {
        using Rejections.Scope scope = rejections.In(field);
        Check(inside, bytes, rejections, depth + 1);
    }

    private static void Tell(ServedVerdict verdict, FieldShape field, in WireFields value, Rejections rejections)
    {
        if (IsUnset(field, value))
            return;
        if (verdict == ServedVerdict.Refused)
            rejections.Add($"{field.Name} is not served");
        else if (verdict == ServedVerdict.Said)
            rejections.Note($"{field.Name} has no effect");
    }

    // A wrapper with its zero is the same as none, as far as these fields go.
    private static bool IsUnset(FieldShape field, in WireFields value) =>
        value.IsBytes ? value.Bytes.IsEmpty && field.Message?.Form == SpecialForm.Wrapper : value.Value == 0;

    /// <summary>Whether a message of this type decides who may pass: nothing in it may be left out.</summary>
    public static bool Decides(string type) => Array.Exists(Deciding, d => type.StartsWith(d, StringComparison.Ordinal));

    private static void Unknown(MessageShape shape, int number, Rejections rejections)
    {
        string text = $"Protobuf message (type {shape.FullName} with unknown field set {{{number}}}) has unknown fields";
        if (Decides(shape.FullName))
            rejections.Add(text);
        else
            rejections.AddUnknown(text);
    }
}

/// <summary>What happens to a field.</summary>
internal enum ServedVerdict : byte
{
    /// <summary>A translator reads it, or it needs nothing done.</summary>
    Served,

    /// <summary>Accepted, and said to have no effect.</summary>
    Said,

    /// <summary>The message is refused.</summary>
    Refused,
}
