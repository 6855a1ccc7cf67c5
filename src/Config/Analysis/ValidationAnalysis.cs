using Lateen.Config.Resources;
using Lateen.Config.Validation;

namespace Lateen.Config.Analysis;

/// <summary>What validation says of each object, under Istio's two codes for it.</summary>
internal static class ValidationAnalysis
{
    public static void Run(AnalysisContext context)
    {
        foreach (var resource in context.View.Everything().Concat(context.View.Held.Values.Select(h => h.Resource)).Where(r => r.Kind.IsConfiguration))
        {
            foreach (var finding in Validator.Check(resource))
            {
                context.Report(finding.IsError ? AnalysisCodes.SchemaValidationError : AnalysisCodes.SchemaWarning, resource, finding.Path, $"{finding.Code.Id}: {finding.Text}");
            }
        }
    }
}
