using System.Text.RegularExpressions;
using Kubernetes.Gateway.V1;
using Codes = Lateen.Config.Validation.ValidationCodes;

namespace Lateen.Config.Validation.GatewayApi;

/// <summary>GRPCRoute.</summary>
internal static partial class GrpcRouteApiRules
{
    public static void Check(Findings f, GRPCRouteSpec spec)
    {
        RouteParts.Parents(f, spec.ParentRefs);
        RouteParts.Hostnames(f, spec.Hostnames);
        RouteParts.RuleNames(f, spec.Rules.Select(r => r.Name));
        f.ErrorIf(spec.Rules.Count > 16, Codes.OutOfRange, "spec.rules", "more than 16 rules");
        f.ErrorIf(spec.Rules.Sum(r => r.Matches.Count) > 128, Codes.OutOfRange, "spec.rules",
            "the total number of matches across all rules in a route must be less than 128");
        for (var i = 0; i < spec.Rules.Count; i++) Rule(f, $"spec.rules[{i}]", spec.Rules[i]);
    }

    private static void Rule(Findings f, string path, GRPCRouteRule rule)
    {
        for (var i = 0; i < rule.Matches.Count; i++)
        {
            Method(f, $"{path}.matches[{i}].method", rule.Matches[i].Method);
            RouteParts.ValueMatches(f, $"{path}.matches[{i}].headers", rule.Matches[i].Headers);
        }

        FilterRules.Check(f, path + ".filters", rule.Filters, isGrpc: true);
        for (var i = 0; i < rule.BackendRefs.Count; i++)
        {
            var (backend, at) = (rule.BackendRefs[i], $"{path}.backendRefs[{i}]");
            RouteParts.Backend(f, at, backend.Name, backend.Group, backend.HasKind, backend.Kind, backend.HasPort, backend.Port);
            RouteParts.Weight(f, at, backend.HasWeight, backend.Weight);
            FilterRules.Check(f, at + ".filters", backend.Filters, isGrpc: true);
        }

        RouteParts.SessionPersistence(f, path + ".sessionPersistence", rule.SessionPersistence);
    }

    private static void Method(Findings f, string path, GRPCMethodMatch? method)
    {
        if (method is null) return;
        f.ErrorIf(!method.HasService && !method.HasMethod, Codes.Route, path, "One or both of 'service' or 'method' must be specified");
        var isExact = !method.HasType || method.Type == "Exact";
        f.ErrorIf(isExact && method.HasService && !ServiceForm().IsMatch(method.Service), Codes.Route, path + ".service",
            "service must only contain valid characters");
        f.ErrorIf(isExact && method.HasMethod && !MethodForm().IsMatch(method.Method), Codes.Route, path + ".method",
            "method must only contain valid characters");
    }

    [GeneratedRegex("^(?i)\\.?[a-z_][a-z_0-9]*(\\.[a-z_][a-z_0-9]*)*$")]
    private static partial Regex ServiceForm();

    [GeneratedRegex("^[A-Za-z_][A-Za-z_0-9]*$")]
    private static partial Regex MethodForm();
}
