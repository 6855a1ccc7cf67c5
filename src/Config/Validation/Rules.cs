using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using Istio.Type.V1Beta1;
using Lateen.Api.Names;
using Codes = Lateen.Config.Validation.ValidationCodes;

namespace Lateen.Config.Validation;

/// <summary>Rules that several kinds share.</summary>
internal static class Rules
{
    private const string MeshGateway = "mesh";
    private const string UnixPrefix = "unix://";

    public static void Port(Findings f, string path, long number) =>
        f.ErrorIf(number is < 1 or > 65535, Codes.BadPort, path, $"port number {number} must be in the range 1..65535");

    public static void PortName(Findings f, string path, string name) =>
        f.ErrorIf(!NameRules.IsLabel(name), Codes.BadPort, path, $"invalid port name: \"{name}\"");

    /// <summary>At least 1 ms and whole milliseconds; zero only where it switches something off.</summary>
    public static void Duration(Findings f, string path, Duration? duration, bool zeroAllowed = false)
    {
        if (duration is null || (zeroAllowed && duration.Seconds == 0 && duration.Nanos == 0)) return;
        if (duration.Seconds < 0 || duration.Nanos < 0 || (duration.Seconds == 0 && duration.Nanos < 1_000_000))
            f.Error(Codes.BadDuration, path, "duration must be greater than 1ms");
        else if (duration.Nanos % 1_000_000 != 0) f.Error(Codes.BadDuration, path, "only durations to ms precision are supported");
    }

    public static void Percent(Findings f, string path, double value) =>
        f.ErrorIf(!(value is >= 0 and <= 100) || value is > 0 and < 0.0001, Codes.BadPercent, path,
            $"percentage {value.ToString(CultureInfo.InvariantCulture)} is not in range 0..100, or below 0.0001");

    public static void IntegerPercent(Findings f, string path, long value) =>
        f.ErrorIf(value is < 0 or > 100, Codes.BadPercent, path, $"percentage {value} is not in range 0..100");

    public static void NotNegative(Findings f, string path, long value) =>
        f.ErrorIf(value < 0, Codes.OutOfRange, path, $"{value} must not be negative");

    public static void HttpStatus(Findings f, string path, long status) =>
        f.ErrorIf(status is < 200 or > 600, Codes.OutOfRange, path, $"HTTP status {status} is not in range 200..600");

    public static void Regex(Findings f, string path, string regex, string where)
    {
        if (regex.Length == 0) f.Error(Codes.BadRegex, path, $"\"{where}\": regex string match should not be empty");
        else f.ErrorIf(RegexSyntax.Problem(regex), Codes.BadRegex, path);
    }

    public static void Labels(Findings f, string path, IEnumerable<KeyValuePair<string, string>> labels)
    {
        foreach (var (key, value) in labels) f.ErrorIf(LabelSets.Validate(key, value), Codes.BadLabel, path);
    }

    /// <summary>The selector of a policy.</summary>
    public static void Selector(Findings f, string path, WorkloadSelector? selector)
    {
        if (selector is null) return;
        SelectorLabels(f, path + ".matchLabels", selector.MatchLabels);
        f.WarnIf(selector.MatchLabels.Count == 0, Codes.EmptySelector, path, "workload selector specified without labels");
    }

    /// <summary>Stars would look like patterns and are none.</summary>
    public static void SelectorLabels(Findings f, string path, IEnumerable<KeyValuePair<string, string>> labels)
    {
        foreach (var (key, value) in labels)
        {
            f.ErrorIf(key.Length == 0, Codes.BadLabel, path, $"empty key is not supported in selector: \"{key}={value}\"");
            f.ErrorIf(key.Contains('*') || value.Contains('*'), Codes.BadLabel, path,
                $"wildcard is not supported in selector: \"{key}={value}\"");
            f.ErrorIf(value.Length > 63, Codes.BadLabel, path, $"the value of \"{key}\" is longer than 63 characters");
        }
    }

    /// <summary>Policies attach by a selector or by references, not by both.</summary>
    public static void Attachment(Findings f, WorkloadSelector? selector, PolicyTargetReference? single,
        IReadOnlyList<PolicyTargetReference> many)
    {
        Selector(f, "spec.selector", selector);
        var ways = (selector is null ? 0 : 1) + (single is null ? 0 : 1) + (many.Count == 0 ? 0 : 1);
        f.ErrorIf(ways > 1, Codes.Exclusive, "spec", "only one of targetRefs or workloadSelector can be set");
        f.ErrorIf(many.Count > 16, Codes.OutOfRange, "spec.targetRefs", $"{many.Count} references; 16 are allowed");
        if (single is not null) Target(f, "spec.targetRef", single);
        for (var i = 0; i < many.Count; i++) Target(f, $"spec.targetRefs[{i}]", many[i]);
    }

    public static void Target(Findings f, string path, PolicyTargetReference target)
    {
        f.ErrorIf(target.Name.Length == 0, Codes.BadTarget, path, "targetRef name must be set");
        f.ErrorIf(target.Namespace.Length > 0, Codes.BadTarget, path,
            "targetRef namespace must not be set; cross namespace referencing is not supported");
        var known = (target.Group, target.Kind) is ("gateway.networking.k8s.io", "Gateway" or "GatewayClass") or ("" or "core", "Service")
            or ("networking.istio.io", "ServiceEntry");
        f.ErrorIf(!known, Codes.BadTarget, path, $"targetRef kind {target.Group}/{target.Kind} is not supported");
    }

    public static void ExportTo(Findings f, IReadOnlyList<string> exportTo, string ns, bool isServiceEntry = false,
        bool isRuleWithSelector = false)
    {
        const string Path = "spec.exportTo";
        var seen = new HashSet<string>();
        foreach (var entry in exportTo)
        {
            var key = entry == "." ? ns : entry;
            if (!seen.Add(key))
            {
                f.Error(Codes.BadExport, Path, entry == "." || key == ns
                    ? $"duplicate entries in exportTo: . and current namespace {ns}" : $"duplicate entries in exportTo for entry {entry}");
            }
            else if (key is not ("*" or "~") && key.Length > 0 && !NameRules.IsLabel(key))
                f.Error(Codes.BadExport, Path, $"\"{entry}\" is neither *, ., nor the name of a namespace");
        }

        f.ErrorIf(isRuleWithSelector && seen.Count > 0 && !(seen.Count == 1 && seen.Contains(ns)), Codes.BadExport, Path,
            "a destination rule with workload selector cannot be exported beyond its namespace");
        f.ErrorIf(seen.Contains("*") && seen.Count > 1, Codes.BadExport, Path,
            "cannot have both public (*) and non-public exportTo values");
        f.ErrorIf(seen.Contains("~") && !isServiceEntry, Codes.BadExport, Path, "~ (no visibility) is allowed for service entries only");
        f.ErrorIf(seen.Contains("~") && isServiceEntry && seen.Count > 1, Codes.BadExport, Path,
            "cannot export a service entry to no one (~) and someone");
    }

    /// <summary>Names of gateways as VirtualServices write them.</summary>
    public static void GatewayNames(Findings f, string path, IReadOnlyList<string> names)
    {
        foreach (var name in names)
        {
            if (name == MeshGateway) continue;
            var slash = name.IndexOf('/', StringComparison.Ordinal);
            if (slash < 0)
            {
                f.ErrorIf(NameRules.Domain(name), Codes.Gateways, path);
                continue;
            }

            var (ns, gateway) = (name[..slash], name[(slash + 1)..]);
            f.ErrorIf(ns.Length == 0 || gateway.Length == 0, Codes.Gateways, path, "config namespace and gateway name cannot be empty");
            f.ErrorIf(!NameRules.IsLabel(ns), Codes.Gateways, path, $"invalid value for namespace: \"{ns}\"");
            f.ErrorIf(!gateway.Split('.', '~').All(l => NameRules.IsLabel(l)), Codes.Gateways, path,
                $"invalid value for gateway name: \"{gateway}\"");
        }
    }

    public static bool AppliesToMesh(IReadOnlyList<string> gateways) => gateways.Count == 0 || gateways.Contains(MeshGateway);

    public static bool AppliesToGateway(IReadOnlyList<string> gateways) => gateways.Any(g => g != MeshGateway);

    public static bool IsUnix(string address) => address.StartsWith(UnixPrefix, StringComparison.Ordinal);

    /// <summary>An absolute path or an abstract socket (<c>unix://@name</c>).</summary>
    public static string? UnixAddress(string address)
    {
        var path = address[UnixPrefix.Length..];
        return path.Length == 0 || path is "/" or "@" ? "unix address must not be empty"
            : path[0] is not ('/' or '@') ? $"{address} is not an absolute path or abstract socket"
            : path.EndsWith('/') ? $"{address} is a folder"
            : null;
    }

    /// <summary>A header in a match: pseudo headers are allowed, and other characters than a strict reader would take.</summary>
    public static void HeaderName(Findings f, string path, string name)
    {
        var plain = name.StartsWith(':') ? name[1..] : name;
        f.ErrorIf(name.Length == 0, Codes.BadHeader, path, "header name cannot be empty");
        f.ErrorIf(name.Length > 0 && (plain.Length == 0 || plain.Contains(':') || plain.Any(c => c <= ' ' || c > '~')), Codes.BadHeader,
            path, $"header name \"{name}\" is not valid");
    }

    /// <summary>What ends up in a header: no proxy takes these (envoy/type/matcher, well_known_regex of header names and values).</summary>
    public static void NoControls(Findings f, string path, string text) =>
        f.ErrorIf(text.AsSpan().IndexOfAny('\0', '\r', '\n') >= 0, Codes.BadHeader, path, "may not hold line ends or a zero character");

    /// <summary>Letters, digits, hyphens and underscores.</summary>
    public static void StrictHeaderName(Findings f, string path, string name) =>
        f.ErrorIf(name.Length == 0 || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'), Codes.BadHeader, path,
            $"header name \"{name}\" is not valid");

    /// <summary>A header that is added or removed: the authority and pseudo headers are the proxy's own.</summary>
    public static void HeaderOperationName(Findings f, string path, string name, bool authorityAllowed)
    {
        f.ErrorIf(name.Length == 0, Codes.BadHeader, path, "header name cannot be empty");
        var isAuthority = name.Equals("host", StringComparison.OrdinalIgnoreCase)
            || name.Equals(":authority", StringComparison.OrdinalIgnoreCase);
        f.ErrorIf(isAuthority && !authorityAllowed, Codes.BadHeader, path, $"invalid header \"{name}\": the authority can only be set");
        f.ErrorIf(name.StartsWith(':') && !isAuthority, Codes.BadHeader, path,
            $"invalid header \"{name}\": pseudo headers cannot be changed");
    }

    /// <summary>A value with Envoy's command operators (<c>%START_TIME%</c>, <c>%REQ(x):10%</c>; <c>%%</c> is a percent sign).</summary>
    public static string? HeaderValue(string value)
    {
        for (var at = value.IndexOf('%', StringComparison.Ordinal); at >= 0; at = value.IndexOf('%', at))
        {
            if (at + 1 < value.Length && value[at + 1] == '%')
            {
                at += 2;
                continue;
            }

            var end = OperatorEnd(value, at + 1);
            if (end < 0) return $"\"{value}\" has a % that begins no command operator; write %% for a percent sign";
            at = end;
        }

        return null;
    }

    private static int OperatorEnd(string value, int at)
    {
        var start = at;
        while (at < value.Length && (char.IsAsciiLetterUpper(value[at]) || char.IsAsciiDigit(value[at]) || value[at] == '_')) at++;
        if (at == start || char.IsAsciiDigit(value[start])) return -1;
        if (at < value.Length && value[at] == '(')
        {
            at = value.IndexOf(')', at) + 1;
            if (at == 0) return -1;
        }

        if (at < value.Length && value[at] == ':')
        {
            at++;
            while (at < value.Length && char.IsAsciiDigit(value[at])) at++;
        }

        return at < value.Length && value[at] == '%' ? at + 1 : -1;
    }
}
