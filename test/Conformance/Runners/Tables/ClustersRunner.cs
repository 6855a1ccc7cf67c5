using System.Text.Json;
using Envoy.Config.Cluster.V3;
using Envoy.Config.Core.V3;
using Envoy.Extensions.Upstreams.Http.V3;
using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Generation.Clusters;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Scope;
using Lateen.Registry;
using Lateen.Registry.Kubernetes;
using MeshConfig = Istio.Mesh.V1Alpha1.MeshConfig;
using ServicePort = Lateen.Registry.ServicePort;
using WireHttpOptions = Envoy.Extensions.Upstreams.Http.V3.HttpProtocolOptions;

namespace Lateen.Test.Conformance.Runners.Tables;

/// <summary>Clusters: traffic policies, TLS, load balancing, endpoints.</summary>
internal sealed class ClustersRunner : TableRunner
{
    public ClustersRunner() : base("clusters")
    {
        Table("apply-destination-rule", ApplyDestinationRule);
        Table("connection-pool", ConnectionPool);
        Table("default-traffic-policy", DefaultTrafficPolicy);
        Table("mesh-default-traffic-policy", MeshDefaultTrafficPolicy);
        Table("merge-traffic-policy", MergeTrafficPolicy);
        Table("outlier-detection", OutlierDetection);
        Table("warmup", Warmup);
        Table("tcp-keepalive", TcpKeepalive);
        Table("h2-upgrade", Http2Upgrade);
        Table("dns-lookup-family",
            (row, _) => LookupFamily(Rows.Node(row.GetProperty("proxy")), row.Flag("dualStack"), row.Text("expectedFamily"),
                row.Text("connectStrategy") == "DNSConnectStrategyRaceFirstTCPConnect"));
        Table("select-dns-family",
            (row, _) => LookupFamily(new ProxyNode { Id = "row", Type = ProxyType.Sidecar, Addresses = [.. row.Texts("ips")] }, false,
                row.Text("want")));
        Table("inbound-bind", InboundBind);
        Table("inbound-default-endpoint", InboundDefaultEndpoint);
        Table("passthrough-clusters", PassthroughClusters);
        Table("telemetry-metadata", TelemetryMetadata);
        Table("alpn-override", AlpnOverride);
        Table("traffic-distribution", (row, _) => Rows.Same(
            KubernetesServices.Distribution(row.Text("specValue"), row.Labels("svcAnnotation"),
                row.Labels("nsAnnotation").GetValueOrDefault(KubernetesServices.DistributionAnnotation, "")).ToString(),
            row.Text("want")["TrafficDistribution".Length..]));
        Table("dynamic-dns-clusters", DynamicDns);
        Table("auto-mtls", UpstreamTlsTables.AutoMtls);
        Table("upstream-tls", UpstreamTlsTables.Context);
        Table("insecure-skip-verify", UpstreamTlsTables.InsecureSkipVerify);
        Table("delta-clusters", DeltaClusterTable.Play);
        foreach (var (name, player) in EndpointTables.All) Table(name, player);
    }

    private static string? ApplyDestinationRule(JsonElement row, JsonElement context)
    {
        var service = Rows.Service(row.GetProperty("service"));
        var port = Rows.Port(row.GetProperty("port"));
        var rule = row.Message<DestinationRule>("destRule");
        var settings = Rows.Settings(row.Field("meshConfig"));
        Lateen.Registry.Endpoint[] endpoints =
        [
            new() { Addresses = ["192.168.1.1"], PortName = port.Name, Port = 10001, Weight = 40, Labels = service.Labels },
            new() { Addresses = ["192.168.1.2", "2001:1::2"], PortName = port.Name, Port = 10001, Weight = 60, Labels = service.Labels },
        ];
        var node = new ProxyNode { Id = "row", Type = ProxyType.Sidecar, Addresses = ["192.0.2.1"] };
        var inputs = ClusterRows.Outbound(service, port, rule, settings) with
        {
            IsSni = row.Text("clusterMode") == "sni-dnat",
            Endpoints = ClusterRows.Endpoints(service, endpoints, settings, node, rule),
        };
        var made = OutboundClusters.Build(inputs).Skip(1).ToList();
        var wanted = row.Items("expectedSubsetClusters").ToList();
        if (made.Count != wanted.Count) return $"have {made.Count} subset clusters, want {wanted.Count}";
        return made.Zip(wanted, ClusterRows.Includes).FirstOrDefault(found => found is not null);
    }

    private static string? ConnectionPool(JsonElement row, JsonElement context)
    {
        var draft = new ClusterDraft { Cluster = new Cluster() };
        draft.HttpOptions.MergeFrom(row.Message<WireHttpOptions>("httpProtocolOptions"));
        ConnectionPools.Apply(draft, Rows.Mesh(null), row.Message<ConnectionPoolSettings>("connectionPool"),
            row.Message<TrafficPolicy.Types.RetryBudget>("retryBudget"));
        return ClusterRows.Includes(draft.HttpOptions, row.GetProperty("expectedHTTPPOpt"))
            ?? Rows.Same(draft.Cluster.CircuitBreakers, row.Message<CircuitBreakers>("expectedCircuitBreakers"));
    }

    private static string? DefaultTrafficPolicy(JsonElement row, JsonElement context)
    {
        var made = TrafficPolicies.WithDefaults(row.Message<TrafficPolicy>("policy"),
            row.Message<MeshConfig.Types.DefaultTrafficPolicy>("meshDefault"));
        if (row.Flag("wantNil")) return made is null ? null : "a policy out of nothing";
        return Rows.Same(made?.ConnectionPool, row.Message<ConnectionPoolSettings>("wantConnPool"))
            ?? Rows.Same(made?.OutlierDetection, row.Message<Istio.Networking.V1Alpha3.OutlierDetection>("wantOutlier"));
    }

    private static string? MeshDefaultTrafficPolicy(JsonElement row, JsonElement context)
    {
        var settings = Rows.Settings() with { Mesh =
            new MeshConfig { DefaultTrafficPolicy = row.Message<MeshConfig.Types.DefaultTrafficPolicy>("defaultTrafficPolicy") } };
        var made = OutboundClusters.Build(
            ClusterRows.Outbound(ClusterRows.Example, ClusterRows.Example.Ports[0], row.Message<DestinationRule>("destRule"), settings))[0];
        return Rows.Same(made.CircuitBreakers.Thresholds[0].MaxConnections, (uint)row.Number("wantMaxConnections"))
            ?? Rows.Same(made.OutlierDetection is not null, row.Flag("wantOutlier"))
            ?? Rows.Same(FixedClusters.Passthrough(settings).CircuitBreakers.Thresholds[0].MaxConnections,
                (uint)row.Number("wantPassthroughMaxConnections"));
    }

    private static string? MergeTrafficPolicy(JsonElement row, JsonElement context) => Rows.Same(
        TrafficPolicies.ForSubset(row.Message<TrafficPolicy>("original"), row.Message<TrafficPolicy>("subset"),
            row.Field("port")?.Number("port") ?? 0),
        row.Message<TrafficPolicy>("expected"));

    private static string? OutlierDetection(JsonElement row, JsonElement context)
    {
        var draft = new ClusterDraft { Cluster = new Cluster { CommonLbConfig = new() } };
        LoadBalancing.ApplyOutlierDetection(draft, row.Message<Istio.Networking.V1Alpha3.OutlierDetection>("cfg"), sendsUnhealthy: false);
        // The rows spell these two as Go does.
        var wanted = row.GetProperty("o").GetRawText().Replace("onsecutive_5Xx", "onsecutive5xx", StringComparison.Ordinal);
        return Rows.Same(draft.Cluster.OutlierDetection,
            Rows.Message<Envoy.Config.Cluster.V3.OutlierDetection>(JsonDocument.Parse(wanted).RootElement));
    }

    private static string? Warmup(JsonElement row, JsonElement context)
    {
        var settings = new LoadBalancerSettings { Warmup = row.Message<WarmupConfiguration>("warmup") };
        if (row.Text("lbType") is { Length: > 0 } type) settings.Simple = JsonToLb(type);
        var draft = new ClusterDraft { Cluster = new Cluster { CommonLbConfig = new() } };
        LoadBalancing.Apply(draft, settings, Protocol.Http, redisFilter: false);
        var slow = draft.Cluster.LeastRequestLbConfig?.SlowStartConfig ?? draft.Cluster.RoundRobinLbConfig?.SlowStartConfig;
        if (settings.Warmup is null || draft.Cluster.LbPolicy == Cluster.Types.LbPolicy.ClusterProvided)
            return slow is null ? null : "slow start for nothing";
        var isDefault = row.Flag("defaultConfig");
        return Rows.Same(slow?.SlowStartWindow.Seconds, isDefault ? 60 : settings.Warmup.Duration.Seconds)
            ?? Rows.Same(slow?.Aggression.DefaultValue, isDefault ? 1 : settings.Warmup.Aggression)
            ?? Rows.Same(slow?.MinWeightPercent.Value, isDefault ? 10 : settings.Warmup.MinimumPercent);
    }

    private static LoadBalancerSettings.Types.SimpleLB JsonToLb(string word) =>
        Rows.Message<LoadBalancerSettings>(JsonDocument.Parse($"{{\"simple\":\"{word}\"}}").RootElement).Simple;

    private static string? TcpKeepalive(JsonElement row, JsonElement context)
    {
        var draft = new ClusterDraft { Cluster = new Cluster() };
        ConnectionPools.Apply(draft, row.Message<MeshConfig>("mesh")!, row.Message<ConnectionPoolSettings>("connectionPool"), null);
        return Rows.Same(draft.Cluster.UpstreamConnectionOptions, row.Message<UpstreamConnectionOptions>("wantConnOpts"));
    }

    private static string? Http2Upgrade(JsonElement row, JsonElement context) => Rows.Same(
        ConnectionPools.UpgradesToHttp2(Rows.Port(row.GetProperty("port")).Protocol, row.Message<MeshConfig>("mesh")!,
            row.Message<ConnectionPoolSettings>("connectionPool")),
        row.Flag("upgrade"));

    private static string? LookupFamily(ProxyNode node, bool isDualStack, string wanted, bool races = false)
    {
        var features = Rows.Settings(null, ("ISTIO_DUAL_STACK", isDualStack ? "true" : "false")).Features;
        return Rows.Same(OutboundClusters.LookupFamily(ClusterRows.Client(node), features, races).ToString().ToUpperInvariant(),
            wanted.Replace("_", "", StringComparison.Ordinal));
    }

    private static string? InboundBind(JsonElement row, JsonElement context)
    {
        var node = Rows.Node(row.GetProperty("proxy"));
        var settings = Rows.Settings(null, ("ISTIO_DUAL_STACK", row.Flag("dualStack") ? "true" : "false"));
        var bind = FixedClusters.InboundPassthrough(settings, node.SupportsIPv4, node.SupportsIPv6).UpstreamBindConfig;
        return Rows.Same(bind.SourceAddress.Address, row.Text("expectedSrcAddr"))
            ?? Rows.Same(bind.ExtraSourceAddresses.FirstOrDefault()?.Address.Address ?? "", row.Text("expectedExtraSrcAddr"));
    }

    private static string? InboundDefaultEndpoint(JsonElement row, JsonElement context)
    {
        var node = Rows.Node(row.GetProperty("proxy"));
        var sidecar = new Sidecar
        {
            Ingress = { new IstioIngressListener
            {
                Port = new SidecarPort { Name = "http", Number = 7443, Protocol = "HTTP" },
                DefaultEndpoint = row.Text("defaultEndpoint"),
            } },
        };
        var rule = Lateen.Config.Resources.Kinds.Sidecar.Create(node.Namespace, "row", sidecar);
        var scope = new ScopeBuilder(Rows.Snapshot(RegistryView.Empty, Rows.Settings(), rule)).ScopeOf(node);
        var (cluster, _) = InboundClusters.Build(scope, ClusterRows.Client(node)).Single();
        var address = cluster.LoadAssignment?.Endpoints[0].LbEndpoints[0].Endpoint.Address.SocketAddress;
        return Rows.Same(address?.Address, row.Text("expectedAddr")) ?? Rows.Same(address?.PortValue, (uint)row.Number("expectedPort"));
    }

    private static string? PassthroughClusters(JsonElement row, JsonElement context)
    {
        var node = new ProxyNode { Id = "row", Type = ProxyType.Sidecar, Addresses = [.. row.Texts("ips")] };
        var bind = FixedClusters.InboundPassthrough(Rows.Settings(null, ("ISTIO_DUAL_STACK", "true")), node.SupportsIPv4,
            node.SupportsIPv6).UpstreamBindConfig;
        var addresses = bind.ExtraSourceAddresses.Select(extra => extra.Address.Address).Prepend(bind.SourceAddress.Address).ToList();
        return Rows.Same(addresses.Contains("127.0.0.6"), row.Flag("ipv4Expected"))
            ?? Rows.Same(addresses.Contains("::6"), row.Flag("ipv6Expected"));
    }

    private static string? TelemetryMetadata(JsonElement row, JsonElement context)
    {
        if (row.Message<Cluster>("cluster") is not { } cluster) return null;
        var services = row.Text("direction") == "outbound"
            ? [Rows.Service(row.GetProperty("service"))] : row.Items("svcInsts").Select(item => Rows.Service(item.GetProperty("service")));
        ClusterMetadata.Services(cluster, services);
        return Rows.Same(cluster.Metadata, row.Message<Metadata>("want"));
    }

    private static string? AlpnOverride(JsonElement row, JsonElement context)
    {
        var cluster = new Cluster { Metadata = row.Message<Metadata>("meta") };
        ClusterMetadata.AlpnOverride(cluster,
            Rows.Message<ClientTLSSettings>(JsonDocument.Parse($"{{\"mode\":\"{row.Text("tlsMode")}\"}}").RootElement).Mode);
        return Rows.Same(cluster.Metadata, row.Message<Metadata>("want"));
    }

    private static string? DynamicDns(JsonElement row, JsonElement context)
    {
        var port = new ServicePort("port", row.Number("port"), Protocols.Parse(row.Text("protocol")));
        var service = new Service
        {
            Hostname = "*.example.org",
            Namespace = "default",
            Name = "*.example.org",
            Source = ServiceSource.ServiceEntry,
            Resolution = ServiceResolution.DynamicDns,
            MeshExternal = true,
            Ports = [port],
        };
        var settings = Rows.Settings(null, ("ENABLE_WILDCARD_HOST_SERVICE_ENTRIES_FOR_TLS", "true"));
        var made = OutboundClusters.Build(ClusterRows.Outbound(service, port, row.Message<DestinationRule>("destinationRule"), settings));
        if (made.Count == 0 || !row.Flag("validateTLS")) return Rows.Same(made.Count > 0, row.Flag("expectCluster"));
        var options = made[0].TypedExtensionProtocolOptions.Values.Select(packed => packed.Unpack<WireHttpOptions>())
            .FirstOrDefault()?.UpstreamHttpProtocolOptions;
        return Rows.Same(options?.AutoSni == true, row.Flag("expectAutoSni"))
            ?? Rows.Same(options?.AutoSanValidation == true, row.Flag("expectAutoSanValidation"))
            ?? Rows.Same(made[0].TransportSocket is not null, row.Flag("expectTransportTLS"));
    }
}
