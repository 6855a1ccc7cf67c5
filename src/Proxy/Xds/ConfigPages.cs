using Envoy.Admin.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Documents;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Server;

namespace Lateen.Proxy.Xds;

/// <summary>Admin pages that tell of configuration: /config_dump, /clusters, /listeners, /server_info, /stats. Main loop.</summary>
internal sealed class ConfigPages(ProxyServer server, ProxyAssembly assembly)
{
    /// <summary>The pages.</summary>
    public IEnumerable<(string Path, string Help, Func<AdminRequest, AdminAnswer> Page)> All() =>
    [
        ("/config_dump", "dump current Envoy configs", ConfigDump),
        ("/clusters", "upstream cluster status", Clusters),
        ("/listeners", "print listener info", Listeners),
        ("/server_info", "print server version/status information", ServerInfo),
    ];

    private AdminAnswer ConfigDump(AdminRequest request)
    {
        var dump = new ConfigDump();
        Add(dump, new BootstrapConfigDump { Bootstrap = assembly.Bootstrap });
        Add(dump, ClusterDump());
        if (request.Query.ContainsKey("include_eds"))
            Add(dump, new EndpointsConfigDump());
        Add(dump, ListenerDump());
        Add(dump, RouteDump());
        return AdminAnswer.Json(MessageWriter.ToJson(dump, options: new WriterOptions { OriginalNames = true }));
    }

    private static void Add(ConfigDump dump, IMessage part) => dump.Configs.Add(Any.Pack(part));

    private ClustersConfigDump ClusterDump()
    {
        var dump = new ClustersConfigDump { VersionInfo = assembly.Sources.Ads?.VersionOf(ResourceTypes.Cluster) ?? "" };
        foreach ((Envoy.Config.Cluster.V3.Cluster message, string version, bool isStatic, bool warming) in assembly.Resources.Clusters)
        {
            if (isStatic)
                dump.StaticClusters.Add(new ClustersConfigDump.Types.StaticCluster { Cluster = Any.Pack(message) });
            else
                (warming ? dump.DynamicWarmingClusters : dump.DynamicActiveClusters).Add(new ClustersConfigDump.Types.DynamicCluster { VersionInfo = version, Cluster = Any.Pack(message) });
        }
        return dump;
    }

    private ListenersConfigDump ListenerDump()
    {
        var dump = new ListenersConfigDump { VersionInfo = assembly.Sources.Ads?.VersionOf(ResourceTypes.Listener) ?? "" };
        foreach ((Envoy.Config.Listener.V3.Listener message, string version, bool isStatic, bool warming) in assembly.Resources.Listeners)
        {
            if (isStatic)
            {
                dump.StaticListeners.Add(new ListenersConfigDump.Types.StaticListener { Listener = Any.Pack(message) });
                continue;
            }
            var state = new ListenersConfigDump.Types.DynamicListenerState { VersionInfo = version, Listener = Any.Pack(message) };
            dump.DynamicListeners.Add(new ListenersConfigDump.Types.DynamicListener { Name = message.Name, ActiveState = warming ? null : state, WarmingState = warming ? state : null });
        }
        return dump;
    }

    private RoutesConfigDump RouteDump()
    {
        var dump = new RoutesConfigDump();
        foreach ((Envoy.Config.Route.V3.RouteConfiguration message, string version) in assembly.Resources.Routes.Values)
            dump.DynamicRouteConfigs.Add(new RoutesConfigDump.Types.DynamicRouteConfig { VersionInfo = version, RouteConfig = Any.Pack(message) });
        return dump;
    }

    private AdminAnswer Clusters(AdminRequest request)
    {
        var text = new System.Text.StringBuilder();
        foreach (ClusterHandle handle in server.Clusters.All)
        {
            if (handle.Current is not { } view)
                continue;
            string name = handle.Name;
            text.Append(System.Globalization.CultureInfo.InvariantCulture, $"{name}::default_priority::max_connections::{view.Cluster.DefaultLimits.MaxConnections}\n");
            text.Append(System.Globalization.CultureInfo.InvariantCulture, $"{name}::added_via_api::{(assembly.Bootstrap.StaticResources?.Clusters.Any(c => c.Name == name) == true ? "false" : "true")}\n");
            foreach (Host host in view.Hosts.All)
            {
                text.Append(System.Globalization.CultureInfo.InvariantCulture, $"{name}::{host.Address}::cx_active::{host.ActiveConnections}\n");
                text.Append(System.Globalization.CultureInfo.InvariantCulture, $"{name}::{host.Address}::rq_active::{host.ActiveRequests}\n");
                text.Append(System.Globalization.CultureInfo.InvariantCulture, $"{name}::{host.Address}::rq_total::{host.Counters.Requests}\n");
                text.Append(System.Globalization.CultureInfo.InvariantCulture, $"{name}::{host.Address}::health_flags::{HostFlagNames.Text(host.Flags)}\n");
                text.Append(System.Globalization.CultureInfo.InvariantCulture, $"{name}::{host.Address}::weight::{host.Endpoint.Weight}\n");
            }
        }
        return AdminAnswer.Text(text.ToString());
    }

    private AdminAnswer Listeners(AdminRequest request) =>
        AdminAnswer.Text(string.Concat(server.Listeners.All.Values.Select(l => $"{l.Name}::{l.Address}\n")));

    private AdminAnswer ServerInfo(AdminRequest request) => AdminAnswer.Json(MessageWriter.ToJson(new ServerInfo
    {
        Version = "lateen",
        State = (ServerInfo.Types.State)server.State,
        Node = assembly.Bootstrap.Node,
        HotRestartVersion = "disabled",
        UptimeAllEpochs = Duration.FromTimeSpan(TimeSpan.FromMicroseconds(server.Main.WallClock - server.StartedAt)),
        UptimeCurrentEpoch = Duration.FromTimeSpan(TimeSpan.FromMicroseconds(server.Main.WallClock - server.StartedAt)),
    }, options: new WriterOptions { OriginalNames = true }));
}
