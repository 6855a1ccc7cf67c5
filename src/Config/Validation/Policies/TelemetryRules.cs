using Istio.Telemetry.V1Alpha1;
using Codes = Lateen.Config.Validation.ValidationCodes;
using Operation = Istio.Telemetry.V1Alpha1.MetricsOverrides.Types.TagOverride.Types.Operation;

namespace Lateen.Config.Validation.Policies;

/// <summary>Telemetry.</summary>
internal static class TelemetryRules
{
    public static void Check(Findings f, Telemetry telemetry)
    {
        Rules.Attachment(f, telemetry.Selector, telemetry.TargetRef, telemetry.TargetRefs);
        f.WarnIf(telemetry.Tracing.Count > 1, Codes.OnlyOneProvider, "spec.tracing", "multiple tracing is not currently supported");
        for (var i = 0; i < telemetry.Tracing.Count; i++) Tracing(f, $"spec.tracing[{i}]", telemetry.Tracing[i]);
        for (var i = 0; i < telemetry.Metrics.Count; i++) Metrics(f, $"spec.metrics[{i}]", telemetry.Metrics[i]);
        for (var i = 0; i < telemetry.AccessLogging.Count; i++)
        {
            var (logging, path) = (telemetry.AccessLogging[i], $"spec.accessLogging[{i}]");
            Providers(f, path, logging.Providers);
            f.ErrorIf(FilterProblem(logging.Filter), Codes.Telemetry, path + ".filter.expression");
        }
    }

    /// <summary>Why the filter's expression cannot be CEL, or null. Names and types are checked by the proxy, which knows them.</summary>
    public static string? FilterProblem(AccessLogging.Types.Filter? filter) => filter is null ? null : CelSyntax.Problem(filter.Expression);

    private static void Tracing(Findings f, string path, Tracing tracing)
    {
        Providers(f, path, tracing.Providers);
        f.WarnIf(tracing.Providers.Count > 1, Codes.OnlyOneProvider, path + ".providers", "multiple providers is not currently supported");
        f.ErrorIf(tracing.RandomSamplingPercentage is { } percent && !(percent is >= 0 and <= 100), Codes.BadPercent,
            path + ".randomSamplingPercentage", "randomSamplingPercentage must be in range [0.0, 100.0]");
        foreach (var (name, tag) in tracing.CustomTags)
        {
            var at = path + ".customTags";
            f.ErrorIf(name.Length == 0, Codes.Telemetry, at, "tag name may not be empty");
            var isEmpty = tag.TypeCase switch
            {
                Istio.Telemetry.V1Alpha1.Tracing.Types.CustomTag.TypeOneofCase.Literal => tag.Literal.Value.Length == 0,
                Istio.Telemetry.V1Alpha1.Tracing.Types.CustomTag.TypeOneofCase.Environment => tag.Environment.Name.Length == 0,
                Istio.Telemetry.V1Alpha1.Tracing.Types.CustomTag.TypeOneofCase.Header => tag.Header.Name.Length == 0,
                Istio.Telemetry.V1Alpha1.Tracing.Types.CustomTag.TypeOneofCase.Formatter => tag.Formatter.Value.Length == 0,
                _ => true,
            };
            f.ErrorIf(isEmpty, Codes.Telemetry, at, $"tag '{name}' may not have a nil value");
        }
    }

    private static void Metrics(Findings f, string path, Metrics metrics)
    {
        Providers(f, path, metrics.Providers);
        Rules.Duration(f, path + ".reportingInterval", metrics.ReportingInterval);
        for (var i = 0; i < metrics.Overrides.Count; i++)
        {
            var (change, at) = (metrics.Overrides[i], $"{path}.overrides[{i}]");
            f.ErrorIf(change.Match is { MetricMatchCase: MetricSelector.MetricMatchOneofCase.CustomMetric, CustomMetric.Length: 0 },
                Codes.Telemetry, at + ".match.customMetric", "customMetric may not be empty");
            foreach (var (tag, value) in change.TagOverrides)
            {
                f.ErrorIf(tag.Length == 0, Codes.Telemetry, at + ".tagOverrides", "tag name may not be empty");
                f.ErrorIf(value.Operation == Operation.Upsert && value.Value.Length == 0, Codes.Telemetry, at + ".tagOverrides",
                    $"tag {tag}: value must be set when operation is UPSERT");
                f.ErrorIf(value.Operation == Operation.Remove && value.Value.Length > 0, Codes.Telemetry, at + ".tagOverrides",
                    $"tag {tag}: value must not be set when operation is REMOVE");
            }
        }
    }

    private static void Providers(Findings f, string path, IEnumerable<ProviderRef> providers) =>
        f.ErrorIf(providers.Any(p => p.Name.Length == 0), Codes.Telemetry, path + ".providers", "providers.name may not be empty");
}
