using Kubernetes.Meta.V1;

namespace Lateen.Config.Resources;

/// <summary>Selectors of Kubernetes.</summary>
public static class LabelSelectors
{
    /// <summary>Whether labels satisfy all labels and all expressions of a selector; an empty one selects everything, an operator that
    /// nobody knows nothing.</summary>
    public static bool Selects(LabelSelector selector, IReadOnlyDictionary<string, string> labels) =>
        selector.MatchLabels.All(pair => labels.TryGetValue(pair.Key, out string? value) && value == pair.Value)
        && selector.MatchExpressions.All(expression => Satisfies(expression, labels));

    private static bool Satisfies(LabelSelectorRequirement expression, IReadOnlyDictionary<string, string> labels)
    {
        bool isThere = labels.TryGetValue(expression.Key, out string? value);
        return expression.Operator switch
        {
            "In" => isThere && expression.Values.Contains(value),
            "NotIn" => !isThere || !expression.Values.Contains(value),
            "Exists" => isThere,
            "DoesNotExist" => !isThere,
            _ => false,
        };
    }
}
