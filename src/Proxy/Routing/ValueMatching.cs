using System.Text.Json;

namespace Lateen.Proxy.Routing;

/// <summary>The test of a structured value (envoy.type.matcher.v3.ValueMatcher).</summary>
public static class ValueMatching
{
    /// <summary>True where the value satisfies the test; an undefined value satisfies only an asked-for absence.</summary>
    public static bool Matches(ValueMatch match, JsonElement value)
    {
        if (match.AnyOf is { } any)
            return AnyOf(any, value);
        if (match.ListElement is { } element)
            return value.ValueKind == JsonValueKind.Array && InList(element, value);
        if (match.Present is { } present)
            return (value.ValueKind != JsonValueKind.Undefined) == present;
        if (match.Null)
            return value.ValueKind == JsonValueKind.Null;
        if (match.Bool is { } truth)
            return value.ValueKind == (truth ? JsonValueKind.True : JsonValueKind.False);
        if (match.String is { } text)
            return value.ValueKind == JsonValueKind.String && text.Matches(TextOf(value));
        if (value.ValueKind != JsonValueKind.Number)
            return false;
        double number = value.GetDouble();
        return match.Range is { } range ? number >= range.Start && number < range.End : number == match.Number;
    }

    private static bool AnyOf(IReadOnlyList<ValueMatch> any, JsonElement value)
    {
        for (int i = 0; i < any.Count; i++)
        {
            if (Matches(any[i], value))
                return true;
        }
        return false;
    }

    private static bool InList(ValueMatch element, JsonElement list)
    {
        foreach (JsonElement one in list.EnumerateArray())
        {
            if (Matches(element, one))
                return true;
        }
        return false;
    }

    /// <summary>A text's bytes: as they lie there, where nothing in them is escaped.</summary>
    public static ReadOnlySpan<byte> TextOf(JsonElement text)
    {
        ReadOnlySpan<byte> raw = System.Runtime.InteropServices.JsonMarshal.GetRawUtf8Value(text)[1..^1];
        return raw.Contains((byte)'\\') ? System.Text.Encoding.UTF8.GetBytes(text.GetString()!) : raw;
    }
}
