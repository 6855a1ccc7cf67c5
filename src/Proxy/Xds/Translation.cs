using System.Collections.Concurrent;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Exchanges.Heads;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.Istio;

namespace Lateen.Proxy.Xds;

/// <summary>Everything that translators lean on, made once for a proxy.</summary>
internal sealed class Translation
{
    private readonly ConcurrentDictionary<string, RouteSource> _routes = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, string> _routePrefixes = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Listeners.ListenerCounters> _listeners = new(StringComparer.Ordinal);

    /// <summary>Who we are: the node's metadata is read by Istio's filters.</summary>
    public required Envoy.Config.Core.V3.Node Node { get; init; }

    /// <summary>The host's own address; kind None where it is unknown.</summary>
    public Net.Address OwnAddress { get; init; }

    /// <summary>True while the proxy was told to fail health checks. Null for never.</summary>
    public Func<bool>? Failing { get; init; }

    /// <summary>All that is counted. Filters take their groups and counters here when they are translated.</summary>
    public required Statistics.StatStore Statistics { get; init; }

    /// <summary>Number of workers.</summary>
    public required int Workers { get; init; }

    /// <summary>Clusters by name.</summary>
    public required ClusterDirectory Clusters { get; init; }

    /// <summary>The workers' upstream sides.</summary>
    public required Upstream.Upstreams Upstreams { get; init; }

    /// <summary>Transport sockets.</summary>
    public required SecurityTranslator Security { get; init; }

    /// <summary>Access logs.</summary>
    public required AccessLogTranslator Logs { get; init; }

    /// <summary>HTTP filters.</summary>
    public required FilterRegistry Filters { get; init; }

    /// <summary>Routes.</summary>
    public required RouteTranslator Routes { get; init; }

    /// <summary>Who the peers of exchanges are.</summary>
    public required PeerCodec Peers { get; init; }

    /// <summary>The last decisions.</summary>
    public required Telemetry.DecisionRing Decisions { get; init; }

    /// <summary>Istio's standard metrics.</summary>
    public required IstioMetrics Metrics { get; init; }

    /// <summary>Whether the listener that is being translated takes traffic towards the workload.</summary>
    public bool IsInbound { get; set; }

    /// <summary>What the overload manager wants of connections.</summary>
    public Exchanges.Heads.OverloadSwitches Overload { get; init; } = new();

    /// <summary>Whether it takes traffic that leaves the workload.</summary>
    public bool IsOutbound { get; set; }

    /// <summary>Values of the bootstrap's runtime layers, by key.</summary>
    public required RuntimeValues Runtime { get; init; }

    /// <summary>The counters of a listener by its prefix: a changed listener goes on with them.</summary>
    public Listeners.ListenerCounters ListenerCounters(string prefix) =>
        _listeners.GetOrAdd(prefix, p => Listeners.ListenerCounters.In(Statistics, p));

    /// <summary>Prefix of the connection manager that is being translated, as <c>http.PREFIX.</c>; its filters' counters stand below
    /// it.</summary>
    public string HttpStatPrefix { get; set; } = "";

    /// <summary>Prefix of the listener that is being translated, as <c>listener.PREFIX.</c>.</summary>
    public string ListenerStatPrefix { get; set; } = "";

    /// <summary>Under which name answers for a route configuration are counted: that of the first manager that asked for it.</summary>
    public string RoutesPrefix(string name) => _routePrefixes.GetOrAdd(name, n => $"{HttpStatPrefix}rds.{n.Replace(':', '_')}.");

    /// <summary>Takes lines for the operator's log. Called on any thread.</summary>
    public Action<string> Say { get; init; } = static _ => { };

    /// <summary>Runtime values that come by discovery.</summary>
    public required Discovery.RuntimeSources RuntimeSources { get; init; }

    /// <summary>Filters whose settings come by discovery.</summary>
    public Discovery.ExtensionSources Extensions { get; } = new();

    /// <summary>The source of a route configuration by name (RDS): the same for all listeners that name it.</summary>
    public RouteSource RouteSource(string name) => _routes.GetOrAdd(name, static n => new RouteSource(n));

    /// <summary>Nobody asks for a route configuration any more: what still uses it keeps its last table (given here; null where there was
    /// none), who names it again gets another source.</summary>
    public Routing.RouteTable? ForgetRoutes(string name) => _routes.TryRemove(name, out RouteSource? source) ? source.Current : null;

    /// <summary>All route configurations that listeners ask for.</summary>
    public IEnumerable<RouteSource> RouteSources => _routes.Values;
}
