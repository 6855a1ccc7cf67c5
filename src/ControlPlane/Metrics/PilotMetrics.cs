using System.Text;
using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Lateen.Config.Resources;
using Lateen.ControlPlane.Ads;
using Lateen.Pilot.Generation;

namespace Lateen.ControlPlane.Metrics;

/// <summary>The metrics of configuration and discovery, under istiod's names.</summary>
public sealed class PilotMetrics
{
    private static readonly double[] Seconds = [0.01, 0.1, 0.5, 1, 3, 5, 10, 20, 30];
    private static readonly double[] ShortSeconds = [0.01, 0.1, 0.5, 1, 3, 5];
    private static readonly double[] Bytes = [1, 10_000, 1_000_000, 4_000_000, 10_000_000, 40_000_000];

    private readonly CounterFamily _pushes = new("pilot_xds_pushes", "Responses sent, by type.", "type");
    private readonly CounterFamily _rejects = new("pilot_total_xds_rejects", "Responses that proxies refused, by type.", "type");
    private readonly CounterFamily _cdsReject = new("pilot_xds_cds_reject", "Cluster responses that proxies refused.");
    private readonly CounterFamily _edsReject = new("pilot_xds_eds_reject", "Endpoint responses that proxies refused.");
    private readonly CounterFamily _ldsReject = new("pilot_xds_lds_reject", "Listener responses that proxies refused.");
    private readonly CounterFamily _rdsReject = new("pilot_xds_rds_reject", "Route responses that proxies refused.");
    private readonly CounterFamily _faults = new("pilot_total_xds_internal_errors", "Faults of the control plane itself.");
    private readonly CounterFamily _expired =
        new("pilot_xds_expired_nonce", "Answers to a response that was not the last one, by type.", "type");
    private readonly GaugeFamily _connected = new("pilot_xds", "Proxies connected, by their version.", "version");
    private readonly HistogramFamily _size = new("pilot_xds_config_size_bytes", "Size of responses.", Bytes, "type");
    private readonly GaugeFamily _largest = new("pilot_xds_recv_max", "Largest request received, in bytes.");
    private readonly CounterFamily _triggers = new("pilot_push_triggers", "What made configuration be compiled anew, by cause.", "type");
    private readonly CounterFamily _inbound = new("pilot_inbound_updates", "Changes taken in, by kind.", "type");
    private readonly HistogramFamily _compile = new("pilot_pushcontext_init_seconds", "Time to compile a snapshot.", ShortSeconds);
    private readonly HistogramFamily _debounce = new("pilot_debounce_time", "Time from the first change to its compilation.", Seconds);
    private readonly HistogramFamily _convergence =
        new("pilot_proxy_convergence_time", "Time from a change to the moment a proxy was sent it and answered.", Seconds);
    private readonly GaugeFamily _services = new("pilot_services", "Services known.");
    private readonly GaugeFamily _virtualServices = new("pilot_virt_services", "VirtualServices known.");
    private readonly CounterFamily _cfgEvents =
        new("pilot_k8s_cfg_events", "Resources of configuration that changed, by kind.", "event", "type");
    private readonly CounterFamily _regEvents =
        new("pilot_k8s_reg_events", "Resources of the registry that changed, by kind.", "event", "type");
    private readonly CounterFamily _untargeted =
        new("pilot_k8s_proxies_with_no_service_targets", "Proxies that came and are no service's.", "reason");
    private readonly HistogramFamily _pushTime = new("pilot_xds_push_time", "Time to make a response, by type.", Seconds, "type");
    private readonly GaugeFamily _build = new("istio_build", "Component and version.", "component", "tag");
    private readonly GaugeFamily _info = new("pilot_info", "Version of the control plane.", "version");
    private readonly GaugeFamily _uptime = new("istiod_uptime_seconds", "Seconds since the start.");
    private readonly DateTimeOffset _started;
    private long _largestRequest;

    /// <summary>Begins to count.</summary>
    public PilotMetrics(string version, DateTimeOffset now)
    {
        _started = now;
        _build.Set(1, "pilot", version);
        _info.Set(1, version);
    }

    /// <summary>What API servers asked.</summary>
    public WebhookMetrics Webhooks { get; } = new();

    /// <summary>A response went out.</summary>
    public void Pushed(string typeUrl, int bytes, TimeSpan took)
    {
        string type = AdsStreams.ShortName(typeUrl).ToLowerInvariant();
        _pushTime.Record(took.TotalSeconds, type);
        _pushes.Add(1, type);
        _size.Record(bytes, type);
    }

    /// <summary>A request came in.</summary>
    public void Received(int bytes)
    {
        if (bytes <= _largestRequest) return;
        _largestRequest = bytes;
        _largest.Set(bytes);
    }

    /// <summary>A proxy refused a response.</summary>
    public void Rejected(string typeUrl)
    {
        _rejects.Add(1, AdsStreams.ShortName(typeUrl).ToLowerInvariant());
        CounterFamily? own = typeUrl switch
        {
            TypeUrls.Cluster => _cdsReject,
            TypeUrls.Endpoint => _edsReject,
            TypeUrls.Listener => _ldsReject,
            TypeUrls.Route => _rdsReject,
            _ => null,
        };
        own?.Add(1);
    }

    /// <summary>A fault of ours was contained.</summary>
    public void Faulted() => _faults.Add(1);

    /// <summary>A proxy answered something older than the last response.</summary>
    public void NonceExpired(string typeUrl) => _expired.Add(1, AdsStreams.ShortName(typeUrl).ToLowerInvariant());

    /// <summary>A resource changed.</summary>
    public void Changed(ResourceKind kind, string action)
    {
        if (kind.IsConfiguration) _cfgEvents.Add(1, action, kind.Name);
        else _regEvents.Add(1, action, kind.Name);
        _inbound.Add(1, kind.Name switch
        {
            "EndpointSlice" or "Endpoints" => "eds",
            "Service" => action == "delete" ? "svcdelete" : "svc",
            _ => "config",
        });
    }

    /// <summary>A proxy came that runs beside no service's endpoint.</summary>
    /// <param name="isKnown">Its pod is known: no service selects it.</param>
    public void Untargeted(bool isKnown) => _untargeted.Add(1, isKnown ? "no_service" : "no_pod");

    /// <summary>A snapshot was compiled.</summary>
    public void Compiled(string cause, TimeSpan waited, TimeSpan took, int serviceCount, int virtualServiceCount)
    {
        _triggers.Add(1, cause);
        _debounce.Record(waited.TotalSeconds);
        _compile.Record(took.TotalSeconds);
        _services.Set(serviceCount);
        _virtualServices.Set(virtualServiceCount);
    }

    /// <summary>A proxy has settled on a change.</summary>
    public void Converged(TimeSpan took) => _convergence.Record(took.TotalSeconds);

    /// <summary>Everything in Prometheus' text form.</summary>
    public string Text(AdsStreams streams, DateTimeOffset now)
    {
        _connected.Clear();
        foreach (var group in streams.Open.GroupBy(stream => stream.Session.Node?.Metadata.IstioVersion ?? ""))
            _connected.Set(group.Count(), group.Key);
        _uptime.Set((now - _started).TotalSeconds);
        var text = new StringBuilder(8192);
        MetricFamily[] families =
        [
            _build, _uptime, _debounce, _inbound, _info, _cfgEvents, _convergence, _triggers, _compile, _services, _faults, _rejects,
            _virtualServices,
            _connected, _cdsReject, _size, _edsReject, _expired, _ldsReject, _pushes, _rdsReject, _largest,
            _regEvents, _untargeted, _pushTime,
        ];
        foreach (MetricFamily family in families) family.WriteTo(text);
        Webhooks.WriteTo(text);
        return text.ToString();
    }
}
