using System.Text.RegularExpressions;

namespace Lateen.Injector.Trees;

/// <summary>Amounts of processors and memory, as Kubernetes writes them: a number with a suffix.</summary>
public static partial class Quantities
{
    /// <summary>Whether a text is an amount, all of it.</summary>
    public static bool IsValid(string text) => Amount().IsMatch(text);

    [GeneratedRegex(@"\A[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?\z", RegexOptions.CultureInvariant)]
    private static partial Regex Amount();
}
