using System.Globalization;

namespace Lateen.Agent.Status;

/// <summary>The format of merged metrics. Texts of several sources can be put one after the other; the binary format can't, so it is never
/// chosen.</summary>
public static class MetricsFormat
{
    /// <summary>OpenMetrics.</summary>
    public const string OpenMetrics = "application/openmetrics-text";

    /// <summary>The classic text format.</summary>
    public const string Plain = "text/plain";

    /// <summary>The media type that fits an Accept header best.</summary>
    public static string Of(string accept)
    {
        (string best, double bestQuality) = (Plain, 0);
        foreach (string range in accept.Split(','))
        {
            string[] parts = range.Split(';', StringSplitOptions.TrimEntries);
            if (parts[0] is not (OpenMetrics or Plain)) continue;
            string? written = parts.FirstOrDefault(part => part.StartsWith("q=", StringComparison.Ordinal))?[2..];
            double quality = written is null
                ? 1 : double.TryParse(written, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double q) ? q : 0;
            if (quality > bestQuality) (best, bestQuality) = (parts[0], quality);
        }
        return best;
    }
}
