using System.Text.Json;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;
using Lateen.ControlPlane.Compile;
using Lateen.Pilot.Generation;
using Lateen.Pilot.Generation.Listeners;
using Lateen.Pilot.Generation.Routes;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Meaning.Compile;
using Lateen.Pilot.Meaning.Settings;
using Lateen.Pilot.Scope;
using Lateen.Registry;
using Lateen.Test.Conformance.Runners.Tables;

namespace Lateen.Test.Conformance.Runners.Traffic;

/// <summary>A mesh out of the texts of a row, and one proxy in it.</summary>
internal sealed class World
{
    private World(ProxyScope scope) => Scope = scope;

    public ProxyScope Scope { get; }

    /// <summary>Compiles texts of Kubernetes and Istio objects.</summary>
    public static World Of(string[] texts, ProxyNode node, JsonElement? mesh = null, params (string Key, string Value)[] environment)
    {
        var resources = texts.SelectMany(text => new ResourceDecoder().Decode(text, "row.yaml", [])).ToList();
        return Of(resources, node, Rows.Settings(mesh, environment));
    }

    public static World Of(IReadOnlyList<Resource> resources, ProxyNode node, MeshSettings settings)
    {
        // Addresses are given to entries where the proxy's own DNS tells them.
        if (node.Metadata is { DnsCapture: true, DnsAutoAllocate: true })
        {
            var entries = resources.OfType<Resource<Istio.Networking.V1Alpha3.ServiceEntry>>().ToList();
            resources = [.. resources.Except(entries), .. new EntryAddresses().Of(entries)];
        }
        var registry = new RegistryCompiler(
            new RegistryOptions { TrustDomain = settings.TrustDomain, SystemNamespace = settings.RootNamespace })
            .Compile([ClusterResources.Of("Kubernetes", resources)]);
        var snapshot = new SnapshotCompiler().Compile(SnapshotResources.Of("row", registry, settings, resources));
        return new World(new ScopeBuilder(snapshot).ScopeOf(node));
    }

    /// <summary>The proxy of a row: a sidecar of the namespace default unless it says otherwise.</summary>
    public static ProxyNode Node(JsonElement? row)
    {
        var proxy = row ?? default;
        var isRouter = proxy.Text("type") == "router";
        var metadata = proxy.Field("metadata") ?? default;
        var ns = metadata.Text("namespace") is { Length: > 0 } told ? told : proxy.Text("configNamespace") is { Length: > 0 } own
            ? own : "default";
        var addresses = proxy.Texts("ipAddresses") is { Length: > 0 } given ? given : ["1.1.1.1"];
        var sent = new Struct
        {
            Fields =
            {
                ["NAMESPACE"] = Value.ForString(ns),
                ["CLUSTER_ID"] = Value.ForString("Kubernetes"),
                ["INSTANCE_IPS"] = Value.ForString(string.Join(',', addresses)),
                ["LABELS"] = Value.ForStruct(new Struct()),
                ["ISTIO_VERSION"] = Value.ForString("1.32.0"),
            },
        };
        if (metadata.Flag("dnsCapture")) sent.Fields["DNS_CAPTURE"] = Value.ForString("true");
        if (metadata.Flag("dnsAutoAllocate")) sent.Fields["DNS_AUTO_ALLOCATE"] = Value.ForString("true");
        if (metadata.Flag("unprivilegedPod")) sent.Fields["UNPRIVILEGED_POD"] = Value.ForString("true");
        if (metadata.Text("interceptionMode") is { Length: > 0 } mode) sent.Fields["INTERCEPTION_MODE"] = Value.ForString(mode);
        var labels = metadata.Labels("labels");
        foreach (var (key, value) in labels.Count > 0 ? labels : proxy.Labels("labels"))
            sent.Fields["LABELS"].StructValue.Fields[key] = Value.ForString(value);
        var (node, error) = NodeParser.Parse(new Envoy.Config.Core.V3.Node
        {
            Id = $"{(isRouter ? "router" : "sidecar")}~{addresses[0]}~test.{ns}~{ns}.svc.cluster.local",
            Metadata = sent,
        });
        return node ?? throw new InvalidOperationException(error);
    }

    public List<Envoy.Config.Listener.V3.Listener> Listeners() =>
        [.. new ListenerGenerator().Generate(Scope, null).Select(resource => (Envoy.Config.Listener.V3.Listener)Sound(resource).Message)];

    public Envoy.Config.Route.V3.RouteConfiguration Routes(string name) =>
        (Envoy.Config.Route.V3.RouteConfiguration)Sound(new RouteGenerator().Generate(Scope, new HashSet<string> { name })[0]).Message;

    // Nothing that the definitions refuse may leave the house.
    private static WireResource Sound(WireResource resource) =>
        Soundness.Definition(resource.Message, resource.Body.Value.Span) is { } fault
            ? throw new InvalidOperationException($"every proxy would refuse {resource.Name}: {fault}") : resource;
}
