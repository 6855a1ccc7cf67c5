using System.Text.Json;
using System.Text.RegularExpressions;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;
using Lateen.Config.Validation;
using Lateen.Pilot.Generation;
using Lateen.Pilot.Generation.Clusters;
using Lateen.Pilot.Generation.Endpoints;
using Lateen.Pilot.Generation.Listeners;
using Lateen.Pilot.Generation.Names;
using Lateen.Pilot.Generation.Routes;
using Lateen.Pilot.Scope;
using Lateen.Test.Conformance.Frame;
using Lateen.Test.Conformance.Runners.Tables;
using Lateen.Test.Conformance.Runners.Traffic;

namespace Lateen.Test.Conformance.Runners.Scale;

/// <summary>
/// Plays <c>xds-inputs</c>: big configurations without an expectation. Every object must be accepted, a sidecar and a gateway must get all
/// that they can ask for, none of it may be what a proxy would refuse, and the same objects in another order must give the same bytes.
/// </summary>
internal sealed class XdsInputsRunner : FolderRunner
{
    // The sizes of upstream's benchmarks.
    private static readonly Dictionary<string, int> Sizes = new() { ["Services"] = 100, ["Instances"] = 1000 };

    /// <inheritdoc/>
    public override string Folder => "xds-inputs";

    /// <inheritdoc/>
    public override IEnumerable<CaseResult> Run(string path)
    {
        using var cases = JsonDocument.Parse(File.ReadAllText(Path.Combine(path, "cases.json")));
        foreach (var row in cases.RootElement.GetProperty("cases").EnumerateArray())
        {
            var name = row.Text("name");
            var text = row.Text("template") is { Length: > 0 } template
                ? Separated(new GoTemplate(Sizes).Render(File.ReadAllText(Path.Combine(path, template))))
                : File.ReadAllText(Path.Combine(path, row.Text("file")));
            yield return Play(text) is { } mistake ? CaseResult.Fail(name, mistake) : CaseResult.Pass(name);
        }
    }

    // One template leaves the line between its documents out; upstream's reader takes the last of them.
    private static string Separated(string text) =>
        Regex.Replace(text, "(?<!^---[^\n]*\n)^apiVersion:", "---\napiVersion:", RegexOptions.Multiline);

    private static string? Play(string text)
    {
        var found = new DiagnosticBag();
        var resources = new ResourceDecoder(new DecoderOptions { DefaultNamespace = "default" }).Decode(text, "input.yaml", found);
        if (found.Concat(resources.SelectMany(Validator.Check)).FirstOrDefault(finding => finding.IsError) is { } error)
            return error.ToString();
        foreach (var node in new[] { Node("sidecar"), Node("router") })
        {
            var (made, backwards) = (All(World.Of(resources, node, Rows.Settings()).Scope),
                All(World.Of([.. resources.Reverse()], node, Rows.Settings()).Scope));
            if (made.Find(resource => resource.Fault is not null) is { } faulty)
                return $"every proxy would refuse {faulty.Name}: {faulty.Fault}";
            if (!made.Select(resource => (resource.Name, resource.Version))
                .SequenceEqual(backwards.Select(resource => (resource.Name, resource.Version))))
                return "another order of the objects gives other bytes";
        }
        return null;
    }

    // All that a proxy asks for: what it subscribes to whole, then what it finds named there.
    private static List<WireResource> All(ProxyScope scope)
    {
        var clusters = new ClusterGenerator().Generate(scope, null);
        var listeners = new ListenerGenerator().Generate(scope, null);
        var assignments = clusters.Select(cluster => (Envoy.Config.Cluster.V3.Cluster)cluster.Message)
            .Where(cluster => cluster.Type == Envoy.Config.Cluster.V3.Cluster.Types.DiscoveryType.Eds).Select(cluster => cluster.Name)
            .ToHashSet();
        var routes = listeners.SelectMany(listener => RouteNames((Envoy.Config.Listener.V3.Listener)listener.Message)).ToHashSet();
        return [.. clusters, .. new EndpointGenerator().Generate(scope, assignments), .. listeners,
            .. new RouteGenerator().Generate(scope, routes), .. new NameTableGenerator().Generate(scope, null)];
    }

    private static IEnumerable<string> RouteNames(Envoy.Config.Listener.V3.Listener listener) =>
        listener.FilterChains.Append(listener.DefaultFilterChain).OfType<Envoy.Config.Listener.V3.FilterChain>()
            .SelectMany(chain => chain.Filters)
            .Select(
                filter => filter.TypedConfig.TryUnpack<Envoy.Extensions.Filters.Network.HttpConnectionManager.V3.HttpConnectionManager>(
                    out var manager) ? manager.Rds?.RouteConfigName : null).OfType<string>();

    // Gateways of the benchmarks are selected by this label.
    private static ProxyNode Node(string type) => NodeParser.Parse(new Envoy.Config.Core.V3.Node
    {
        Id = $"{type}~1.1.1.1~test.default~default.svc.cluster.local",
        Metadata = new Struct
        {
            Fields =
            {
                ["NAMESPACE"] = Value.ForString("default"),
                ["CLUSTER_ID"] = Value.ForString("Kubernetes"),
                ["ISTIO_VERSION"] = Value.ForString("1.32.0"),
                ["LABELS"] = Value.ForStruct(new Struct { Fields = { ["istio.io/benchmark"] = Value.ForString("true") } }),
            },
        },
    }).Node!;
}
