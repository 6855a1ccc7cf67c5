using Istio.Networking.V1Alpha3;
using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;
using Lateen.Config.Validation;

namespace Lateen.Config.Analysis.Analyzers;

/// <summary>What validation says of each object, under Istio's two codes for it.</summary>
internal static class ValidationAnalysis
{
    public static void Run(AnalysisContext context) => Run(context, null);

    public static void Run(AnalysisContext context, ResourceKind? only)
    {
        foreach (var resource in context.View.Everything().Concat(context.View.Held.Values.Select(h => h.Resource))
            .Where(r => r.Kind.IsConfiguration && (only is null || r.Kind == only)))
        {
            foreach (var finding in Validator.Check(resource))
                context.Report(CodeOf(finding, resource), resource, finding.Path, $"{finding.Code.Id}: {finding.Text}");
        }
    }

    // What can never be reached has codes of its own: one for a whole rule, one for one of several matches.
    private static DiagnosticCode CodeOf(Diagnostic finding, Resource resource)
    {
        if (finding.IsError) return AnalysisCodes.SchemaValidationError;
        if (finding.Code != ValidationCodes.Unreachable || resource is not Resource<VirtualService> service)
            return AnalysisCodes.SchemaWarning;
        var match = finding.Path.IndexOf(".match[", StringComparison.Ordinal);
        var isOneOfSeveral = match > 0
            && service.Spec.Http.Select((route, i) => (route, i))
                .Any(r => finding.Path[..match] == $"spec.http[{r.i}]" && r.route.Match.Count > 1);
        return isOneOfSeveral ? AnalysisCodes.VirtualServiceIneffectiveMatch : AnalysisCodes.VirtualServiceUnreachableRule;
    }
}
