using System.Collections.Immutable;
using System.Text.Json;
using Istio.Mesh.V1Alpha1;
using Istio.Networking.V1Alpha3;
using Lateen.Config.Resources;
using Lateen.Pilot.Generation.Clusters;
using Lateen.Pilot.Generation.Endpoints;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Generation.Listeners;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Meaning.Compile;
using Lateen.Pilot.Meaning.Settings;
using Lateen.Pilot.Scope;
using Lateen.Registry;
using Resource = Lateen.Config.Resources.Resource;

namespace Lateen.Test.Conformance.Runners.Tables;

/// <summary>exportTo, Sidecar scopes, lookups.</summary>
internal sealed class VisibilityRunner : TableRunner
{
    public VisibilityRunner() : base("visibility")
    {
        Table("is-service-visible", IsServiceVisible);
        Table("service-export", ServiceExport);
        Table("cluster-local",
            (row, _) => Rows.Same(ClusterLocality.IsLocal(Rows.Settings(row.Field("m")), row.Text("host")), row.Flag("expected")));
        Table("egress-select-services", EgressSelectServices);
        Table("sidecar-scope", SidecarScope);
        Table("destinationrule-export", DestinationRuleExport);
        Table("outbound-traffic-policy", OutboundTrafficPolicy);
        Table("service-aliases", ServiceAliases);
        Table("proxyconfig-merge", ProxyConfigMerge);
        Table("effective-proxyconfig", EffectiveProxyConfig);
        Table("proxyconfig-convert", ProxyConfigConvert);
        Table("infer-mtls-mode", InferMtlsMode);
        Table("egress-dependencies", EgressDependencies);
        Table("extension-match", ExtensionMatch);
    }

    private static string? IsServiceVisible(JsonElement row, JsonElement context)
    {
        var defaults = row.Field("pushContext")?.Field("exportToDefaults")?.Texts("service") ?? [];
        var service = Rows.Service(row.GetProperty("service"));
        var export = Export.Of(service.ExportTo, service.Namespace, defaults);
        var attributes = row.GetProperty("service").GetProperty("attributes").Text("visibility");
        if (row.Field("pushContext")?.Field("mesh")?.Field("serviceEntryVisibility")?.Flag("applyToSidecars") == true
            && attributes.Length > 0)
        {
            export = ServiceVisibility.Limit(export, service.Namespace,
                Enum.Parse<MeshConfig.Types.ServiceEntryVisibility.Types.Visibility>(attributes["ServiceVisibility".Length..]));
        }
        return Rows.Same(export.Includes(context.Text("targetNamespace")), row.Flag("expect"));
    }

    private static string? ServiceExport(JsonElement row, JsonElement context)
    {
        var services = context.EnumerateObject().Where(entry => entry.Value.ValueKind == JsonValueKind.Object)
            .Select(entry => Rows.Service(entry.Value)).ToList();
        var snapshot = Rows.Snapshot(Rows.Registry(services), Rows.Settings());
        return Rows.SameList(
            snapshot.Services.VisibleTo(row.Text("proxyNs")).Select(service => service.Hostname).Order(StringComparer.Ordinal),
            row.Texts("wantHosts").Order(StringComparer.Ordinal));
    }

    private static string? EgressSelectServices(JsonElement row, JsonElement context)
    {
        var listener = new IstioEgressListener();
        foreach (var hosts in row.GetProperty("listenerHosts").EnumerateObject())
        {
            listener.Hosts.Add(hosts.Value.Texts("allHosts").Select(host => $"{hosts.Name}/{host}"));
            listener.Hosts.Add(hosts.Value.Texts("excludedHosts")
                .Select(host => hosts.Name == "*" ? $"~/{host}" : $"~{hosts.Name}/{host}"));
        }
        var services = row.Items("services").Select(Rows.Service).ToList();
        var sidecar = Kinds.Sidecar.Create(row.Text("namespace"), "row", new Sidecar { Egress = { listener } });
        var scope = ScopeIn(Rows.Snapshot(Rows.Registry(services), Rows.Settings(), sidecar), row.Text("namespace"));
        return Rows.SameList(scope.EgressListeners[0].Services.Select(Describe),
            row.Items("expected").Select(Rows.Service).Select(Describe));
    }

    private static string? SidecarScope(JsonElement row, JsonElement context)
    {
        var resources = new List<Resource>();
        var ns = "mynamespace";
        if (row.Field("sidecarConfig") is { } sidecar)
        {
            if (sidecar.GetProperty("metadata").Text("namespace") is { Length: > 0 } own) ns = own;
            var read = Rows.Resource(Kinds.Sidecar, sidecar);
            resources.Add(read.With(read.Metadata with { Namespace = ns }));
        }
        var age = 0;
        resources.AddRange(row.Items("virtualServices").Select(rule => Rows.Resource(Kinds.VirtualService, rule, age++)));
        var wanted = row.Items("expectedDr").ToList();
        var rules = context.EnumerateObject().Where(entry => entry.Value.Text("kind") == "DestinationRule").Select(entry => entry.Value)
            .Where(rule => wanted.Count == 0 || wanted.Exists(want => want.GetRawText() == rule.GetRawText())).ToList();
        resources.AddRange(rules.Select((rule, index) => Rows.Resource(Kinds.DestinationRule, rule, index)));
        var services = Rows.ByName(row.Items("services").Select(Rows.Service));
        var scope = ScopeIn(Rows.Snapshot(Rows.Registry(services), Rows.Settings() with { DomainSuffix = "" }, [.. resources]), ns);
        var difference = Rows.SameList(
            scope.Services.Select(Describe).Order(StringComparer.Ordinal),
            row.Items("expectedServices").Select(Rows.Service).Select(Describe).Order(StringComparer.Ordinal));
        if (difference is not null || wanted.Count == 0) return difference;
        var found = scope.DestinationRules.Values.SelectMany(list => list).SelectMany(rule => rule.From).Select(origin => origin.Name)
            .Order(StringComparer.Ordinal);
        return Rows.SameList(found.Distinct(),
            wanted.Select(want => want.GetProperty("metadata").Text("name")).Order(StringComparer.Ordinal).Distinct());
    }

    private static string? DestinationRuleExport(JsonElement row, JsonElement context)
    {
        var age = 0;
        var rules = All(context).Where(entry => entry.Text("kind") == "DestinationRule")
            .Select(rule => Rows.Resource(Kinds.DestinationRule, rule, age++)).ToArray<Resource>();
        var snapshot = Rows.Snapshot(RegistryView.Empty, Rows.Settings(), rules);
        var found = DestinationRuleLookup.Find(snapshot.DestinationRules, row.Text("proxyNs"), row.Text("host"), row.Text("serviceNs"),
            "istio-system");
        var subsets = found.IsEmpty ? [] : found[^1].Rule.Spec.Subsets.Select(subset => subset.Name);
        return Rows.SameList(subsets, row.Texts("wantSubsets"));
    }

    private static IEnumerable<JsonElement> All(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object when element.Field("kind") is not null => [element],
        JsonValueKind.Object => element.EnumerateObject().SelectMany(entry => All(entry.Value)),
        JsonValueKind.Array => element.EnumerateArray().SelectMany(All),
        _ => [],
    };

    private static string? OutboundTrafficPolicy(JsonElement row, JsonElement context)
    {
        Resource[] resources = row.Field("sidecar") is { } sidecar ? [Rows.Resource(Kinds.Sidecar, sidecar)] : [];
        var scope = ScopeIn(Rows.Snapshot(RegistryView.Empty, Rows.Settings(row.Field("meshConfig")), resources), "not-default");
        return Rows.Same(scope.OutboundTrafficPolicy?.Mode, row.Message<OutboundTrafficPolicy>("outboundTrafficPolicy")?.Mode);
    }

    private static string? ServiceAliases(JsonElement row, JsonElement context)
    {
        var services = row.Items("input").Select(item => new Service
        {
            Hostname = item.Text("name"),
            Name = item.Text("name"),
            Namespace = "test",
            Source = ServiceSource.Kubernetes,
            Resolution = item.Field("externalName") is null ? ServiceResolution.ClientSide : ServiceResolution.Alias,
            ExternalName = item.Text("externalName"),
        }).ToList();
        var resolved = Aliases.Resolve(services, (service, aliases) => service.WithAliases(aliases));
        return Rows.SameList(
            resolved.Select(service => $"{service.Hostname}[{string.Join(' ', service.Aliases.Select(alias => alias.Hostname))}]"),
            row.Items("output").Select(item => $"{item.Text("name")}[{string.Join(' ', item.Texts("aliases"))}]"));
    }

    private static string? ProxyConfigMerge(JsonElement row, JsonElement context)
    {
        var merged = ProxyConfigs.Merge(row.Message<ProxyConfig>("first"), row.Message<ProxyConfig>("second"));
        return Rows.Same(merged, row.Message<ProxyConfig>("expected"));
    }

    private static string? EffectiveProxyConfig(JsonElement row, JsonElement context)
    {
        var age = 0;
        var resources = row.Items("configs").Select(config => Rows.Resource(Kinds.ProxyConfig, config, Age(config, age++)))
            .ToArray<Resource>();
        var snapshot = Rows.Snapshot(RegistryView.Empty, Rows.Settings(), resources);
        var proxy = row.GetProperty("proxy");
        var made = ProxyConfigs.Effective(
            snapshot.Extensions, "istio-system", row.Message<ProxyConfig>("defaultConfig")
                ?? new ProxyConfig(), proxy.Text("namespace"), proxy.Labels("labels"), proxy.Labels("annotations"));
        return Rows.Same(made, row.Message<ProxyConfig>("expected") ?? new ProxyConfig());
    }

    private static int Age(JsonElement config, int otherwise)
    {
        var text = config.GetProperty("metadata").Text("creationTimestamp");
        return text.StartsWith("now+", StringComparison.Ordinal) ? int.Parse(text[4..^1]) : text == "now" ? 0 : otherwise;
    }

    private static string? ProxyConfigConvert(JsonElement row, JsonElement context) => Rows.Same(
        ProxyConfigs.Convert(row.Message<Istio.Networking.V1Beta1.ProxyConfig>("pc")!), row.Message<ProxyConfig>("expected"));

    private static string? InferMtlsMode(JsonElement row, JsonElement context)
    {
        var service = new Service
        {
            Hostname = "row",
            Name = "row",
            Namespace = row.Text("serviceNamespace"),
            Source = ServiceSource.Kubernetes,
            Resolution = row.Text("serviceResolution") == "Passthrough" ? ServiceResolution.Passthrough : ServiceResolution.ClientSide,
            Ports = [new Registry.ServicePort("http", row.Number("servicePort"), Protocol.Http)],
        };
        var endpoints = new ServiceEndpoints(service.Key,
            [.. row.Items("serviceInstances").Select(item => Rows.Endpoint(item.GetProperty("endpoint"), "http"))], []);
        var snapshot = Rows.Snapshot(Rows.Registry([service], new Dictionary<ServiceKey, ServiceEndpoints> { [service.Key] = endpoints }),
            Rows.Settings());
        var mode = OutboundInputs.ModeOf(snapshot, service, service.Ports[0], null, endpoints);
        return Rows.Same("MTLS" + mode, row.Text("wanted"));
    }

    private static string? EgressDependencies(JsonElement row, JsonElement context)
    {
        var hosts = row.Field("egress") is null ? ["*/*"] : row.Texts("egress");
        var imports = EgressHosts.Of(hosts, "default");
        foreach (var want in row.GetProperty("contains").EnumerateObject())
        {
            var parts = want.Name.Split('/');
            var name = parts[0] == "ServiceEntry" ? parts[1] : "svc1.com";
            var actual = parts[0] == "AuthorizationPolicy"
                ? parts[2] is "default" or "istio-system" : imports.ImportsService(parts[2], name);
            if (actual != want.Value.GetBoolean()) return $"{want.Name}: have {actual}";
        }
        return null;
    }

    private static string? ExtensionMatch(JsonElement row, JsonElement context)
    {
        var extension = Rows.Message<Istio.Extensions.V1Alpha1.TrafficExtension>(row.GetProperty("trafficExtension")
            .GetProperty("trafficExtension"));
        var info = row.GetProperty("listenerInfo");
        var listener = info.Text("class") switch
        {
            "ListenerClassSidecarInbound" => ListenerClass.SidecarInbound,
            "ListenerClassSidecarOutbound" => ListenerClass.SidecarOutbound,
            _ => ListenerClass.Gateway,
        };
        var selects = extension.Selector is null
            || LabelSelection.IsSubset(extension.Selector.MatchLabels.AsReadOnly(), row.Labels("proxyLabels"));
        return Rows.Same(selects && ExtensionFilters.Applies(extension, listener, info.Number("port")), row.Flag("want"));
    }

    private static SidecarScope ScopeIn(MeshSnapshot snapshot, string ns) =>
        new ScopeBuilder(snapshot).ScopeOf(
            new ProxyNode { Id = "row", Type = ProxyType.Sidecar, Addresses = ["192.0.2.1"], Namespace = ns }).Imports;

    private static string Describe(Service service) =>
        $"{service.Namespace}/{service.Hostname}:{string.Join(' ', service.Ports.Select(port => $"{port.Number}{port.Name}"))}";
}
