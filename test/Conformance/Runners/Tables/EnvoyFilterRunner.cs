using System.Text.Json;
using Envoy.Config.Cluster.V3;
using Envoy.Config.Route.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Istio.Networking.V1Alpha3;
using Lateen.Config.Resources;
using Lateen.Pilot.Generation.Clusters;
using Lateen.Pilot.Generation.Patches;
using Lateen.Pilot.Scope;
using Lateen.Registry;
using Lateen.Test.Conformance.Runners.Traffic;
using ApplyTo = Istio.Networking.V1Alpha3.EnvoyFilter.Types.ApplyTo;
using EnvoyListener = Envoy.Config.Listener.V3.Listener;
using EnvoyRoute = Envoy.Config.Route.V3.Route;
using Operation = Istio.Networking.V1Alpha3.EnvoyFilter.Types.Patch.Types.Operation;
using PatchContext = Istio.Networking.V1Alpha3.EnvoyFilter.Types.PatchContext;
using Resource = Lateen.Config.Resources.Resource;

namespace Lateen.Test.Conformance.Runners.Tables;

/// <summary>EnvoyFilter: matching and patching.</summary>
internal sealed class EnvoyFilterRunner : TableRunner
{
    public EnvoyFilterRunner() : base("envoyfilter")
    {
        Table("cluster-match", (row, _) =>
        {
            var args = row.GetProperty("args");
            var match = args.Field("cp") is null
                ? PatchOf(args.Field("matchCondition"), ApplyTo.Cluster) : PatchOf(args.Field("cp")?.Field("match"), ApplyTo.Cluster);
            return Rows.Same(PatchMatches.Cluster(match, Messages.Parse<Cluster>(args.GetProperty("cluster")), args.Texts("hosts")),
                row.Flag("want"));
        });
        Table("virtualhost-match", (row, _) => Rows.Same(
            row.GetProperty("args").Field("vh") is { } host
                && PatchMatches.Host(Args(row, ApplyTo.VirtualHost), Messages.Parse<VirtualHost>(host)), row.Flag("want")));
        Table("route-match", (row, _) => Rows.Same(
            row.GetProperty("args").Field("httpRoute") is { } route
                && PatchMatches.Route(Args(row, ApplyTo.HttpRoute), Messages.Parse<EnvoyRoute>(route)), row.Flag("want")));
        Table("routeconfig-match", (row, _) =>
        {
            var args = row.GetProperty("args");
            var ports = args.Field("portMap")?.EnumerateObject().ToDictionary(
                p => int.Parse(p.Name), p => p.Value.EnumerateObject().Select(q => int.Parse(q.Name)).ToArray() is var list
                    ? System.Collections.Immutable.ImmutableArray.Create(list) : []);
            return Rows.Same(PatchMatches.Routes(Args(row, ApplyTo.RouteConfiguration),
                Messages.Parse<RouteConfiguration>(args.GetProperty("rc")), Context(args), ports), row.Flag("want"));
        });
        Table("list-operations", ListOperations);
        Table("listener-patches", ListenerPatching);
        Table("routeconfig-patches", (row, context) => RoutePatching(row.GetProperty("args"), Filters(row, context), row));
        Table("vhost-merge-and-replace-list", (row, _) => RoutePatching(row, row.Items("envoyFilters"), row));
        Table("cluster-patches", ClusterPatching);
        Table("proxy-match", ProxyMatch);
        Table("select-for-proxy", SelectForProxy);
        Table("extension-config", ExtensionConfig);
        Table("cluster-from-service", ClusterFromService);
    }

    private static Patch Args(JsonElement row, ApplyTo kind) => PatchOf(row.GetProperty("args").Field("cp")?.Field("match"), kind);

    private static Patch PatchOf(JsonElement? match, ApplyTo kind) => new(
        kind, match is { } given ? Rows.Message<EnvoyFilter.Types.EnvoyConfigObjectMatch>(given)
            : new EnvoyFilter.Types.EnvoyConfigObjectMatch(), Operation.Merge, null);

    private static PatchContext Context(JsonElement args) =>
        Rows.Message<EnvoyFilter.Types.EnvoyConfigObjectMatch>(
            JsonDocument.Parse($$"""{"context":"{{(args.Text("patchContext") is { Length: > 0 } c ? c : "ANY")}}"}""").RootElement).Context;

    private static IEnumerable<JsonElement> Filters(JsonElement row, JsonElement context)
    {
        var all = context.GetProperty("envoyFilters");
        return (all.ValueKind == JsonValueKind.Array ? all : all.GetProperty(row.Text("filters"))).EnumerateArray();
    }

    private static List<Patch> Patches(IEnumerable<JsonElement> filters, ProxyNode node) =>
    [
        .. filters.Select((item, i) => (Spec: item.Message<EnvoyFilter>("spec") ?? new EnvoyFilter(), Index: i))
            .OrderBy(f => f.Spec.Priority).ThenBy(f => f.Index)
            .SelectMany(f => PatchValues.Of(f.Spec)).Where(p => ProxyPatches.IsForProxy(p.Match.Proxy, node)),
    ];

    private static ProxyNode Node(JsonElement? row)
    {
        var metadata = row?.Field("metadata") ?? default;
        var sent = metadata.Field("raw") is { } raw ? JsonParser.Default.Parse<Struct>(raw.GetRawText()) : new Struct();
        sent.Fields["ISTIO_VERSION"] = Value.ForString(metadata.Text("istioVersion"));
        var ns = row?.Text("configNamespace") is { Length: > 0 } given ? given : "default";
        sent.Fields["NAMESPACE"] = Value.ForString(ns);
        var labels = new Struct();
        foreach (var (key, value) in row?.Labels("labels") ?? metadata.Labels("labels")) labels.Fields[key] = Value.ForString(value);
        sent.Fields["LABELS"] = Value.ForStruct(labels);
        var type = row?.Text("type") is { Length: > 0 } own ? own : "sidecar";
        return NodeParser.Parse(new Envoy.Config.Core.V3.Node
        {
            Id = $"{type}~1.1.1.1~test.{ns}~{ns}.svc.cluster.local",
            Metadata = sent,
        }).Node!;
    }

    private static string? ListOperations(JsonElement row, JsonElement context)
    {
        foreach (var (field, operation) in new[] { ("replace", Operation.Replace), ("insertBefore", Operation.InsertBefore),
            ("insertAfter", Operation.InsertAfter) })
        {
            var list = row.Items("input").Select(item => item.ToString()).ToList();
            ListEdits.Apply(list, operation, true, item => item == "1" || item == "b" || item == "abc",
                () => row.GetProperty(field).EnumerateArray().Select(i => i.ToString()).Except(row.Items("input").Select(i => i.ToString()))
                    .FirstOrDefault() ?? "");
            if (row.Flag("applied") && Rows.SameList(list, row.Items(field).Select(i => i.ToString())) is { } difference)
                return $"{field}: {difference}";
        }
        return null;
    }

    private static string? ListenerPatching(JsonElement row, JsonElement context)
    {
        var args = row.GetProperty("args");
        var patches = Patches(Filters(row, context), Node(args.Field("proxy")));
        var have = new ListenerPatches(patches, Context(args)).Apply(args.Items("listeners").Select(Messages.Parse<EnvoyListener>),
            !args.Flag("skipAdds"));
        return Messages.Difference([.. have], [.. row.Items("want")]);
    }

    private static string? RoutePatching(JsonElement args, IEnumerable<JsonElement> filters, JsonElement row)
    {
        var patches = Patches(filters, Node(args.Field("proxy")));
        return Messages.Difference(
            new RoutePatches(patches, Context(args),
                null).Apply(Messages.Parse<RouteConfiguration>(args.GetProperty("routeConfiguration"))), row.Field("want"));
    }

    private static string? ClusterPatching(JsonElement row, JsonElement context)
    {
        var patches = new ClusterPatches(Patches(Filters(row, context), Node(row.Field("proxy"))), Context(row));
        var clusters = row.Items("input").Select(Messages.Parse<Cluster>).ToList();
        var have = clusters.Where(cluster => patches.Apply(cluster, [row.Text("host")])).Concat(patches.Added()).ToList();
        return Messages.Difference([.. have], [.. row.Items("want")]);
    }

    private static string? ProxyMatch(JsonElement row, JsonElement context)
    {
        var match = row.Message<EnvoyFilter>("config")!.ConfigPatches[0].Match?.Proxy;
        foreach (var version in row.Field("matches")?.EnumerateObject() ?? default)
        {
            var node = Node(JsonDocument.Parse($$$"""{"metadata":{"istioVersion":"{{{version.Name}}}"}}""").RootElement);
            if (Rows.Same(ProxyPatches.IsForProxy(match, node), version.Value.GetBoolean()) is { } difference)
                return $"{version.Name}: {difference}";
        }
        return null;
    }

    private static string? SelectForProxy(JsonElement row, JsonElement context)
    {
        var found = new List<JsonElement>();
        Collect(context, found);
        var resources = found.Select((item, i) => (Resource)Rows.Resource(Kinds.EnvoyFilter, item, i)).ToArray();
        var snapshot = Rows.Snapshot(RegistryView.Empty, Rows.Settings(), resources);
        var patches = ProxyPatches.Of(new ScopeBuilder(snapshot).ScopeOf(Node(row.Field("proxy"))));
        return Rows.Same(
            (patches.Count(ApplyTo.Listener), patches.Count(ApplyTo.Cluster), patches.Count(ApplyTo.HttpFilter)),
            (row.Number("expectedListenerPatches"), row.Number("expectedClusterPatches"), row.Number("expectedHTTPFilterPatches")));
    }

    private static void Collect(JsonElement element, List<JsonElement> found)
    {
        if (element.Field("spec")?.Field("configPatches") is not null) found.Add(element);
        else if (element.ValueKind == JsonValueKind.Array) foreach (var item in element.EnumerateArray()) Collect(item, found);
        else if (element.ValueKind == JsonValueKind.Object) foreach (var item in element.EnumerateObject()) Collect(item.Value, found);
    }

    private static string? ExtensionConfig(JsonElement row, JsonElement context)
    {
        var found = new List<JsonElement>();
        Collect(context, found);
        var patches = Patches(found, Node(null));
        var names = row.Texts("requestedNames");
        var have = patches.Where(p => p is { ApplyTo: ApplyTo.ExtensionConfig, Operation: Operation.Add })
            .Select(p => p.Copy<Envoy.Config.Core.V3.TypedExtensionConfig>()).Where(c => names.Contains(c.Name));
        return Messages.Difference([.. have], [.. row.Items("wantExtensionConfig")]);
    }

    private static string? ClusterFromService(JsonElement row, JsonElement context)
    {
        var filters = row.Items("efs")
            .Select((item, i) => (Resource)Kinds.EnvoyFilter.Create("default", $"filter-{i}", Rows.Message<EnvoyFilter>(item))).ToArray();
        var service = JsonDocument.Parse(row.GetProperty("svc").GetRawText().TrimEnd('}')
            + """},"x":0}""".Replace("},\"x\":0}", ",\"attributes\":{\"namespace\":\"default\",\"exportTo\":[\"*\"]}}",
                StringComparison.Ordinal)).RootElement;
        var snapshot = Rows.Snapshot(Rows.Registry([Rows.Service(service)]), Rows.Settings(), filters);
        var node = World.Node(JsonDocument.Parse($$"""{"type":"{{row.Text("proxy")}}"}""").RootElement);
        return Rows.SameList(new ClusterGenerator().Generate(new ScopeBuilder(snapshot).ScopeOf(node), null).Select(c => c.Name)
            .Order(StringComparer.Ordinal), row.Texts("want").Order(StringComparer.Ordinal));
    }
}
