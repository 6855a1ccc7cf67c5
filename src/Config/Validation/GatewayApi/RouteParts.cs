using Kubernetes.Gateway.V1;
using Codes = Lateen.Config.Validation.ValidationCodes;

namespace Lateen.Config.Validation.GatewayApi;

/// <summary>What all routes have: parents, hostnames, backends, names of rules.</summary>
internal static class RouteParts
{
    public static void Parents(Findings f, IReadOnlyList<ParentReference> parents)
    {
        const string Path = "spec.parentRefs";
        f.ErrorIf(parents.Count > 32, Codes.OutOfRange, Path, "more than 32 parents");
        f.ErrorIf(parents.Any(p => p.Name.Length == 0), Codes.Required, Path, "name is required");
        foreach (var same in parents.GroupBy(
            p => (p.HasGroup ? p.Group : "gateway.networking.k8s.io", p.HasKind ? p.Kind : "Gateway", p.Namespace, p.Name))
            .Where(g => g.Count() > 1))
        {
            // References to one parent must all say by the same means which part they mean, and each another.
            var parts = same.Select(p => (p.SectionName, p.HasPort ? p.Port : 0)).ToArray();
            var mixed = parts.Select(p => (p.SectionName.Length > 0, p.Item2 > 0)).Distinct().Count() > 1;
            f.ErrorIf(mixed, Codes.Reference, Path,
                "sectionName or port must be specified when parentRefs includes 2 or more references to the same parent");
            f.ErrorIf(parts.Distinct().Count() < parts.Length, Codes.Reference, Path,
                "sectionName or port must be unique when parentRefs includes 2 or more references to the same parent");
        }
    }

    public static void Hostnames(Findings f, IReadOnlyList<string> hosts)
    {
        f.ErrorIf(hosts.Count > 16, Codes.OutOfRange, "spec.hostnames", "more than 16 hostnames");
        f.ErrorIf(hosts.Any(h => !ApiNames.IsHostname(h)), Codes.BadHost, "spec.hostnames",
            "a hostname is a domain name, with *. before it at most");
    }

    public static void Backend(Findings f, string path, string name, string group, bool hasKind, string kind, bool hasPort, int port)
    {
        f.ErrorIf(name.Length == 0, Codes.Required, path, "name is required");
        f.ErrorIf(group.Length == 0 && (!hasKind || kind == "Service") && !hasPort, Codes.Reference, path,
            "Must have port for Service reference");
        if (hasPort) Rules.Port(f, path + ".port", port);
    }

    public static void Backend(Findings f, string path, BackendObjectReference? backend)
    {
        if (backend is null)
        {
            f.Error(Codes.Required, path, "backendRef is required");
            return;
        }

        Backend(f, path, backend.Name, backend.Group, backend.HasKind, backend.Kind, backend.HasPort, backend.Port);
    }

    public static void Weight(Findings f, string path, bool hasWeight, int weight) =>
        f.ErrorIf(hasWeight && weight is < 0 or > 1_000_000, Codes.OutOfRange, path + ".weight", "weight must be from 0 to 1000000");

    public static void RuleNames(Findings f, IEnumerable<string> names) =>
        f.ErrorIf(names.Where(n => n.Length > 0).GroupBy(n => n).Any(g => g.Count() > 1), Codes.Duplicate, "spec.rules",
            "Rule name must be unique within the route");

    public static void TcpRules(Findings f, IReadOnlyList<TCPRouteRule> rules)
    {
        f.ErrorIf(rules.Count is 0 or > 16, Codes.Required, "spec.rules", "1 to 16 rules are needed");
        for (var i = 0; i < rules.Count; i++)
        {
            f.ErrorIf(rules[i].BackendRefs.Count is 0 or > 16, Codes.Required, $"spec.rules[{i}].backendRefs",
                "1 to 16 backends are needed");
            for (var j = 0; j < rules[i].BackendRefs.Count; j++)
            {
                var (backend, path) = (rules[i].BackendRefs[j], $"spec.rules[{i}].backendRefs[{j}]");
                Backend(f, path, backend.Name, backend.Group, backend.HasKind, backend.Kind, backend.HasPort, backend.Port);
                Weight(f, path, backend.HasWeight, backend.Weight);
            }
        }
    }

    /// <summary>Matches on headers or query parameters; one name may be matched once.</summary>
    public static void ValueMatches(Findings f, string path, IReadOnlyList<HTTPValueMatch> matches)
    {
        f.ErrorIf(matches.Count > 16, Codes.OutOfRange, path, "more than 16 matches");
        foreach (var match in matches)
        {
            f.ErrorIf(!ApiNames.IsHeaderName(match.Name), Codes.BadHeader, path, $"\"{match.Name}\" is not a valid name");
            f.ErrorIf(match.Value.Length is 0 or > 4096, Codes.BadHeader, path, "a value of 1 to 4096 characters is needed");
            f.ErrorIf(match.HasType && match.Type is not ("Exact" or "RegularExpression"), Codes.Route, path,
                $"\"{match.Type}\" is neither Exact nor RegularExpression");
        }

        f.ErrorIf(matches.GroupBy(m => m.Name).Any(g => g.Count() > 1), Codes.Duplicate, path,
            "Duplicate value: one name may be matched once");
    }

    public static void SessionPersistence(Findings f, string path, SessionPersistence? session)
    {
        if (session is null) return;
        var lifetime = session.Cookie?.LifetimeType is { Length: > 0 } direct ? direct : session.CookieConfig?.LifetimeType ?? "";
        f.ErrorIf(lifetime == "Permanent" && session.AbsoluteTimeout.Length == 0, Codes.Policy, path,
            "AbsoluteTimeout must be specified when cookie lifetimeType is Permanent");
        var type = session.HasType ? session.Type : "Cookie";
        var hasCookie = session.Cookie is not null || session.CookieConfig is not null || session.SessionName.Length > 0;
        f.ErrorIf(type != "Cookie" && hasCookie, Codes.Policy, path, "cookie must be nil if type is not Cookie");
        f.ErrorIf(type == "Cookie" && !hasCookie, Codes.Policy, path, "cookie must be specified for Cookie type");
        f.ErrorIf(type != "Header" && session.Header is not null, Codes.Policy, path, "header must be nil if type is not Header");
        f.ErrorIf(type == "Header" && session.Header is null && session.SessionName.Length == 0, Codes.Policy, path,
            "header must be specified for Header type");
        f.ErrorIf(session.Cookie is { HasName: true } cookie && !ApiNames.IsHeaderName(cookie.Name), Codes.BadHeader, path + ".cookie.name",
            "the name of the cookie is not valid");
        f.ErrorIf(session.Header is not null && !ApiNames.IsHeaderName(session.Header.Name), Codes.BadHeader, path + ".header.name",
            "the name of the header is not valid");
        foreach (var timeout in new[] { session.AbsoluteTimeout, session.IdleTimeout }.Where(t => t.Length > 0))
        {
            f.ErrorIf(!ApiNames.TryDuration(timeout, out _), Codes.BadDuration, path, $"\"{timeout}\" is no duration");
        }
    }
}
