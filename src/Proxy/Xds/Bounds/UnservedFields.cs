// Bounds: where what this proxy serves ends. Translators read what they serve; a field that none of them reads would be forgotten without a
// word, and be it one that says who may pass. So each message is walked once more, by its shape: a field of the tables here is refused by
// its name and path, or said to be without effect, and a field that the schema does not know is told by its number. What a field of a
// message means is the translators' matter; test/Tidy checks that every field of the messages that they read is named in a translator or in
// a table here.
// Refused: trusting each translator to name what it leaves out (every one forgets another field), and reflection over messages (descriptors
// at start).
using System.Collections.Concurrent;
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
        "envoy.config.rbac.", "envoy.extensions.filters.http.rbac.", "envoy.extensions.filters.network.rbac.",
        "envoy.extensions.filters.http.jwt_authn.",
        "envoy.extensions.filters.http.ext_authz.", "envoy.extensions.filters.network.ext_authz.",
        "envoy.extensions.transport_sockets.tls.",
    ];

    private static readonly ConcurrentDictionary<MessageShape, Dictionary<int, Slot>> Plans = new();

    private readonly record struct Slot(FieldShape Field, ServedVerdict Verdict, MessageShape? Inside);

    /// <summary>Notes what is set in a message and not served; what an Any holds is looked at when it is unpacked.</summary>
    public static void Check(MessageShape shape, ReadOnlySpan<byte> message, Rejections rejections)
    {
        // Nearly always there is nothing: paths are put together only where there is.
        if (Finds(shape, message, 0))
            Check(shape, message, "", rejections, 0);
    }

    private static bool Finds(MessageShape shape, ReadOnlySpan<byte> message, int depth)
    {
        Dictionary<int, Slot> plan = Plans.GetOrAdd(shape, PlanOf);
        var fields = new WireFields(message);
        while (fields.Next())
        {
            if (!plan.TryGetValue(fields.Number, out Slot slot) || slot.Verdict != ServedVerdict.Served
                || (slot.Inside is not null && fields.IsBytes && depth < DepthMax && Finds(slot.Inside, fields.Bytes, depth + 1)))
                return true;
        }
        return false;
    }

    private static Dictionary<int, Slot> PlanOf(MessageShape shape) =>
        shape.Fields.ToDictionary(static f => f.Number,
            f => new Slot(f, UnservedTable.Of(shape.FullName, f.Name), f.Message is { Form: SpecialForm.None } inside ? inside : null));

    private static void Check(MessageShape shape, ReadOnlySpan<byte> message, string path, Rejections rejections, int depth)
    {
        Dictionary<int, Slot> plan = Plans.GetOrAdd(shape, PlanOf);
        var fields = new WireFields(message);
        Dictionary<int, int>? items = null;
        while (fields.Next())
        {
            if (!plan.TryGetValue(fields.Number, out Slot slot))
                Unknown(shape, fields.Number, rejections);
            else if (slot.Verdict != ServedVerdict.Served)
                Tell(slot.Verdict, shape, slot.Field, fields, path, rejections);
            else if (slot.Inside is not null && fields.IsBytes && depth < DepthMax)
                Check(slot.Inside, fields.Bytes,
                    shape.IsMapEntry
                        ? path : $"{path}{slot.Field.Name}{(slot.Field.IsRepeated ? $"[{Next(ref items, slot.Field)}]" : "")}.", rejections,
                        depth + 1);
        }
    }

    private static int Next(ref Dictionary<int, int>? items, FieldShape field)
    {
        int item = (items ??= []).GetValueOrDefault(field.Number);
        items[field.Number] = item + 1;
        return item;
    }

    private static void Tell(ServedVerdict verdict, MessageShape shape, FieldShape field, in WireFields value, string path,
        Rejections rejections)
    {
        if (IsUnset(field, value))
            return;
        string why = UnservedTable.Why.TryGetValue($"{shape.FullName}.{field.Name}", out string? reason) ? $": {reason}" : "";
        if (verdict == ServedVerdict.Refused)
            rejections.Add($"{path}{field.Name} is not served{why}");
        else if (verdict == ServedVerdict.Said)
            rejections.Note($"{path}{field.Name} has no effect{why}");
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
