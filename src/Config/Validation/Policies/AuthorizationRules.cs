using Istio.Security.V1Beta1;
using Lateen.Api.Names;
using Action = Istio.Security.V1Beta1.AuthorizationPolicy.Types.Action;
using Codes = Lateen.Config.Validation.ValidationCodes;

namespace Lateen.Config.Validation.Policies;

/// <summary>AuthorizationPolicy.</summary>
internal static class AuthorizationRules
{
    private const string DryRun = "istio.io/dry-run";

    public static void Check(Findings f, AuthorizationPolicy policy, IReadOnlyDictionary<string, string> annotations)
    {
        Rules.Attachment(f, policy.Selector, policy.TargetRef, policy.TargetRefs);
        if (annotations.TryGetValue(DryRun, out var dryRun))
        {
            f.ErrorIf(!bool.TryParse(dryRun, out _), Codes.BadAnnotation, "metadata.annotations",
                $"{DryRun} must be true or false, not \"{dryRun}\"");
            f.ErrorIf(policy.Action is not (Action.Allow or Action.Deny), Codes.BadAnnotation, "metadata.annotations",
                $"{DryRun} works with the actions ALLOW and DENY only");
        }

        ActionFits(f, policy);
        f.ErrorIf(policy.Rules.Count > 512, Codes.OutOfRange, "spec.rules", "more than 512 rules");
        for (var i = 0; i < policy.Rules.Count; i++) Rule(f, $"spec.rules[{i}]", policy.Rules[i], policy.Action);
    }

    private static void ActionFits(Findings f, AuthorizationPolicy policy)
    {
        var hasProvider = policy.ActionDetailCase == AuthorizationPolicy.ActionDetailOneofCase.Provider;
        if (policy.Action == Action.Custom)
        {
            f.ErrorIf(policy.Rules.Count == 0, Codes.Custom, "spec.rules", "CUSTOM policy without rules is meaningless and has no effect");
            f.ErrorIf(!hasProvider || policy.Provider.Name.Length == 0, Codes.Custom, "spec.provider",
                "provider.name must not be empty with CUSTOM action");
        }
        else
        {
            f.ErrorIf(hasProvider, Codes.Custom, "spec.provider", "provider must not be with non CUSTOM action");
            f.ErrorIf(policy.Action == Action.Deny && policy.Rules.Count == 0, Codes.Rule, "spec.rules",
                "DENY policy without rules is meaningless and has no effect");
        }
    }

    private static void Rule(Findings f, string path, Rule rule, Action action)
    {
        for (var i = 0; i < rule.From.Count; i++)
            SourceRules.Check(f, $"{path}.from[{i}].source", rule.From[i].Source, action == Action.Custom);
        for (var i = 0; i < rule.To.Count; i++) Operation(f, $"{path}.to[{i}].operation", rule.To[i].Operation);
        for (var i = 0; i < rule.When.Count; i++) ConditionRules.Check(f, $"{path}.when[{i}]", rule.When[i], action == Action.Custom);
        if (action == Action.Deny) OnlyHttp(f, path, rule);
    }

    private static void Operation(Findings f, string path, Operation? operation)
    {
        if (operation is null)
        {
            f.Error(Codes.Rule, path, "operation must not be empty");
            return;
        }

        f.ErrorIf(operation.Equals(new Operation()), Codes.Rule, path, "operation must not be empty");
        Values(f, path + ".hosts", operation.Hosts, operation.NotHosts);
        Values(f, path + ".ports", operation.Ports, operation.NotPorts);
        Values(f, path + ".methods", operation.Methods, operation.NotMethods);
        Values(f, path + ".paths", operation.Paths, operation.NotPaths);
        foreach (var port in operation.Ports.Concat(operation.NotPorts).Where(p => p.Length > 0))
        {
            var isPort = int.TryParse(port, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture,
                out var number) && number is >= 1 and <= 65535;
            f.ErrorIf(!isPort, Codes.BadPort, path + ".ports", $"invalid port \"{port}\"");
        }

        foreach (var template in operation.Paths.Concat(operation.NotPaths))
            f.ErrorIf(PathTemplates.Problem(template), Codes.Rule, path + ".paths");
    }

    public static void Values(Findings f, string path, IReadOnlyList<string> values, IReadOnlyList<string> notValues) =>
        f.ErrorIf(values.Concat(notValues).Any(v => v.Length == 0), Codes.Rule, path, "empty value not allowed");

    /// <summary>TCP has no HTTP attributes; for safety a DENY then denies, which takes people by surprise.</summary>
    private static void OnlyHttp(Findings f, string path, Rule rule)
    {
        var sources = rule.From.Select(r => r.Source).OfType<Source>().ToArray();
        var usesHttp = sources.Any(s => s.RequestPrincipals.Count + s.NotRequestPrincipals.Count > 0)
            || rule.To.Select(t => t.Operation).OfType<Operation>()
                .Any(o => o.Hosts.Count + o.NotHosts.Count + o.Methods.Count + o.NotMethods.Count + o.Paths.Count + o.NotPaths.Count > 0)
            || rule.When.Any(w => w.Key.StartsWith("request.", StringComparison.Ordinal));
        var hasPorts = rule.To.Count > 0 && rule.To.All(t => t.Operation is { } o && o.Ports.Count + o.NotPorts.Count > 0);
        var portCondition = rule.When.Any(w => w.Key == "destination.port");
        f.WarnIf(usesHttp && !hasPorts && !portCondition, Codes.DenyOnTcp, path,
            "configured AuthorizationPolicy will deny all traffic to TCP ports under its scope due to the use of only HTTP attributes "
            + "in a DENY rule");
    }
}
