using System.Globalization;

namespace Lateen.Api.Names;

/// <summary>The name of a cluster: <c>outbound|9080|v1|reviews.default.svc.cluster.local</c>, or the same as an SNI:
/// <c>outbound_.9080_.v1_.reviews…</c>.</summary>
public readonly record struct ClusterName(string Direction, int Port, string Subset, string Host)
{
    public override string ToString() => $"{Direction}|{Port.ToString(CultureInfo.InvariantCulture)}|{Subset}|{Host}";

    /// <summary>The form that crosses a wire as SNI, where <c>|</c> is not allowed.</summary>
    public string ToSni() => $"{Direction}_.{Port.ToString(CultureInfo.InvariantCulture)}_.{Subset}_.{Host}";

    public static ClusterName Outbound(string host, int port, string subset = "") => new("outbound", port, subset, host);

    /// <summary>Reads either form; false when the text is neither.</summary>
    public static bool TryParse(string text, out ClusterName name)
    {
        name = new ClusterName("", 0, "", "");
        var isSni = text.StartsWith("outbound_.", StringComparison.Ordinal) || text.StartsWith("inbound_.", StringComparison.Ordinal);
        string direction, port, subset, host;
        if (isSni)
        {
            if (!TryParseSni(text, out direction, out port, out subset, out host)) return false;
        }
        else
        {
            var parts = text.Split('|');
            if (parts.Length != 4) return false;
            (direction, port, subset, host) = (parts[0], parts[1], parts[2], parts[3]);
        }

        if (!int.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out var number)) return false;
        name = new ClusterName(direction, number, subset, host);
        return true;
    }

    /// <summary>Whether the text has the four parts of a cluster's name.</summary>
    public static bool IsWellFormed(string text) => text.AsSpan().Count('|') == 3;

    /// <summary>What follows the last bar, or the host of the SNI form; empty when there is none.</summary>
    public static string HostOf(string text)
    {
        var bar = text.LastIndexOf('|');
        return bar >= 0 ? text[(bar + 1)..] : TryParse(text, out var name) ? name.Host : "";
    }

    /// <summary>The parts of the SNI form; the host is the rest, whatever it holds.</summary>
    internal static bool TryParseSni(string text, out string direction, out string port, out string subset, out string host)
    {
        var parts = text.Split("_.", 4);
        (direction, port, subset, host) = parts.Length == 4 ? (parts[0], parts[1], parts[2], parts[3]) : ("", "", "", "");
        return parts.Length == 4;
    }
}
