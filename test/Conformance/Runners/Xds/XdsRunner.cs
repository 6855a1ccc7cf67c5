using System.Text.Json;
using Lateen.Pilot.Generation;
using Lateen.Pilot.Generation.Clusters;
using Lateen.Pilot.Generation.Endpoints;
using Lateen.Pilot.Generation.Listeners;
using Lateen.Pilot.Generation.Names;
using Lateen.Pilot.Generation.Routes;
using Lateen.Pilot.Generation.Workloads;
using Lateen.Pilot.Scope;
using Lateen.Test.Conformance.Frame;

namespace Lateen.Test.Conformance.Runners.Xds;

/// <summary>Plays the goldens of whole configurations: one result for each section of each proxy.</summary>
internal sealed class XdsRunner : FolderRunner
{
    private static readonly Lazy<WireComparison> Comparison = new(() => new WireComparison(WireComparison.AllTypes()));

    /// <inheritdoc/>
    public override string Folder => "xds";

    /// <inheritdoc/>
    public override IEnumerable<CaseResult> Run(string path)
    {
        foreach (var file in Directory.GetFiles(path, "case.json", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            var dir = Path.GetDirectoryName(file)!;
            foreach (var result in Play(Path.GetRelativePath(path, dir), dir)) yield return result;
        }
    }

    private static IEnumerable<CaseResult> Play(string name, string dir)
    {
        var made = new XdsCase(dir);
        var scopes = new ScopeBuilder(made.Snapshot);
        foreach (var (proxy, node, want) in made.Proxies())
        {
            var scope = scopes.ScopeOf(node);
            if (node.Type == ProxyType.Ztunnel)
            {
                foreach (var section in new[] { ("addresses", (IResourceGenerator)new AddressGenerator()),
                    ("authorizations", new AuthorizationGenerator()) })
                    yield return Compare($"{name}/{proxy}/{section.Item1}", section.Item2.Generate(scope, null), want, section.Item1,
                        "name", "resource");
                continue;
            }
            // A library asks for what it was told of: the targets of its program, then the names found in the answers.
            var subscribed = made.Subscriptions(proxy);
            var clusters = new ClusterGenerator().Generate(scope,
                subscribed is null ? null
                    : want.GetProperty("clusters").EnumerateArray().Select(golden => golden.GetProperty("name").GetString()!).ToHashSet());
            yield return Compare($"{name}/{proxy}/clusters", clusters, want, "clusters", "name");
            var listeners = new ListenerGenerator().Generate(scope, subscribed);
            yield return Compare($"{name}/{proxy}/listeners", listeners, want, "listeners", "name");
            var routeNames = want.GetProperty("routes").EnumerateArray().Select(golden => golden.GetProperty("name").GetString()!)
                .ToHashSet();
            yield return Compare($"{name}/{proxy}/routes", new RouteGenerator().Generate(scope, routeNames), want, "routes", "name");
            if (want.TryGetProperty("extensionConfigs", out var configs))
            {
                var configNames = configs.EnumerateArray().Select(golden => golden.GetProperty("name").GetString()!).ToHashSet();
                var extensions = new ExtensionConfigGenerator().Generate(scope, configNames).Select(Masked).ToList();
                yield return Compare($"{name}/{proxy}/extensionConfigs", extensions, want, "extensionConfigs", "name");
            }
            var names = want.GetProperty("endpoints").EnumerateArray().Select(golden => golden.GetProperty("clusterName").GetString()!)
                .ToHashSet();
            if (want.TryGetProperty("nds", out var nds))
            {
                var table = new NameTableGenerator().Generate(scope, null)[0];
                var difference = Comparison.Value.Difference(table.Message, nds);
                yield return new CaseResult($"{name}/{proxy}/nds", difference is null, difference ?? "");
            }
            yield return Compare($"{name}/{proxy}/endpoints", Sorted(new EndpointGenerator().Generate(scope, names)), want, "endpoints",
                "clusterName");
        }
    }

    // The recording hides the versions of resources, which are nobody's contract.
    private static WireResource Masked(WireResource resource)
    {
        const string Variable = "ISTIO_META_WASM_PLUGIN_RESOURCE_VERSION";
        var copy = ((Envoy.Config.Core.V3.TypedExtensionConfig)resource.Message).Clone();
        if (copy.TypedConfig.TryUnpack<Envoy.Extensions.Filters.Http.Wasm.V3.Wasm>(out var http))
        {
            http.Config.VmConfig.EnvironmentVariables.KeyValues[Variable] = "${RESOURCE_VERSION}";
            copy.TypedConfig = Google.Protobuf.WellKnownTypes.Any.Pack(http);
        }
        else if (copy.TypedConfig.TryUnpack<Envoy.Extensions.Filters.Network.Wasm.V3.Wasm>(out var network))
        {
            network.Config.VmConfig.EnvironmentVariables.KeyValues[Variable] = "${RESOURCE_VERSION}";
            copy.TypedConfig = Google.Protobuf.WellKnownTypes.Any.Pack(network);
        }
        return WireResource.Unchecked(resource.Name, copy);
    }

    // The recording sorted the endpoints inside a locality by address.
    private static List<WireResource> Sorted(IReadOnlyList<WireResource> resources)
    {
        var sorted = new List<WireResource>(resources.Count);
        foreach (var resource in resources)
        {
            var copy = ((Envoy.Config.Endpoint.V3.ClusterLoadAssignment)resource.Message).Clone();
            foreach (var locality in copy.Endpoints)
            {
                var ordered = locality.LbEndpoints.OrderBy(endpoint => endpoint.Endpoint.Address.SocketAddress?.Address ?? "",
                    StringComparer.Ordinal).ToList();
                locality.LbEndpoints.Clear();
                locality.LbEndpoints.Add(ordered);
            }
            sorted.Add(WireResource.Of(resource.Name, copy));
        }
        return sorted;
    }

    private static CaseResult Compare(string name, IReadOnlyList<WireResource> actual, JsonElement want, string section, string key,
        string? inside = null)
    {
        var expected = want.TryGetProperty(section, out var list) ? list.EnumerateArray().ToList() : [];
        var byName = actual.ToDictionary(resource => resource.Name);
        // Nothing that the definitions refuse may leave the house. (Datadog's service name is that of the node, and the nodes of the
        // recording tell none.)
        var differences = actual.Where(
            resource => resource.Fault is not null
                && !resource.Fault.Contains("DatadogConfigValidationError.ServiceName", StringComparison.Ordinal))
                .Select(resource => $"{resource.Name}: every proxy would refuse it: {resource.Fault}").ToList();
        foreach (var golden in expected)
        {
            var resource = golden.GetProperty(key).GetString()!;
            if (!byName.Remove(resource, out var made)) differences.Add($"{resource}: missing");
            else if (Comparison.Value.Difference(made.Message, inside is null ? golden : golden.GetProperty(inside)) is { } difference)
                differences.Add($"{resource}{difference}");
        }
        differences.AddRange(byName.Keys.Order(StringComparer.Ordinal).Select(extra => $"{extra}: not wanted"));
        return new CaseResult(name, differences.Count == 0, string.Join("\n    ", differences));
    }
}
