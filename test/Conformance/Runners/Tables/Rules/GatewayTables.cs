using System.Collections.Immutable;
using System.Text.Json;
using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Istio.Networking.V1Alpha3;
using Kubernetes.Gateway.V1;
using Lateen.Config.Resources;
using Lateen.Pilot.Generation.Gateways;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Generation.Listeners;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Meaning.Compile;
using Lateen.Pilot.Meaning.Settings;
using Lateen.Pilot.Scope;
using Lateen.Pilot.Scope.Gateways;
using Lateen.Registry;
using Lateen.Test.Conformance.Runners.Traffic;
using Gateway = Istio.Networking.V1Alpha3.Gateway;
using Resource = Lateen.Config.Resources.Resource;

namespace Lateen.Test.Conformance.Runners.Tables.Rules;

/// <summary>Gateways of one proxy as one.</summary>
internal static class GatewayTables
{
    public static string? Merge(JsonElement row, JsonElement context)
    {
        // The rows' Gateways have been selected already, whatever their selectors say.
        var gateways = row.Items("gwConfig").Select((item, i) =>
        {
            var made = Rows.Resource(Kinds.Gateway, item, i);
            made.Spec.Selector.Clear();
            return (Resource)made;
        });
        var snapshot = Rows.Snapshot(RegistryView.Empty, Rows.Settings(), [.. gateways, Grant("allowed-ns", "ns")]);
        var identity = row.GetProperty("proxy").Text("verifiedIdentity") is { Length: > 0 } shown ? Identities.Parse(shown) : null;
        var merged = GatewayMerger.Merge(snapshot, identity, new Dictionary<string, string>(), []);
        if (merged is null) return "nothing merged";
        return Rows.Same((merged.Ports.Length, merged.Ports.Sum(port => port.Servers.Length)),
            (row.Number("mergedServersNum"), row.Number("serverNum")))
            ?? Rows.SameList(
                merged.ByRouteName.Select(route => $"{route.Key}={route.Value.Length}").Order(StringComparer.Ordinal),
                row.GetProperty("serversForRouteNum").EnumerateObject().Select(route => $"{route.Name}={route.Value.GetInt32()}")
                    .Order(StringComparer.Ordinal))
            ?? Rows.Same(merged.Credentials.Count, row.Number("verifiedCertNum"));
    }

    // In the recorded environment secrets of one namespace are open to the Gateways of another.
    private static Resource<ReferenceGrant> Grant(string ns, string from) => Kinds.ReferenceGrant.Create(ns, "grant", new ReferenceGrant
    {
        Spec = new ReferenceGrantSpec
        {
            From = { new ReferenceGrantSpec.Types.From { Group = "gateway.networking.k8s.io", Kind = "Gateway", Namespace = from } },
            To = { new ReferenceGrantSpec.Types.To { Group = "", Kind = "Secret" } },
        },
    });

    public static string? Strict(JsonElement row, JsonElement context)
    {
        var gateways = row.Items("input").Select((item, i) =>
        {
            var resource = Rows.Resource(Kinds.Gateway, item.GetProperty("gateway"), i);
            return new Meant<Gateway>(SnapshotCompiler.OriginOf(resource, "Gateway", "networking.istio.io"), resource.Spec);
        }).ToList();
        return Rows.SameList(GatewayMerger.Strict(gateways).Select(gateway => gateway.Origin.FullName).Order(StringComparer.Ordinal),
            row.Texts("expected").Order(StringComparer.Ordinal));
    }

    public static string? HttpChain(JsonElement row, JsonElement context)
    {
        var settings = Rows.Settings();
        if (row.Field("proxyConfig") is { } config)
            settings.Mesh.DefaultConfig = MeshConfigs.Overlay(settings.Mesh.DefaultConfig, config.GetRawText(), "row", []);
        var node = World.Node(JsonDocument.Parse("""{"type":"router"}""").RootElement);
        node = node with { Metadata = node.Metadata with { Http10 = row.GetProperty("node").Field("metadata")?.Text("http10") == "1" } };
        var inputs = new ProxyInputs(World.Of([], node, settings).Scope);
        var parts = new ListenerParts(inputs);
        var server = row.Message<Server>("server")!;
        var origin = new Origin { Kind = "Gateway", Name = "row", Namespace = "default" };
        var hosts = server.Hosts.Select(host => ("*", host)).ToImmutableArray();
        var chain = new GatewayListeners(parts).Chain(
            new GatewayServer(new Meant<Gateway>(origin, new Gateway { Servers = { server } }), server, hosts, (int)server.Port.Number,
                row.Text("routeName"), [.. server.Hosts]),
            row.Text("transportProtocol") == "TransportProtocolQUIC");
        var want = row.GetProperty("result");
        var http = want.GetProperty("httpOpts");
        var plan = chain.Http!;
        return Rows.SameList(chain.SniHosts, want.Texts("sniHosts"))
            ?? Messages.Difference(chain.Tls, want.Field("tlsContext"))
            ?? Rows.Same((plan.RouteName, plan.UsesRemoteAddress, plan.IsQuic, plan.StatPrefix),
                (http.Text("rds"), http.Flag("useRemoteAddress"), http.Flag("http3Only"), http.Text("statPrefix")))
            ?? Rows.Same(plan.Protocol.ToString().ToUpperInvariant(), http.Text("protocol"))
            ?? Messages.Difference(Decided(ConnectionManagers.Build(parts, plan)), Named(http.GetProperty("connectionManager")));
    }

    // What the recorded function decides about the manager; the rest is added later.
    private static HttpConnectionManager Decided(HttpConnectionManager built) => new()
    {
        XffNumTrustedHops = built.XffNumTrustedHops,
        ForwardClientCertDetails = built.ForwardClientCertDetails,
        SetCurrentClientCertDetails = built.SetCurrentClientCertDetails,
        ServerName = built.ServerName,
        HttpProtocolOptions = built.HttpProtocolOptions,
        Http3ProtocolOptions = built.Http3ProtocolOptions,
        CodecType = built.CodecType,
        Proxy100Continue = built.Proxy100Continue,
        ServerHeaderTransformation = built.ServerHeaderTransformation,
    };

    // Go's JSON keeps the underscore in front of a digit.
    private static JsonElement Named(JsonElement manager) =>
        JsonDocument.Parse(manager.GetRawText().Replace("proxy_100Continue", "proxy100Continue", StringComparison.Ordinal)
            .Replace("acceptHttp_10", "acceptHttp10", StringComparison.Ordinal)).RootElement;
}
