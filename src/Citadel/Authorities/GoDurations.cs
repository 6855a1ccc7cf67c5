using System.Globalization;
using System.Text;

namespace Lateen.Citadel.Authorities;

/// <summary>Lengths of time as Go prints them: <c>2160h0m0s</c>.</summary>
internal static class GoDurations
{
    /// <summary>Whole seconds in Go's form.</summary>
    public static string Of(TimeSpan span)
    {
        long seconds = (long)span.TotalSeconds;
        var text = new StringBuilder();
        if (seconds >= 3600) text.Append(CultureInfo.InvariantCulture, $"{seconds / 3600}h");
        if (seconds >= 60) text.Append(CultureInfo.InvariantCulture, $"{seconds % 3600 / 60}m");
        return text.Append(CultureInfo.InvariantCulture, $"{seconds % 60}s").ToString();
    }
}
