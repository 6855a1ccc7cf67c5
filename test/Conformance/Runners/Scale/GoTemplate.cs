using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Lateen.Test.Conformance.Runners.Scale;

/// <summary>As much of Go's text templates as generates configurations: ranges over counts, variables, and the integer functions of
/// sprig.</summary>
internal sealed class GoTemplate(IReadOnlyDictionary<string, int> values)
{
    private static readonly Regex Action =
        new(@"\{\{(?<trimLeft>-\s)?\s*(?<words>.*?)\s*(?<trimRight>\s-)?\}\}", RegexOptions.Singleline | RegexOptions.CultureInvariant);

    /// <summary>The text that a template makes.</summary>
    public string Render(string template)
    {
        var text = new StringBuilder();
        var parts = Parts(template);
        var at = 0;
        Render(parts, ref at, [], text, isShown: true);
        return text.ToString();
    }

    private static List<(bool IsAction, string Text)> Parts(string template)
    {
        var parts = new List<(bool, string)>();
        var from = 0;
        foreach (Match action in Action.Matches(template))
        {
            var before = template[from..action.Index];
            parts.Add((false, action.Groups["trimLeft"].Success ? before.TrimEnd() : before));
            parts.Add((true, action.Groups["words"].Value));
            from = action.Index + action.Length;
            if (!action.Groups["trimRight"].Success) continue;
            while (from < template.Length && char.IsWhiteSpace(template[from])) from++;
        }
        parts.Add((false, template[from..]));
        return parts;
    }

    private void Render(List<(bool IsAction, string Text)> parts, ref int at, Dictionary<string, int> variables, StringBuilder into,
        bool isShown)
    {
        while (at < parts.Count)
        {
            var (isAction, words) = parts[at++];
            if (!isAction)
            {
                if (isShown) into.Append(words);
            }
            else if (words == "end") return;
            else if (words.StartsWith("range ", StringComparison.Ordinal)) Range(parts, ref at, words, variables, into, isShown);
            else if (isShown) into.Append(CultureInfo.InvariantCulture, $"{Value(words, variables)}");
        }
    }

    // range $i := until N
    private void Range(List<(bool IsAction, string Text)> parts, ref int at, string words, Dictionary<string, int> variables,
        StringBuilder into, bool isShown)
    {
        var tokens = words.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (tokens is not ["range", var variable, ":=", "until", var bound])
            throw new InvalidOperationException($"the template has {words}");
        var (count, begin) = (isShown ? Value(bound, variables) : 0, at);
        Render(parts, ref at, variables, into, isShown: false);
        for (var i = 0; i < count; i++)
        {
            var again = begin;
            Render(parts, ref again, new Dictionary<string, int>(variables) { [variable] = i }, into, isShown: true);
        }
    }

    private int Value(string words, Dictionary<string, int> variables) => words.Split(' ', StringSplitOptions.RemoveEmptyEntries) switch
    {
        ["div", var left, var right] => Value(left, variables) / Value(right, variables),
        ["mod", var left, var right] => Value(left, variables) % Value(right, variables),
        ["add", var left, var right] => Value(left, variables) + Value(right, variables),
        ["mul", var left, var right] => Value(left, variables) * Value(right, variables),
        ["sub", var left, var right] => Value(left, variables) - Value(right, variables),
        [var one] when int.TryParse(one, out var number) => number,
        [['$', '.', .. var name]] => values[name],
        [['.', .. var name]] => values[name],
        [var variable] => variables[variable],
        _ => throw new InvalidOperationException($"the template has {words}"),
    };
}
