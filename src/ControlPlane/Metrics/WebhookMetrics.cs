using System.Text;
using Lateen.Config.Resources;
using Lateen.ControlPlane.Injection;

namespace Lateen.ControlPlane.Metrics;

/// <summary>What API servers asked, under istiod's names. Written by the control loop.</summary>
public sealed class WebhookMetrics
{
    private static readonly double[] Seconds = [0.1, 1];

    private readonly CounterFamily _passed =
        new("galley_validation_passed", "Resources that were accepted.", "group", "version", "resource");
    private readonly CounterFamily _failed =
        new("galley_validation_failed", "Resources that were refused.", "group", "version", "resource", "reason");
    private readonly CounterFamily _unread =
        new("galley_validation_http_error", "Requests that were no reviews, by HTTP status.", "status");
    private readonly CounterFamily _asked = new("sidecar_injection_requests_total", "Pods that were to be looked at.");
    private readonly CounterFamily _injected = new("sidecar_injection_success_total", "Pods that got a sidecar.");
    private readonly CounterFamily _notInjected = new("sidecar_injection_failure_total", "Pods that could not get one.");
    private readonly CounterFamily _skipped = new("sidecar_injection_skip_total", "Pods that need none.");
    private readonly HistogramFamily _took = new("sidecar_injection_time_seconds", "Time to look at a pod.", Seconds);

    /// <summary>A resource was accepted or refused.</summary>
    public void Validated(ResourceKind kind, bool accepted)
    {
        // istiod's plural is naive, and dashboards know it so.
        string resource = kind.Name.ToLowerInvariant() + "s";
        if (accepted) _passed.Add(1, kind.Group, kind.Versions[0], resource);
        else _failed.Add(1, kind.Group, kind.Versions[0], resource, "invalid_resource");
    }

    /// <summary>A request to the validating webhook was refused before anybody looked into it.</summary>
    public void Unread(int status) => _unread.Add(1, status.ToString(System.Globalization.CultureInfo.InvariantCulture));

    /// <summary>A pod was looked at.</summary>
    public void Injected(InjectionOutcome outcome, TimeSpan took)
    {
        _asked.Add(1);
        (outcome switch { InjectionOutcome.Injected => _injected, InjectionOutcome.Skipped => _skipped, _ => _notInjected }).Add(1);
        _took.Record(took.TotalSeconds);
    }

    /// <summary>Appends everything in Prometheus' text form.</summary>
    public void WriteTo(StringBuilder text)
    {
        foreach (MetricFamily family in (MetricFamily[])[_failed, _unread, _passed, _notInjected, _asked, _skipped, _injected, _took])
            family.WriteTo(text);
    }
}
