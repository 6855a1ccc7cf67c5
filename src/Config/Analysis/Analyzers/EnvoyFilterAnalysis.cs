using Lateen.Config.Resources;
using ApplyTo = Istio.Networking.V1Alpha3.EnvoyFilter.Types.ApplyTo;
using Codes = Lateen.Config.Analysis.AnalysisCodes;
using Operation = Istio.Networking.V1Alpha3.EnvoyFilter.Types.Patch.Types.Operation;

namespace Lateen.Config.Analysis.Analyzers;

/// <summary>Patches whose effect depends on others, or that have none.</summary>
internal static class EnvoyFilterAnalysis
{
    public static void Run(AnalysisContext context)
    {
        foreach (var filter in context.View.All(Kinds.EnvoyFilter))
        {
            var (relative, versioned) = (-1, -1);
            for (var i = 0; i < filter.Spec.ConfigPatches.Count; i++)
            {
                var patch = filter.Spec.ConfigPatches[i];
                var operation = patch.Patch?.Operation ?? Operation.Invalid;
                Misused(context, filter, $"spec.configPatches[{i}].patch.operation", patch.ApplyTo, operation);
                if (filter.Spec.Priority == 0 && IsRelative(patch.ApplyTo, operation))
                {
                    relative = relative < 0 ? i : relative;
                    versioned = versioned < 0 && patch.Match?.Proxy is { ProxyVersion.Length: > 0 } ? i : versioned;
                }
            }

            if (relative >= 0)
            {
                context.Report(Codes.EnvoyFilterUsesRelativeOperation, filter, $"spec.configPatches[{relative}].patch.operation",
                    "the operation depends on the place of other filters, and there is no priority");
            }

            if (versioned >= 0)
            {
                context.Report(Codes.EnvoyFilterUsesRelativeOperationWithProxyVersion, filter,
                    $"spec.configPatches[{versioned}].match.proxy.proxyVersion",
                    "the operation depends on the place of other filters and on the proxy's version");
            }
        }
    }

    private static bool IsRelative(ApplyTo applyTo, Operation operation) =>
        operation is Operation.InsertBefore or Operation.InsertAfter
        || (operation is Operation.Replace or Operation.Merge or Operation.MergeAndReplaceList or Operation.Remove
            && applyTo is ApplyTo.HttpFilter or ApplyTo.NetworkFilter
            && operation is not (Operation.Add or Operation.InsertFirst or Operation.Invalid));

    private static void Misused(AnalysisContext context, Resource filter, string path, ApplyTo applyTo, Operation operation)
    {
        var isRoute = applyTo is ApplyTo.RouteConfiguration or ApplyTo.HttpRoute;
        if (operation == Operation.Replace && applyTo is not (ApplyTo.HttpFilter or ApplyTo.NetworkFilter))
        {
            context.Report(Codes.EnvoyFilterUsesReplaceOperationIncorrectly, filter, path, $"REPLACE on {applyTo}");
        }
        else if (operation == Operation.Add && isRoute)
            context.Report(Codes.EnvoyFilterUsesAddOperationIncorrectly, filter, path, $"ADD on {applyTo}");
        else if (operation == Operation.Remove && isRoute)
            context.Report(Codes.EnvoyFilterUsesRemoveOperationIncorrectly, filter, path, $"REMOVE on {applyTo}");
    }
}
