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

    private readonly CounterFamily pushes = new("pilot_xds_pushes", "Responses sent, by type.", "type");
    private readonly CounterFamily rejects = new("pilot_total_xds_rejects", "Responses that proxies refused, by type.", "type");
    private readonly CounterFamily cdsReject = new("pilot_xds_cds_reject", "Cluster responses that proxies refused.");
    private readonly CounterFamily edsReject = new("pilot_xds_eds_reject", "Endpoint responses that proxies refused.");
    private readonly CounterFamily ldsReject = new("pilot_xds_lds_reject", "Listener responses that proxies refused.");
    private readonly CounterFamily rdsReject = new("pilot_xds_rds_reject", "Route responses that proxies refused.");
    private readonly CounterFamily faults = new("pilot_total_xds_internal_errors", "Faults of the control plane itself.");
    private readonly CounterFamily expired = new("pilot_xds_expired_nonce", "Answers to a response that was not the last one, by type.", "type");
    private readonly GaugeFamily connected = new("pilot_xds", "Proxies connected, by their version.", "version");
    private readonly HistogramFamily size = new("pilot_xds_config_size_bytes", "Size of responses.", Bytes, "type");
    private readonly GaugeFamily largest = new("pilot_xds_recv_max", "Largest request received, in bytes.");
    private readonly CounterFamily triggers = new("pilot_push_triggers", "What made configuration be compiled anew, by cause.", "type");
    private readonly CounterFamily inbound = new("pilot_inbound_updates", "Changes taken in, by kind.", "type");
    private readonly HistogramFamily compile = new("pilot_pushcontext_init_seconds", "Time to compile a snapshot.", ShortSeconds);
    private readonly HistogramFamily debounce = new("pilot_debounce_time", "Time from the first change to its compilation.", Seconds);
    private readonly HistogramFamily convergence = new("pilot_proxy_convergence_time", "Time from a change to the moment a proxy was sent it and answered.", Seconds);
    private readonly GaugeFamily services = new("pilot_services", "Services known.");
    private readonly GaugeFamily virtualServices = new("pilot_virt_services", "VirtualServices known.");
    private readonly CounterFamily cfgEvents = new("pilot_k8s_cfg_events", "Resources that changed, by kind.", "event", "type");
    private readonly CounterFamily validationPassed = new("galley_validation_passed", "Resources that were accepted.", "group", "version", "resource");
    private readonly CounterFamily validationFailed = new("galley_validation_failed", "Resources that were refused.", "group", "version", "resource", "reason");
    private readonly GaugeFamily build = new("istio_build", "Component and version.", "component", "tag");
    private readonly GaugeFamily info = new("pilot_info", "Version of the control plane.", "version");
    private readonly GaugeFamily uptime = new("istiod_uptime_seconds", "Seconds since the start.");
    private readonly DateTimeOffset started;
    private long largestRequest;

    /// <summary>Begins to count.</summary>
    public PilotMetrics(string version, DateTimeOffset now)
    {
        started = now;
        build.Set(1, "pilot", version);
        info.Set(1, version);
    }

    /// <summary>A response went out.</summary>
    public void Pushed(string typeUrl, int bytes)
    {
        string type = AdsStreams.ShortName(typeUrl).ToLowerInvariant();
        pushes.Add(1, type);
        size.Record(bytes, type);
    }

    /// <summary>A request came in.</summary>
    public void Received(int bytes)
    {
        if (bytes <= largestRequest) return;
        largestRequest = bytes;
        largest.Set(bytes);
    }

    /// <summary>A proxy refused a response.</summary>
    public void Rejected(string typeUrl)
    {
        rejects.Add(1, AdsStreams.ShortName(typeUrl).ToLowerInvariant());
        CounterFamily? own = typeUrl switch
        {
            TypeUrls.Cluster => cdsReject,
            TypeUrls.Endpoint => edsReject,
            TypeUrls.Listener => ldsReject,
            TypeUrls.Route => rdsReject,
            _ => null,
        };
        own?.Add(1);
    }

    /// <summary>A fault of ours was contained.</summary>
    public void Faulted() => faults.Add(1);

    /// <summary>A proxy answered something older than the last response.</summary>
    public void NonceExpired(string typeUrl) => expired.Add(1, AdsStreams.ShortName(typeUrl).ToLowerInvariant());

    /// <summary>A resource changed.</summary>
    public void Changed(string kind, string action)
    {
        cfgEvents.Add(1, action, kind);
        inbound.Add(1, kind switch { "EndpointSlice" or "Endpoints" => "eds", "Service" => "svc", _ => "config" });
    }

    /// <summary>A resource was accepted or refused.</summary>
    public void Validated(ResourceKind kind, bool accepted)
    {
        // istiod's plural is naive, and dashboards know it so.
        string resource = kind.Name.ToLowerInvariant() + "s";
        if (accepted) validationPassed.Add(1, kind.Group, kind.Versions[0], resource);
        else validationFailed.Add(1, kind.Group, kind.Versions[0], resource, "invalid_resource");
    }

    /// <summary>A snapshot was compiled.</summary>
    public void Compiled(string cause, TimeSpan waited, TimeSpan took, int serviceCount, int virtualServiceCount)
    {
        triggers.Add(1, cause);
        debounce.Record(waited.TotalSeconds);
        compile.Record(took.TotalSeconds);
        services.Set(serviceCount);
        virtualServices.Set(virtualServiceCount);
    }

    /// <summary>A proxy has settled on a change.</summary>
    public void Converged(TimeSpan took) => convergence.Record(took.TotalSeconds);

    /// <summary>Everything in Prometheus' text form.</summary>
    public string Text(AdsStreams streams, DateTimeOffset now)
    {
        connected.Clear();
        foreach (var group in streams.Open.GroupBy(stream => stream.Session.Node?.Metadata.IstioVersion ?? "")) connected.Set(group.Count(), group.Key);
        uptime.Set((now - started).TotalSeconds);
        var text = new StringBuilder(8192);
        MetricFamily[] families =
        [
            validationFailed, validationPassed, build, uptime, debounce, inbound, info, cfgEvents, convergence, triggers, compile, services, faults, rejects, virtualServices,
            connected, cdsReject, size, edsReject, expired, ldsReject, pushes, rdsReject, largest,
        ];
        foreach (MetricFamily family in families) family.WriteTo(text);
        return text.ToString();
    }
}
