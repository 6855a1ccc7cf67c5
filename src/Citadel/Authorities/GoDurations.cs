using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Lateen.Citadel.Authorities;

/// <summary>Lengths of time as settings of Istio are written: <c>2160h0m0s</c>.</summary>
internal static partial class GoDurations
{
    /// <summary>As Go prints it.</summary>
    public static string Of(TimeSpan span)
    {
        long seconds = (long)span.TotalSeconds;
        var text = new StringBuilder();
        if (seconds >= 3600) text.Append(CultureInfo.InvariantCulture, $"{seconds / 3600}h");
        if (seconds >= 60) text.Append(CultureInfo.InvariantCulture, $"{seconds % 3600 / 60}m");
        return text.Append(CultureInfo.InvariantCulture, $"{seconds % 60}s").ToString();
    }

    /// <summary>Reads hours, minutes, seconds and milliseconds; null for anything else.</summary>
    public static TimeSpan? Read(string text)
    {
        if (!Form().IsMatch(text)) return null;
        double seconds = 0;
        foreach (Match part in Part().Matches(text))
        {
            double number = double.Parse(part.Groups[1].ValueSpan, CultureInfo.InvariantCulture);
            seconds += number * part.Groups[2].Value switch { "h" => 3600, "m" => 60, "ms" => 0.001, _ => 1 };
        }
        return seconds < TimeSpan.MaxValue.TotalSeconds ? TimeSpan.FromSeconds(seconds) : null;
    }

    [GeneratedRegex(@"^(\d+(\.\d+)?(h|ms|m|s))+$")]
    private static partial Regex Form();

    [GeneratedRegex(@"(\d+(?:\.\d+)?)(h|ms|m|s)")]
    private static partial Regex Part();
}
