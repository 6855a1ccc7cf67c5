using System.Text.Json.Nodes;

namespace Lateen.Injector.Trees;

/// <summary>Kubernetes' label selectors, as trees.</summary>
internal static class LabelTerms
{
    /// <summary>Whether a selector says nothing, and so selects everything.</summary>
    public static bool IsEmpty(JsonNode? selector) => selector.Words("matchLabels").Count == 0 && !selector.Each("matchExpressions").Any();

    /// <summary>Whether all that it says holds.</summary>
    public static bool Hold(JsonNode? selector, IReadOnlyDictionary<string, string> labels) =>
        selector.Words("matchLabels").All(term => labels.TryGetValue(term.Key, out var value) && value == term.Value)
            && selector.Each("matchExpressions").All(term => Holds(term, labels));

    private static bool Holds(JsonObject term, IReadOnlyDictionary<string, string> labels)
    {
        var isThere = labels.TryGetValue(term.Word("key") ?? "", out var value);
        var isListed = isThere && (term["values"] as JsonArray ?? []).Any(listed => listed?.ToString() == value);
        return term.Word("operator") switch
        {
            "In" => isListed,
            "NotIn" => !isListed,
            "Exists" => isThere,
            "DoesNotExist" => !isThere,
            _ => false,
        };
    }
}
