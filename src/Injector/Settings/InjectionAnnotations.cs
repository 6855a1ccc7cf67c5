using System.Globalization;
using System.Net;
using Lateen.Injector.Trees;

namespace Lateen.Injector.Settings;

/// <summary>Annotations that steer injection: what they may say. A pod with a wrong one is refused, as it would run with other settings
/// than its owner believes.</summary>
public static class InjectionAnnotations
{
    /// <summary>The proxy's own settings.</summary>
    public const string ProxyConfig = "proxy.istio.io/config";

    /// <summary>How connections are taken over.</summary>
    public const string InterceptionMode = "sidecar.istio.io/interceptionMode";

    /// <summary>Port of the agent.</summary>
    public const string StatusPort = "status.sidecar.istio.io/port";

    private static readonly Dictionary<string, Func<string, string?>> Rules = new(StringComparer.Ordinal)
    {
        [InterceptionMode] = mode => mode is "REDIRECT" or "TPROXY" or "NONE"
            ? null : $"interceptionMode invalid, use REDIRECT,TPROXY,NONE: {mode}",
        [StatusPort] = port => Port(port) is { } mistake ? $"excludeInboundPorts invalid: {mistake}" : null,
        ["readiness.status.sidecar.istio.io/initialDelaySeconds"] = Count,
        ["readiness.status.sidecar.istio.io/periodSeconds"] = Count,
        ["readiness.status.sidecar.istio.io/failureThreshold"] = Count,
        ["traffic.sidecar.istio.io/includeOutboundIPRanges"] = ranges => ranges == "*" ? null : Ranges("includeIPRanges", ranges),
        ["traffic.sidecar.istio.io/excludeOutboundIPRanges"] = ranges => Ranges("excludeIPRanges", ranges),
        ["traffic.sidecar.istio.io/includeInboundPorts"] = ports => ports == "*" ? null : Ports("includeInboundPorts", ports),
        ["traffic.sidecar.istio.io/excludeInboundPorts"] = ports => Ports("excludeInboundPorts", ports),
        ["traffic.sidecar.istio.io/includeOutboundPorts"] = ports => ports == "*" ? null : Ports("includeOutboundPorts", ports),
        ["traffic.sidecar.istio.io/excludeOutboundPorts"] = ports => Ports("excludeOutboundPorts", ports),
        ["prometheus.istio.io/merge-metrics"] = flag => Flag(flag) is null ? $"invalid syntax: \"{flag}\" is neither true nor false" : null,
        ["sidecar.istio.io/proxyCPU"] = Amount,
        ["sidecar.istio.io/proxyCPULimit"] = Amount,
        ["sidecar.istio.io/proxyMemory"] = Amount,
        ["sidecar.istio.io/proxyMemoryLimit"] = Amount,
    };

    /// <summary>What is wrong; null for nothing.</summary>
    public static string? Mistake(IReadOnlyDictionary<string, string> annotations)
    {
        string[] mistakes =
        [
            .. annotations.OrderBy(annotation => annotation.Key, StringComparer.Ordinal)
                .Select(annotation => Rules.TryGetValue(annotation.Key, out var rule) && rule(annotation.Value) is { } mistake
                    ? $"invalid value '{annotation.Value}' for annotation '{annotation.Key}': {mistake}" : "")
                .Where(mistake => mistake.Length > 0),
        ];
        return mistakes.Length > 0 ? string.Join("; ", mistakes) : null;
    }

    /// <summary>A truth in the words that Go takes for it; null for another word.</summary>
    public static bool? Flag(string text) => text switch
    {
        "1" or "t" or "T" or "true" or "TRUE" or "True" => true,
        "0" or "f" or "F" or "false" or "FALSE" or "False" => false,
        _ => null,
    };

    private static string? Ports(string name, string ports) =>
        ports.Trim().Length == 0 ? null : ports.Trim().Split(',').Select(Port).FirstOrDefault(mistake => mistake is not null) is { } mistake
            ? $"{name} invalid: {mistake}" : null;

    private static string? Port(string port) =>
        ushort.TryParse(port.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out _) ? null : $"failed parsing port '{port}'";

    private static string? Ranges(string name, string ranges) => ranges.Length == 0 ? null
        : ranges.Split(',').FirstOrDefault(range => !range.Contains('/', StringComparison.Ordinal) || !IsRange(range)) is { } wrong
        ? $"{name} invalid: failed parsing cidr '{wrong}'" : null;

    // Bits of the host may be set, unlike in IPNetwork's own reading.
    private static bool IsRange(string range)
    {
        string[] parts = range.Split('/');
        return parts.Length == 2 && IPAddress.TryParse(parts[0], out var address) && address.ToString().Length > 0
            && (address.AddressFamily != System.Net.Sockets.AddressFamily.InterNetwork || parts[0].Count(c => c == '.') == 3)
            && byte.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var bits)
            && bits <= (address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork ? 32 : 128);
    }

    private static string? Count(string text) => uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out _)
        ? null : $"invalid syntax: \"{text}\" is no whole number";

    private static string? Amount(string text) => Quantities.IsValid(text) ? null : "it is no amount of a resource";
}
