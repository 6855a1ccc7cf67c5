using Envoy.Config.Cluster.V3;
using Envoy.Config.Core.V3;
using FsCheck;
using FsCheck.Fluent;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;
using Lateen.Config.Store;
using Lateen.ControlPlane.Findings;
using Lateen.Pilot.Generation;
using Lateen.Pilot.Generation.Clusters;
using Lateen.Pilot.Generation.Endpoints;
using Lateen.Pilot.Generation.Listeners;
using Lateen.Pilot.Generation.Names;
using Lateen.Pilot.Generation.Routes;
using Lateen.Pilot.Generation.Workloads;
using Lateen.Pilot.Scope;
using Xunit;

namespace Lateen.Test.Unit.Pilot.Worlds;

public sealed class RandomWorldTests
{
    private const int Worlds = 20;

    // Every field of the kinds that configure a mesh, Istio's and the Gateway API's, and what a cluster adds to them.
    private static readonly ResourceKind[] Drawn =
        [.. Kinds.All.Where(kind => kind.IsConfiguration
            || kind.Name is "Service" or "EndpointSlice" or "Pod" or "Node" or "Namespace" or "Secret" or "ConfigMap")];

    private static readonly string[] Types = ["sidecar", "router", "waypoint"];

    [Fact]
    public void No_world_breaks_a_generator_and_no_order_changes_a_byte() => ForAll(seed =>
    {
        var random = new RandomWorld(seed);
        var world = Stage().Concat(random.Of(Drawn)).DistinctBy(resource => resource.Key).ToList();
        Assert.Equal(Everything(world), Everything(random.Shuffled(world)));
    });

    [Fact]
    public void One_object_more_is_no_harm_to_what_does_not_know_of_it() => ForAll(seed =>
    {
        var random = new RandomWorld(seed);
        var kind = Drawn[(int)((uint)seed % (uint)Drawn.Length)];
        var stranger = random.One(kind);
        // An object of a namespace of its own, which tells nobody else of itself.
        var apart = stranger.With(stranger.Metadata with { Namespace = kind.IsNamespaced ? "apart" : "", Name = "stranger" });
        var known = Stage();
        var (before, after) = (Everything(known), Everything([.. known, apart]));
        if (kind.Group == "security.istio.io" || kind == Kinds.EnvoyFilter || kind == Kinds.ProxyConfig || kind == Kinds.Telemetry
            || kind == Kinds.Sidecar) Assert.Equal(before, after);
        else Assert.All(before, one => Assert.Contains(one.Name, after.Select(other => other.Name)));
    });

    [Fact]
    public void What_is_said_about_the_objects_of_a_world_does_not_depend_on_their_order() => ForAll(seed =>
    {
        var random = new RandomWorld(seed);
        var world = Stage().Concat(random.Of(Drawn)).DistinctBy(resource => resource.Key).ToList();
        Assert.Equal(Said(world), Said(random.Shuffled(world)));
    });

    private static List<string> Said(IReadOnlyList<Resource> world)
    {
        var (view, findings) = (ResourceView.Of(world), new ResourceFindings("cluster.local", "istio-system", new Refusals(() => [])));
        return [.. world.SelectMany(resource => findings.About(resource, view)).Select(said => said.ToString())
            .Order(StringComparer.Ordinal)];
    }

    private static void ForAll(Action<int> holds) =>
        Prop.ForAll(ArbMap.Default.ArbFor<int>(), holds).Check(FsCheck.Config.QuickThrowOnFailure.WithMaxTest(Worlds));

    private static List<Resource> Stage() =>
    [
        .. new ResourceDecoder().Decode(TestMesh.Service("web", "10.0.0.1", "10.1.0.1") + """

            apiVersion: v1
            kind: Namespace
            metadata: {name: other}
            ---
            apiVersion: networking.istio.io/v1
            kind: Gateway
            metadata: {name: gw, namespace: default}
            spec:
              selector: {app: web}
              servers:
              - port: {number: 80, name: http, protocol: HTTP}
                hosts: ["*"]
            ---
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: stage, namespace: default}
            spec:
              hosts: [web]
              gateways: [mesh, gw]
              http:
              - route: [{destination: {host: web}}]
            """, "stage.yaml", new DiagnosticBag()),
    ];

    // What each kind of proxy gets: every type, and what is named in another.
    private static List<(string Name, string Version)> Everything(IReadOnlyList<Resource> resources)
    {
        var snapshot = new TestMesh().Compile(resources);
        return [.. Types.SelectMany(
            type => Of(new ScopeBuilder(snapshot).ScopeOf(Node(type))).Select(made => ($"{type} {made.Name}", made.Version)))];
    }

    private static IEnumerable<WireResource> Of(ProxyScope scope)
    {
        var clusters = new ClusterGenerator().Generate(scope, null);
        var names = clusters.Select(cluster => (Cluster)cluster.Message).Where(cluster => cluster.Type == Cluster.Types.DiscoveryType.Eds)
            .Select(cluster => cluster.Name).ToHashSet();
        return
        [
            .. clusters, .. new EndpointGenerator().Generate(scope, names), .. new ListenerGenerator().Generate(scope, null),
            .. new RouteGenerator().Generate(scope,
                new HashSet<string> { "80", "443", "http.80", "web.default.svc.cluster.local:80", "http_proxy" }),
                .. new NameTableGenerator().Generate(scope, null),
            .. new AddressGenerator().Generate(scope, null), .. new AuthorizationGenerator().Generate(scope, null),
        ];
    }

    private static ProxyNode Node(string type) => NodeParser.Parse(new Node
    {
        Id = $"{type}~10.1.0.1~web-1.default~default.svc.cluster.local",
        Metadata = new Struct
        {
            Fields =
            {
                ["NAMESPACE"] = Value.ForString("default"),
                ["CLUSTER_ID"] = Value.ForString("Kubernetes"),
                ["LABELS"] = Value.ForStruct(
                    new Struct { Fields = { ["app"] = Value.ForString("web"), ["version"] = Value.ForString("v1") } }),
            },
        },
    }).Node!;
}
