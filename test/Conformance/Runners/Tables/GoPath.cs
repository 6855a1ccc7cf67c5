using System.Collections;
using System.Globalization;
using System.Text.Json;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Lateen.Test.Conformance.Runners.Tables;

/// <summary>Paths through messages as the recorded assertions write them: getters, fields, indexes, len().</summary>
internal static partial class GoPath
{
    /// <summary>The value of an expression; null where something on the way is missing.</summary>
    /// <param name="expression">Like <c>len(routes[0].GetMatch().GetHeaders())</c>.</param>
    /// <param name="roots">Values of its first name.</param>
    public static object? Value(string expression, IReadOnlyDictionary<string, object?> roots)
    {
        if (expression.StartsWith("len(", StringComparison.Ordinal) && expression.EndsWith(')'))
        {
            return Value(expression[4..^1], roots) is ICollection list ? list.Count : 0;
        }
        var steps = Assertion().Replace(expression.Replace("()", "", StringComparison.Ordinal), "")
            .Replace("[", ".[", StringComparison.Ordinal).Split('.');
        var current = roots.TryGetValue(steps[0], out var root) ? root : throw new FormatException("unknown name " + steps[0]);
        foreach (var step in steps.Skip(1)) current = Step(current, step);
        return current;
    }

    private static object? Step(object? current, string step)
    {
        if (current is null) return null;
        if (step[0] == '[')
        {
            var index = step[1..^1];
            return current switch
            {
                IDictionary map => map[index.Trim('"')],
                IList list => int.Parse(index, CultureInfo.InvariantCulture) is var at && at < list.Count ? list[at] : null,
                _ => null,
            };
        }
        var name = step.StartsWith("Get", StringComparison.Ordinal) ? step[3..] : step;
        if (current is Choice chosen)
            return chosen.Field.Name.Replace("_", "", StringComparison.Ordinal).Equals(name, StringComparison.OrdinalIgnoreCase)
                ? chosen.Field.Accessor.GetValue(chosen.Message) : null;
        if (current is not IMessage message) return name == "Value" ? current : throw new FormatException($"{step} of {current}");
        var field = message.Descriptor.Fields.InDeclarationOrder()
            .FirstOrDefault(f => f.Name.Replace("_", "", StringComparison.Ordinal).Equals(name, StringComparison.OrdinalIgnoreCase));
        if (field is not null) return field.Accessor.GetValue(message);
        var choice = message.Descriptor.Oneofs.FirstOrDefault(
            o => o.Name.Replace("_", "", StringComparison.Ordinal).Equals(name, StringComparison.OrdinalIgnoreCase));
        if (choice is null) throw new FormatException($"no field {name} in {message.Descriptor.Name}");
        return choice.Accessor.GetCaseFieldDescriptor(message) is { } set ? new Choice(set, message) : null;
    }

    /// <summary>What is chosen of alternatives.</summary>
    public sealed record Choice(FieldDescriptor Field, IMessage Message);

    /// <summary>Whether a value is what a row says; null where it is.</summary>
    public static string? Equal(object? have, JsonElement want)
    {
        switch (have)
        {
            case Choice choice:
                return EqualText($"{{\"{choice.Field.JsonName}\":{Json(choice.Field.Accessor.GetValue(choice.Message))}}}", want);
            case IMessage message:
                return want.ValueKind == JsonValueKind.Null ? "have a message, want nothing" : Messages.Difference(message, want);
            case IList list when want.ValueKind == JsonValueKind.Array && list.Count > 0 && list[0] is IMessage:
                return Messages.Difference([.. list.Cast<IMessage>()], [.. want.EnumerateArray()]);
            case null:
                return want.ValueKind is JsonValueKind.Null || IsZero(want) ? null : $"have nothing, want {want}";
            default:
                return EqualText(Json(have), want);
        }
    }

    private static bool IsZero(JsonElement want) => want.ToString() is "0" or "" or "False" or "[]" or "{}";

    private static string Json(object? value) => value switch
    {
        null => "null",
        IMessage message => Messages.Text(message),
        string text => JsonSerializer.Serialize(text),
        bool flag => flag ? "true" : "false",
        Enum choice => JsonSerializer.Serialize(OriginalName(choice)),
        IDictionary map =>
            "{" + string.Join(",", map.Cast<DictionaryEntry>().Select(e => $"{JsonSerializer.Serialize(e.Key.ToString())}:{Json(e.Value)}"))
                + "}",
        IEnumerable list => "[" + string.Join(",", list.Cast<object>().Select(Json)) + "]",
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    private static string OriginalName(Enum value) =>
        value.GetType().GetField(value.ToString())?.GetCustomAttributes(typeof(OriginalNameAttribute), false)
            .OfType<OriginalNameAttribute>().FirstOrDefault()?.Name ?? value.ToString();

    private static string? EqualText(string have, JsonElement want)
    {
        var left = JsonSerializer.Serialize(JsonDocument.Parse(have).RootElement);
        var right = JsonSerializer.Serialize(want);
        return left == right || left.Trim('"') == right.Trim('"') ? null : $"have {left}, want {right}";
    }

    // Which of a oneof's types a value has: here the field says it.
    [System.Text.RegularExpressions.GeneratedRegex(@"\.\(\*[\w.]+\)")]
    private static partial System.Text.RegularExpressions.Regex Assertion();
}
