using System.Text.Json.Nodes;
using Envoy.Admin.V3;
using Envoy.Config.Route.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Documents;
using Lateen.ControlPlane.Ads;
using Lateen.ControlPlane.Operator;
using Lateen.Pilot.Generation;
using Microsoft.AspNetCore.Http;

namespace Lateen.ControlPlane.Debug;

/// <summary>The pages about one proxy: what it is sent, rendered anew from the newest snapshot.</summary>
internal static class ProxyPages
{
    public static DebugPage ConfigDump(ControlLoop loop, QueryFields query, bool pretty)
    {
        if (Find(loop, query, out DebugPage refusal) is not { } stream) return refusal;
        string version = stream.Session.Scope!.Snapshot.Revision;
        var clusters = new ClustersConfigDump { VersionInfo = version };
        foreach (WireResource cluster in Of(loop, stream, TypeUrls.Cluster)) clusters.DynamicActiveClusters.Add(new ClustersConfigDump.Types.DynamicCluster { VersionInfo = version, Cluster = cluster.Body });
        var listeners = new ListenersConfigDump { VersionInfo = version };
        foreach (WireResource listener in Of(loop, stream, TypeUrls.Listener))
            listeners.DynamicListeners.Add(new ListenersConfigDump.Types.DynamicListener { Name = listener.Name, ActiveState = new() { VersionInfo = version, Listener = listener.Body } });
        var routes = new RoutesConfigDump();
        foreach (WireResource route in Of(loop, stream, TypeUrls.Route)) routes.DynamicRouteConfigs.Add(new RoutesConfigDump.Types.DynamicRouteConfig { VersionInfo = version, RouteConfig = Whole(loop, stream, route) });
        var dump = new ConfigDump();
        foreach (IMessage part in new IMessage[] { clusters, listeners, routes }) dump.Configs.Add(Any.Pack(part));
        return DebugPage.Json(MessageWriter.ToJson(dump, pretty));
    }

    public static DebugPage Edsz(ControlLoop loop, QueryFields query, bool pretty) => Configs(loop, query, pretty, TypeUrls.Endpoint);

    public static DebugPage Ecdsz(ControlLoop loop, QueryFields query, bool pretty) => Configs(loop, query, pretty, TypeUrls.ExtensionConfig);

    public static DebugPage Ndsz(ControlLoop loop, QueryFields query, bool pretty)
    {
        if (Find(loop, query, out DebugPage refusal) is not { } stream) return refusal;
        IReadOnlyList<WireResource> tables = Of(loop, stream, TypeUrls.NameTable);
        return DebugPage.Json(tables.Count == 0 ? "{}" : MessageWriter.ToJson(tables[0].Message, pretty));
    }

    private static DebugPage Configs(ControlLoop loop, QueryFields query, bool pretty, string typeUrl)
    {
        if (Find(loop, query, out DebugPage refusal) is not { } stream) return refusal;
        var dump = new ConfigDump();
        dump.Configs.AddRange(Of(loop, stream, typeUrl).Select(resource => resource.Body));
        return DebugPage.Json(MessageWriter.ToJson(dump, pretty));
    }

    // With the virtual hosts that the proxy gets apart from it.
    private static Any Whole(ControlLoop loop, AdsStream stream, WireResource route)
    {
        IReadOnlyList<WireResource> hosts = loop.Hub.Generate(TypeUrls.VirtualHost, stream.Session.Scope!, new HashSet<string> { route.Name });
        if (hosts.Count == 0) return route.Body;
        var whole = (RouteConfiguration)route.Message;
        whole.VirtualHosts.Add(hosts.Select(host => (VirtualHost)host.Message));
        return Any.Pack(whole);
    }

    // Types that are asked for by name are shown as far as the proxy asked for them.
    private static IReadOnlyList<WireResource> Of(ControlLoop loop, AdsStream stream, string typeUrl)
    {
        if (stream.Session.Scope is not { } scope) return [];
        bool wildcard = typeUrl is TypeUrls.Cluster or TypeUrls.Listener or TypeUrls.NameTable;
        if (wildcard) return loop.Hub.Generate(typeUrl, scope, null);
        return loop.Hub.Generate(typeUrl, scope, stream.Session.Asked(typeUrl));
    }

    private static AdsStream? Find(ControlLoop loop, QueryFields query, out DebugPage refusal)
    {
        refusal = DebugPage.Refusal(StatusCodes.Status400BadRequest, "You must provide a proxyID in the query string");
        if (query["proxyID"] is not { } name) return null;
        refusal = DebugPage.Refusal(StatusCodes.Status404NotFound, "Proxy not connected to this Pilot instance. It may be connected to another instance.");
        return loop.Streams.Open.FirstOrDefault(stream => stream.Session.Scope is not null && stream.Session.Node?.WorkloadId == name);
    }
}
