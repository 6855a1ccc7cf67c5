using System.Text.Json;

namespace Lateen.Proxy.Routing;

/// <summary>The test of a structured value (envoy.type.matcher.v3.ValueMatcher).</summary>
public static class ValueMatching
{
    /// <summary>True where the value satisfies the test; an undefined value satisfies only an asked-for absence.</summary>
    public static bool Matches(ValueMatch match, JsonElement value)
    {
        if (match.AnyOf is { } any)
            return any.Any(m => Matches(m, value));
        if (match.ListElement is { } element)
            return value.ValueKind == JsonValueKind.Array && value.EnumerateArray().Any(v => Matches(element, v));
        if (match.Present is { } present)
            return (value.ValueKind != JsonValueKind.Undefined) == present;
        if (match.Null)
            return value.ValueKind == JsonValueKind.Null;
        if (match.Bool is { } truth)
            return value.ValueKind == (truth ? JsonValueKind.True : JsonValueKind.False);
        if (match.String is { } text)
            return value.ValueKind == JsonValueKind.String && text.Matches(System.Text.Encoding.UTF8.GetBytes(value.GetString()!));
        if (value.ValueKind != JsonValueKind.Number)
            return false;
        double number = value.GetDouble();
        return match.Range is { } range ? number >= range.Start && number < range.End : number == match.Number;
    }
}
