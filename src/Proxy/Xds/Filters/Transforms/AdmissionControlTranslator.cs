using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.AdmissionControl;
using Core = Envoy.Config.Core.V3;
using Criteria = Envoy.Extensions.Filters.Http.AdmissionControl.V3.AdmissionControl.Types.SuccessCriteria;
using Message = Envoy.Extensions.Filters.Http.AdmissionControl.V3.AdmissionControl;

namespace Lateen.Proxy.Xds.Filters.Transforms;

/// <summary>envoy.filters.http.admission_control.</summary>
internal sealed class AdmissionControlTranslator : FilterTranslator
{
    private const long WindowMicros = 30_000_000;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Types => ["envoy.extensions.filters.http.admission_control.v3.AdmissionControl"];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, Message.Parser, rejections) is not { } m)
            return null;
        if (m.SuccessCriteria is null)
            rejections.Add("Evaluation criteria not set");
        var settings = new AdmissionControlSettings
        {
            Enabled = CompressorTranslator.Flag(m.Enabled, true),
            EnabledKey = m.Enabled?.RuntimeKey ?? "",
            Criteria = Of(m.SuccessCriteria, rejections),
            WindowSeconds = Math.Max(1, ValueTranslator.Micros(m.SamplingWindow, WindowMicros) / 1_000_000),
            Aggression = m.Aggression is { } a ? new RuntimeNumber(a.DefaultValue, a.RuntimeKey) : new RuntimeNumber(1, ""),
            SuccessPercent = Percent(m.SrThreshold, 95, rejections),
            RequestsPerSecond = m.RpsThreshold is { } rps ? new RuntimeNumber(rps.DefaultValue, rps.RuntimeKey) : new RuntimeNumber(0, ""),
            RejectionPercentMax = Percent(m.MaxRejectionProbability, 80, rejections),
            Runtime = translation.Runtime,
        };
        if (settings.SuccessPercent.Default < 1)
            rejections.Add("Success rate threshold cannot be less than 1.0%.");
        return new AdmissionControlFilter(name, settings, translation.Workers,
            translation.Statistics.Group($"{translation.HttpStatPrefix}admission_control.", AdmissionControlFilter.Counted))
        {
            DisabledByDefault = disabled,
        };
    }

    private static RuntimeNumber Percent(Core.RuntimePercent? percent, double absent, Rejections rejections)
    {
        if (percent is null)
            return new RuntimeNumber(absent, "");
        double value = percent.DefaultValue?.Value ?? 0;
        if (value is not (>= 0 and <= 100))
            rejections.Add(
                $"a percentage must be inside range [0, 100], not {value.ToString(System.Globalization.CultureInfo.InvariantCulture)}");
        return new RuntimeNumber(value, percent.RuntimeKey);
    }

    private static SuccessCriteria Of(Criteria? criteria, Rejections rejections)
    {
        using Rejections.Scope scope = rejections.In("success_criteria");
        foreach (Envoy.Type.V3.Int32Range range in criteria?.HttpCriteria?.HttpSuccessStatus ?? [])
        {
            if (range.Start > range.End || range.Start < 100 || range.End > 600)
                rejections.Add($"invalid HTTP range: [{range.Start}, {range.End})");
        }
        uint[]? grpc = criteria?.GrpcCriteria?.GrpcSuccessStatus.ToArray();
        foreach (uint code in grpc ?? [])
        {
            if (code > 16)
                rejections.Add($"invalid gRPC code {code}");
        }
        if (criteria is { HttpCriteria.HttpSuccessStatus.Count: 0 })
            rejections.Add("http_criteria: http_success_status must contain at least 1 item");
        if (grpc is { Length: 0 })
            rejections.Add("grpc_criteria: grpc_success_status must contain at least 1 item");
        return new SuccessCriteria(criteria?.HttpCriteria?.HttpSuccessStatus.Select(static r => (r.Start, r.End)),
            grpc?.Where(static c => c <= 16));
    }
}
