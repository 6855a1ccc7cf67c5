using System.Collections.Immutable;
using System.Globalization;

namespace Lateen.Test.Scenarios.Orders;

/// <summary>What is written at a moment: the form of each object that is there, and the number that answers of it carry.</summary>
internal sealed record Written(ImmutableSortedDictionary<string, (string Form, int Marker)> Objects)
{
    /// <summary>The stage as it is built.</summary>
    public static Written Stage { get; } = new(ImmutableSortedDictionary.CreateRange(StringComparer.Ordinal,
        WrittenObject.All.Values.Where(one => one.IsLasting).Select(one => KeyValuePair.Create(one.Word, (one.Forms[0], 0)))));

    public bool Has(string word) => Objects.ContainsKey(word);

    /// <summary>The form of an object; empty where it is not there.</summary>
    public string Form(string word) => Objects.TryGetValue(word, out (string Form, int Marker) found) ? found.Form : "";

    /// <summary>The number that answers carry by way of an object; empty where it is not there.</summary>
    public string Marker(string word) =>
        Objects.TryGetValue(word, out (string Form, int Marker) found) ? found.Marker.ToString(CultureInfo.InvariantCulture) : "";

    /// <summary>Proxies of applications see what is in their namespace.</summary>
    public bool IsVisible => Form("sidecar") != "none";

    /// <summary>Subsets that the rule defines.</summary>
    public string[] Subsets => Form("rule").Split('+', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Versions that take requests.</summary>
    public string[] Ready => Form("ready").Split('+');

    /// <summary>What it is after a change.</summary>
    public Written After(IEnumerable<Change> changes)
    {
        ImmutableSortedDictionary<string, (string, int)>.Builder objects = Objects.ToBuilder();
        foreach (Change change in changes)
        {
            if (change.Form is null) objects.Remove(change.Object.Word);
            else objects[change.Object.Word] = (change.Form, change.Marker);
        }
        return new Written(objects.ToImmutable());
    }
}

/// <summary>One object of a change.</summary>
/// <param name="Object">Which.</param>
/// <param name="Form">The form it gets; null where it is deleted.</param>
/// <param name="Marker">The number that its answers carry.</param>
internal sealed record Change(WrittenObject Object, string? Form, int Marker)
{
    public override string ToString() =>
        Form is null ? $"no {Object}" : string.Create(CultureInfo.InvariantCulture, $"{Object} {Form} ({Marker})");
}
