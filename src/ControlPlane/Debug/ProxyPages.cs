using System.Text.Json.Nodes;
using Envoy.Admin.V3;
using Envoy.Config.Core.V3;
using Envoy.Config.Route.V3;
using Envoy.Extensions.TransportSockets.Tls.V3;
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
    /// <summary>The proxy is not connected here.</summary>
    public static DebugPage NotHere =>
        DebugPage.Refusal(StatusCodes.Status404NotFound,
            "Proxy not connected to this Pilot instance. It may be connected to another instance.");

    public static DebugPage ConfigDump(ControlLoop loop, QueryFields query, bool pretty)
    {
        if (Find(loop, query, out DebugPage refusal) is not { } stream) return refusal;
        if (query["types"] is not { } types)
            return DebugPage.Json(MessageWriter.ToJson(Dump(loop, stream, query["include_eds"] == "true"), pretty));
        var some = new ConfigDump();
        foreach (string typeUrl in types.Split(',').Select(TypeOf).OfType<string>())
            some.Configs.Add(Of(loop, stream, typeUrl)
                .Select(resource => typeUrl == TypeUrls.Secret ? Any.Pack(Redacted(resource)) : resource.Body));
        return DebugPage.Json(MessageWriter.ToJson(some, pretty));
    }

    /// <summary>What a proxy is sent, as Envoy dumps what it has: every part in Envoy's order, with the endpoints where they are asked
    /// for.</summary>
    public static ConfigDump Dump(ControlLoop loop, AdsStream stream, bool withEndpoints = false)
    {
        string version = stream.Session.Scope!.Snapshot.Revision;
        var clusters = new ClustersConfigDump { VersionInfo = version };
        foreach (WireResource cluster in Of(loop, stream, TypeUrls.Cluster))
            clusters.DynamicActiveClusters.Add(
                new ClustersConfigDump.Types.DynamicCluster { VersionInfo = version, Cluster = cluster.Body });
        var endpoints = new EndpointsConfigDump();
        if (withEndpoints) endpoints.DynamicEndpointConfigs.Add(Of(loop, stream, TypeUrls.Endpoint)
            .Select(one => new EndpointsConfigDump.Types.DynamicEndpointConfig { VersionInfo = version, EndpointConfig = one.Body }));
        var listeners = new ListenersConfigDump { VersionInfo = version };
        foreach (WireResource listener in Of(loop, stream, TypeUrls.Listener))
            listeners.DynamicListeners.Add(new ListenersConfigDump.Types.DynamicListener
            {
                Name = listener.Name,
                ActiveState = new() { VersionInfo = version, Listener = listener.Body },
            });
        var routes = new RoutesConfigDump();
        foreach (WireResource route in Of(loop, stream, TypeUrls.Route))
            routes.DynamicRouteConfigs.Add(
                new RoutesConfigDump.Types.DynamicRouteConfig { VersionInfo = version, RouteConfig = Whole(loop, stream, route) });
        var secrets = new SecretsConfigDump();
        secrets.DynamicActiveSecrets.Add(Of(loop, stream, TypeUrls.Secret)
            .Select(secret => new SecretsConfigDump.Types.DynamicSecret
            {
                Name = secret.Name,
                VersionInfo = version,
                Secret = Any.Pack(Redacted(secret)),
            }));
        var extensions = new EcdsConfigDump();
        extensions.EcdsFilters.Add(Of(loop, stream, TypeUrls.ExtensionConfig)
            .Select(filter => new EcdsConfigDump.Types.EcdsFilterConfig { VersionInfo = version, EcdsFilter = filter.Body }));
        IMessage[] parts = [new BootstrapConfigDump(), clusters, .. withEndpoints ? (IMessage[])[endpoints] : [], listeners,
            new ScopedRoutesConfigDump(), routes, secrets, extensions];
        var dump = new ConfigDump();
        dump.Configs.Add(parts.Select(Any.Pack));
        return dump;
    }

    // Keys are for the proxy alone.
    private static Secret Redacted(WireResource resource)
    {
        var secret = (Secret)resource.Message;
        if (secret.TlsCertificate is { PrivateKey: not null } certificate)
            certificate.PrivateKey = new DataSource { InlineBytes = ByteString.CopyFromUtf8("[redacted]") };
        return secret;
    }

    private static string? TypeOf(string name) => name.ToUpperInvariant() switch
    {
        "CDS" => TypeUrls.Cluster,
        "LDS" => TypeUrls.Listener,
        "RDS" => TypeUrls.Route,
        "EDS" => TypeUrls.Endpoint,
        "SDS" => TypeUrls.Secret,
        "NDS" => TypeUrls.NameTable,
        "ECDS" => TypeUrls.ExtensionConfig,
        _ => null,
    };

    /// <summary>The stream of a proxy by its name (pod.namespace); null when it is not connected.</summary>
    public static AdsStream? Named(ControlLoop loop, string name) =>
        loop.Streams.Open.FirstOrDefault(
            stream => stream.IsProxy && stream.Session.Scope is not null && stream.Session.Node?.WorkloadId == name);

    public static DebugPage Edsz(ControlLoop loop, QueryFields query, bool pretty) => Configs(loop, query, pretty, TypeUrls.Endpoint);

    public static DebugPage Ecdsz(ControlLoop loop, QueryFields query, bool pretty) =>
        Configs(loop, query, pretty, TypeUrls.ExtensionConfig);

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
        IReadOnlyList<WireResource> hosts =
            loop.Hub.Generate(TypeUrls.VirtualHost, stream.Session.Scope!, new HashSet<string> { route.Name });
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

    /// <summary>The stream of the proxy that a query names; null with the refusal where there is none.</summary>
    public static AdsStream? Find(ControlLoop loop, QueryFields query, out DebugPage refusal)
    {
        refusal = DebugPage.Refusal(StatusCodes.Status400BadRequest, "You must provide a proxyID in the query string");
        if (query["proxyID"] is not { } name) return null;
        refusal = NotHere;
        return Named(loop, name);
    }
}
