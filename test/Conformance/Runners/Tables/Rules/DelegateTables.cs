using System.Text.Json;
using Google.Protobuf;
using Istio.Networking.V1Alpha3;
using Lateen.Config.Resources;
using Lateen.Pilot.Generation.Routes;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Meaning.Compile;
using Lateen.Pilot.Scope;
using Lateen.Registry;
using Lateen.Test.Conformance.Runners.Traffic;
using Resource = Lateen.Config.Resources.Resource;

namespace Lateen.Test.Conformance.Runners.Tables.Rules;

/// <summary>VirtualServices before they become routes: delegates taken in, egress hosts that import them.</summary>
internal static class DelegateTables
{
    public static string? Conflict(JsonElement row, JsonElement context) =>
        Rows.Same(DelegateRoutes.Contradict(Match(row.GetProperty("root")), Match(row.GetProperty("leaf"))), row.Flag("expected"));

    public static string? Matches(JsonElement row, JsonElement context)
    {
        var merged = DelegateRoutes.Matches([.. row.Items("root").Select(Match)], [.. row.Items("delegate").Select(Match)]);
        if (row.Field("expected") is null) return merged is null ? null : $"have {string.Join(" ", merged)}, want a conflict";
        return merged is null ? "have a conflict" : Messages.Difference([.. merged], [.. row.Items("expected")]);
    }

    public static string? Routes(JsonElement row, JsonElement context)
    {
        var merged = DelegateRoutes.Merge(row.Message<HTTPRoute>("root")!, row.Items("delegate").Select(Rows.Message<HTTPRoute>));
        return Messages.Difference([.. merged], [.. row.Items("expected")]);
    }

    public static string? VirtualServices(JsonElement row, JsonElement context)
    {
        var mesh = JsonSerializer.SerializeToElement(new { defaultVirtualServiceExportTo = row.Texts("defaultExportTo") });
        var resources = row.Items("virtualServices").Select((item, i) => (Resource)Rows.Resource(Kinds.VirtualService, item, i)).ToArray();
        var index = Rows.Snapshot(RegistryView.Empty, Rows.Settings(mesh), resources).VirtualServices;
        var have = index.PublicByGateway.Values.Concat(index.PrivateByNamespace.Values).Concat(index.ExportedToNamespace.Values)
            .SelectMany(rules => rules)
            .DistinctBy(rule => rule.Origin.FullName).OrderBy(rule => rule.Origin.FullName, StringComparer.Ordinal).ToList();
        var want = row.Items("expectedVirtualServices").OrderBy(NameOf, StringComparer.Ordinal).ToList();
        return Rows.SameList(have.Select(rule => rule.Origin.FullName), want.Select(NameOf))
            ?? Messages.Difference([.. have.Select(rule => (IMessage)rule.Spec)], [.. want.Select(item => item.GetProperty("spec"))]);
    }

    public static string? Selected(JsonElement row, JsonElement context)
    {
        // The row has the host list already sorted by namespace; written as in a Sidecar it is this.
        var hosts = row.GetProperty("hostsByNS").EnumerateObject().SelectMany(ns =>
            ns.Value.Texts("allHosts").Concat(ns.Value.Texts("exactHosts")).Select(host => $"{ns.Name}/{host}")
                .Concat(ns.Value.Texts("excludedHosts").Select(host => ns.Name == "*" ? $"~/{host}" : $"~{ns.Name}/{host}")));
        var egress = EgressHosts.Of(hosts, "");
        var rules = context.GetProperty("index").GetProperty("publicByGateway").Items("mesh").Select(item =>
        {
            var resource = Rows.Resource(Kinds.VirtualService, item);
            return new Meant<VirtualService>(SnapshotCompiler.OriginOf(resource, "VirtualService", "networking.istio.io"), resource.Spec);
        });
        return Rows.SameList(rules.Where(rule => SidecarImports.Selects(egress, rule)).Select(rule => rule.Origin.Name)
            .Order(StringComparer.Ordinal), row.Texts("expected").Order(StringComparer.Ordinal));
    }

    public static string? MirrorPolicy(JsonElement row, JsonElement context)
    {
        var share = row.Message<Envoy.Config.Core.V3.RuntimeFractionalPercent>("runtimeFraction");
        return Messages.Difference(RouteFilterConfigs.Mirror(row.Text("cluster"), share!, !row.Flag("disableShadowHostSuffix")),
            row.Field("want"));
    }

    private static HTTPMatchRequest Match(JsonElement item) => Rows.Message<HTTPMatchRequest>(item);

    private static string NameOf(JsonElement item) =>
        $"{item.GetProperty("metadata").Text("namespace")}/{item.GetProperty("metadata").Text("name")}";
}
