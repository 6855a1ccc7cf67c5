using System.Collections.Frozen;
using System.Text.Json;
using System.Text.RegularExpressions;
using Envoy.Config.Core.V3;
using Envoy.Config.Endpoint.V3;
using Istio.Mesh.V1Alpha1;
using Istio.Networking.V1Alpha3;
using Lateen.Config.Resources;
using Lateen.Pilot.Generation.Endpoints;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Scope;
using Lateen.Registry;
using WireLocality = Envoy.Config.Core.V3.Locality;

namespace Lateen.Test.Conformance.Runners.Tables;

/// <summary>Endpoints and localities.</summary>
internal static class EndpointTables
{
    public static readonly IReadOnlyList<(string Name, Func<JsonElement, JsonElement, string?> Player)> All =
    [
        ("endpoint-filter", Filter),
        ("endpoint-metadata", Metadata),
        ("failover-priority", FailoverPriority),
        ("effective-locality-lb", EffectivePreference),
        ("locality-match",
            (row, _) => Rows.Same(LocalityPriorities.Matches(Locality(row.GetProperty("locality")), row.Text("rule")), row.Flag("match"))),
        ("locality-lb-endpoints", LocalityEndpoints),
        ("convert-locality", ConvertLocality),
        ("unhealthy-endpoints", Unhealthy),
        ("build-address",
            (row, _) => Rows.Same(WireEndpoints.AddressOf(row.Text("addr"), row.Number("port")), row.Message<Address>("expected"))),
    ];

    private static readonly ProxyNode Client = new() { Id = "row", Type = ProxyType.Sidecar, Addresses = ["192.0.2.1"] };

    private static string? Filter(JsonElement row, JsonElement context)
    {
        var service = Rows.Service(context.GetProperty("svc"));
        var node = Rows.Node(row.GetProperty("proxy"));
        var settings = Rows.Settings(null, ("AMBIENT_ENABLE_MULTI_NETWORK", row.Field("svcInfo") is null ? "false" : "true"));
        var inputs = ClusterRows.Endpoints(service, [], settings, node);
        inputs = inputs with { Client =
            inputs.Client with { StaysInCluster =
                EndpointClients.StaysInCluster(node, settings.Features, () => row.GetProperty("svcInfo").Text("scope") == "GLOBAL") } };
        return Rows.Same(EndpointVisibility.For(inputs).Includes(Rows.Endpoint(row.GetProperty("ep"), "http")), row.Flag("expected"));
    }

    private static string? Metadata(JsonElement row, JsonElement context)
    {
        var settings = Rows.Settings(null,
            ("PILOT_ENABLE_TELEMETRY_LABEL", row.Flag("enableTelemetryLabel") ? "true" : "false"),
            ("PILOT_ENDPOINT_TELEMETRY_LABEL", row.Flag("endpointTelemetryLabel") ? "true" : "false"));
        var given = row.GetProperty("metadata");
        var endpoint = new Lateen.Registry.Endpoint
        {
            Addresses = ["192.0.2.2"],
            ClusterId = given.Text("clusterID"),
            WorkloadName = given.Text("workloadName"),
            Namespace = given.Text("namespace"),
            Labels = given.Labels("labels"),
            AcceptsMtls = given.Text("tlsMode") == "istio",
        };
        var inputs = ClusterRows.Endpoints(ClusterRows.Example, [endpoint], settings, Client);
        return Rows.Same(WireEndpoints.Make(inputs, endpoint, mtls: true, new EndpointMetadata()).Metadata,
            row.Message<Envoy.Config.Core.V3.Metadata>("want"));
    }

    private static string? FailoverPriority(JsonElement row, JsonElement context)
    {
        var node = Client with
        {
            Labels = new Dictionary<string, string> { ["app"] = "foo", ["a"] = "a", ["b"] = "b" }.ToFrozenDictionary(),
            Namespace = "default",
        };
        var service = ClusterRows.Example;
        var rules = new List<Lateen.Config.Resources.Resource>();
        if (row.Field("dr")?.Message<DestinationRule>("spec") is { } rule)
        {
            rule.Host = service.Hostname;
            rules.Add(Kinds.DestinationRule.Create(service.Namespace, "row", rule));
        }
        var scope = new ScopeBuilder(Rows.Snapshot(Rows.Registry([service]), Rows.Settings(row.Field("mesh")), [.. rules])).ScopeOf(node);
        var made = EndpointClients.Inputs(scope, service, 8080, "", "", isSni: false).Client.PriorityLabels;
        var wanted = row.Field("expectedLabels")?.GetString()?.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(pair => pair.Split(':')[1]);
        return Rows.Same(made, wanted is null ? null : string.Join('\n', wanted));
    }

    private static string? EffectivePreference(JsonElement row, JsonElement context)
    {
        // An entry that the rows leave null stands for any.
        row = JsonDocument.Parse(Regex.Replace(row.GetRawText(), @"\[\s*null\s*\]", "[{}]")).RootElement;
        var mesh = new MeshConfig
        {
            LocalityLbSetting = row.Message<LocalityLoadBalancerSetting>("meshLocality"),
            ZoneAwareLbSetting = row.Message<ZoneAwareLoadBalancerSetting>("meshZoneAware"),
        };
        var distribution = row.Field("svc")?.Field("attributes")?.Field("k8sAttributes")?.Text("trafficDistribution");
        var service = new Service
        {
            Hostname = "row",
            Namespace = "default",
            Name = "row",
            Source = ServiceSource.Kubernetes,
            Resolution = ServiceResolution.ClientSide,
            TrafficDistribution = distribution == "TrafficDistributionPreferSameZone"
                ? TrafficDistribution.PreferSameZone : TrafficDistribution.Any,
        };
        var made = LocalityPreference.Of(mesh, row.Message<LoadBalancerSettings>("dr"), service, knowsItself: true);
        // One that is turned off is told as none at all.
        var zones = row.Message<ZoneAwareLoadBalancerSetting>("expectedZoneAware");
        return Rows.Same(made.Locality, row.Message<LocalityLoadBalancerSetting>("expectedLocality"))
            ?? Rows.Same(made.ZoneAware, zones?.Enabled == false ? null : zones)
            ?? Rows.Same(made.ForcesFailover, row.Flag("expectedForce"));
    }

    private static string? LocalityEndpoints(JsonElement row, JsonElement context)
    {
        var service = Rows.Service(context.GetProperty("service"));
        var settings = Rows.Settings(row.Field("mesh"), ("ISTIO_DUAL_STACK", "true"), ("PILOT_ENDPOINT_TELEMETRY_LABEL", "false"));
        var endpoints = row.Items("instances")
            .Select(item => Rows.Endpoint(item.GetProperty("endpoint"), item.GetProperty("servicePort").Text("name")));
        var rule = new DestinationRule { Host = service.Hostname };
        var subset = row.Labels("labels");
        if (subset.Count > 0) rule.Subsets.Add(new Subset { Name = "row", Labels = { new Dictionary<string, string>(subset) } });
        var inputs = ClusterRows.Endpoints(service, endpoints, settings, Rows.Node(context.GetProperty("proxy")), rule,
            subset.Count > 0 ? "row" : "");
        var made = EndpointAssignment.Groups(inputs, skipNames: false).Select(group => group.ToWire().ToString());
        return Rows.SameList(made, row.Items("expected").Select(item => Rows.Message<LocalityLbEndpoints>(item).ToString()));
    }

    private static string? ConvertLocality(JsonElement row, JsonElement context)
    {
        var made = Lateen.Registry.Locality.Parse(row.Text("locality"));
        var wire = new WireLocality { Region = made.Region ?? "", Zone = made.Zone ?? "", SubZone = made.Subzone ?? "" };
        return Rows.Same(wire, row.Message<WireLocality>("want"))
            ?? (row.Text("reverse") is { Length: > 0 } text
                ? Rows.Same(new Lateen.Registry.Locality(made.Region!, made.Zone!, made.Subzone!).ToString(), text) : null);
    }

    private static string? Unhealthy(JsonElement row, JsonElement context)
    {
        var settings = Rows.Settings(null,
            ("PILOT_AUTO_SEND_UNHEALTHY_ENDPOINTS", row.Flag("defaultSendUnhealthy") ? "true" : "false"),
            ("PILOT_SEND_UNHEALTHY_ENDPOINTS", row.Flag("globalSendUnhealthy") ? "true" : "false"));
        var rule = ClusterRows.Rule(row.Field("dr")?.Message<DestinationRule>("spec"), "ns");
        return Rows.Same(EndpointVisibility.SendsUnhealthy(ClusterRows.Example, settings, rule, 8080, ""), row.Flag("want"));
    }

    private static Lateen.Registry.Locality Locality(JsonElement row) => new(row.Text("region"), row.Text("zone"), row.Text("subZone"));
}
