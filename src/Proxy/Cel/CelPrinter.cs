using System.Globalization;
using Lateen.Proxy.Formats;

namespace Lateen.Proxy.Cel;

/// <summary>Values as text, as Envoy's logs print them.</summary>
internal static class CelPrinter
{
    public static void Print(scoped in CelValue value, ByteBuffer to)
    {
        switch (value.Kind)
        {
            case CelKind.Error:
                return;
            case CelKind.Bool:
                to.Append(value.IsTrue ? "true"u8 : "false"u8);
                return;
            case CelKind.Int:
                to.Append(value.Number);
                return;
            case CelKind.Uint:
                to.Append((ulong)value.Number);
                return;
            case CelKind.Double:
                // absl::StrCat writes six significant digits.
                to.Append(value.Double.ToString("G6", CultureInfo.InvariantCulture).Replace("E", "e", StringComparison.Ordinal));
                return;
            case CelKind.String or CelKind.Bytes:
                to.Append(value.Text);
                return;
            case CelKind.Null:
                to.Append("NULL"u8);
                return;
            case CelKind.Duration:
                Duration(value.Number, to);
                return;
            case CelKind.Timestamp:
                Timestamp(value.Number, to);
                return;
            default:
                to.Append(value.Kind == CelKind.List ? "CelList value"u8 : "CelMap value"u8);
                return;
        }
    }

    // absl::FormatDuration: 1h2m3.5s; below a second one unit of ms, us, ns.
    private static void Duration(long nanos, ByteBuffer to)
    {
        if (nanos == 0)
        {
            to.Append((byte)'0');
            return;
        }
        if (nanos < 0)
            to.Append((byte)'-');
        decimal rest = Math.Abs((decimal)nanos);
        if (rest < 1_000_000_000)
        {
            (decimal unit, string name) = rest >= 1_000_000 ? (1_000_000m, "ms") : rest >= 1_000 ? (1_000m, "us") : (1m, "ns");
            to.Append((rest / unit).ToString("0.######", CultureInfo.InvariantCulture) + name);
            return;
        }
        long hours = (long)(rest / 3_600_000_000_000m), minutes = (long)(rest / 60_000_000_000m) % 60;
        if (hours > 0)
            to.Append(string.Create(CultureInfo.InvariantCulture, $"{hours}h"));
        if (minutes > 0)
            to.Append(string.Create(CultureInfo.InvariantCulture, $"{minutes}m"));
        decimal seconds = rest % 60_000_000_000m / 1_000_000_000m;
        if (seconds > 0)
            to.Append(seconds.ToString("0.#########", CultureInfo.InvariantCulture) + "s");
    }

    private static void Timestamp(long nanos, ByteBuffer to)
    {
        DateTime time = DateTime.UnixEpoch.AddTicks(nanos / 100);
        to.Append(time.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFFF", CultureInfo.InvariantCulture) + "+00:00");
    }
}
