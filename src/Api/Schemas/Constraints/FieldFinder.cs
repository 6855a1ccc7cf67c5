using System.Collections.Concurrent;

namespace Lateen.Api.Schemas.Constraints;

/// <summary>A field that a message sets.</summary>
/// <param name="Path">Where, from the message on.</param>
/// <param name="Field">The field's full name (message and field); null for one that the schema does not have.</param>
public readonly record struct FoundField(string Path, string? Field);

/// <summary>Finds some fields in the bytes of messages, at any depth, and those that the schema does not know. Anys are left to whoever unpacks them.</summary>
/// <param name="wanted">Full names: <c>envoy.config.trace.v3.ZipkinConfig.split_spans_for_request</c>.</param>
/// <param name="skips">Messages that are not entered, by the beginning of their names.</param>
public sealed class FieldFinder(IReadOnlySet<string> wanted, IReadOnlyList<string> skips)
{
    private const int DepthMax = 100, FoundMax = 32;

    private readonly ConcurrentDictionary<MessageShape, Dictionary<int, Slot>> _plans = new();

    private readonly record struct Slot(FieldShape Field, string? Wanted, bool Enters);

    /// <summary>What a message sets of them.</summary>
    public IReadOnlyList<FoundField> Find(MessageShape shape, ReadOnlySpan<byte> message)
    {
        List<FoundField>? found = null;
        Find(shape, message, "", 0, ref found);
        return (IReadOnlyList<FoundField>?)found ?? [];
    }

    private void Find(MessageShape shape, ReadOnlySpan<byte> message, string path, int depth, ref List<FoundField>? found)
    {
        Dictionary<int, Slot> plan = _plans.GetOrAdd(shape, Plan);
        var fields = new WireFields(message);
        while (fields.Next() && (found?.Count ?? 0) < FoundMax)
        {
            if (!plan.TryGetValue(fields.Number, out Slot slot))
                Note($"{path}#{fields.Number} of {shape.FullName}", null, ref found);
            else if (slot.Wanted is not null)
                Note(path + slot.Field.Name, slot.Wanted, ref found);
            else if (slot.Enters && fields.IsBytes && depth < DepthMax)
                Find(slot.Field.Message!, fields.Bytes, shape.IsMapEntry ? path : $"{path}{slot.Field.Name}.", depth + 1, ref found);
        }
    }

    private static void Note(string path, string? field, ref List<FoundField>? found)
    {
        var one = new FoundField(path, field);
        if (found?.Contains(one) != true)
            (found ??= []).Add(one);
    }

    private Dictionary<int, Slot> Plan(MessageShape shape) => shape.Fields.ToDictionary(
        static f => f.Number,
        f => new Slot(
            f,
            wanted.Contains($"{shape.FullName}.{f.Name}") ? $"{shape.FullName}.{f.Name}" : null,
            f.Message is { Form: SpecialForm.None } inside && !skips.Any(s => inside.FullName.StartsWith(s, StringComparison.Ordinal))));
}
