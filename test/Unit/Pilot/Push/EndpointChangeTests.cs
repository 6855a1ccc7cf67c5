using System.Globalization;
using System.Text;
using Envoy.Service.Discovery.V3;
using Lateen.Config.Resources;
using Lateen.Pilot.Generation;
using Lateen.Pilot.Generation.Clusters;
using Lateen.Pilot.Generation.Endpoints;
using Lateen.Pilot.Generation.Listeners;
using Lateen.Pilot.Generation.Routes;
using Lateen.Pilot.Push;
using Lateen.Pilot.Scope;
using Xunit;

namespace Lateen.Test.Unit.Pilot.Push;

public sealed class EndpointChangeTests
{
    private const int Services = 40;
    private static readonly string[] Types = [TypeUrls.Cluster, TypeUrls.Endpoint, TypeUrls.Listener, TypeUrls.Route];
    private readonly TestMesh _mesh = new();
    private readonly Counted[] _generators = [.. Generators().Select(generator => new Counted(generator))];
    private readonly PushHub _hub;

    public EndpointChangeTests()
    {
        _hub = new PushHub(new PushOptions(), _generators);
        var yaml = new StringBuilder();
        for (int i = 0; i < Services; i++) yaml.Append(TestMesh.Service($"s{i}", Vip(i), Address(i, 1), Address(i, 2))).Append("---\n");
        // One whose endpoints are dialed by themselves, so that they are part of listeners and routes.
        yaml.Append("""
            apiVersion: v1
            kind: Service
            metadata: {name: bare, namespace: default}
            spec:
              clusterIP: None
              ports: [{name: tcp, port: 9000, protocol: TCP, targetPort: 9000}]
            ---

            """).Append(Bare("10.9.0.1"));
        _hub.Publish(_mesh.Apply(yaml.ToString()));
    }

    [Fact]
    public void What_does_not_look_at_endpoints_is_not_made_anew_for_them()
    {
        AdsSession session = Connect(_hub, 1);
        foreach (Counted generator in _generators) generator.Count = 0;
        _hub.Publish(_mesh.Apply(TestMesh.Slice("s7", Address(7, 1), Address(7, 3))));
        Assert.Equal([TypeUrls.Endpoint], Drain(session));
        Assert.Equal((0, 0), (CountOf(TypeUrls.Listener), CountOf(TypeUrls.Route)));

        _hub.Publish(_mesh.Apply(TestMesh.Service("more", "10.0.1.1", "10.1.200.1")));
        Drain(session);
        Assert.True(CountOf(TypeUrls.Listener) > 0 && CountOf(TypeUrls.Route) > 0);
    }

    [Fact]
    public void Endpoints_that_are_dialed_by_themselves_count_in_listeners()
    {
        AdsSession session = Connect(_hub, 1);
        _hub.Publish(_mesh.Apply(Bare("10.9.0.1", "10.9.0.2")));
        Assert.Contains(TypeUrls.Listener, Drain(session));
    }

    [Fact]
    public void A_proxy_that_comes_to_serve_a_service_is_told()
    {
        AdsSession session = Connect(_hub, 1);
        Assert.DoesNotContain(session.Held(TypeUrls.Cluster).Keys, name => name.StartsWith("inbound|8080", StringComparison.Ordinal));
        _hub.Publish(_mesh.Apply(TestMesh.Slice("s3", Ip(1))));
        Assert.Contains(TypeUrls.Listener, Drain(session));
        Assert.Contains(session.Held(TypeUrls.Cluster).Keys, name => name.StartsWith("inbound|8080", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Whatever_changes_in_whatever_order_everybody_has_what_a_fresh_start_would_give(int seed)
    {
        var random = new Random(seed);
        AdsSession[] sessions = [.. Enumerable.Range(1, 4).Select(i => Connect(_hub, i))];
        for (int step = 0; step < 60; step++)
        {
            _hub.Publish(Change(random, step));
            // Who is not asked now has to catch up later.
            foreach (AdsSession session in sessions.Where(_ => random.Next(3) > 0)) Drain(session);
        }
        var fresh = new PushHub(new PushOptions(), Generators());
        fresh.Publish(_mesh.Compile(_mesh.Resources));
        for (int i = 0; i < sessions.Length; i++)
        {
            Drain(sessions[i]);
            AdsSession expected = Connect(fresh, i + 1);
            foreach (string type in Types)
                Assert.Equal(expected.Held(type).OrderBy(pair => pair.Key), sessions[i].Held(type).OrderBy(pair => pair.Key));
        }
    }

    private Lateen.Pilot.Meaning.MeshSnapshot Change(Random random, int step)
    {
        int service = random.Next(Services);
        return random.Next(10) switch
        {
            0 => _mesh.Apply(Bare([.. Enumerable.Range(1, random.Next(4)).Select(i => $"10.9.0.{i}")])),
            1 => _mesh.Apply(TestMesh.Slice($"s{service}", Address(service, step), Ip(1 + random.Next(4)))),
            2 => _mesh.Apply(TestMesh.Service($"late{step}", $"10.0.2.{step + 1}", Address(service, step))),
            3 => _mesh.Apply($"""
                apiVersion: networking.istio.io/v1
                kind: DestinationRule
                metadata:
                  name: s{service}
                  namespace: default
                spec:
                  host: s{service}
                  trafficPolicy:
                    connectionPool:
                      tcp:
                        maxConnections: {step + 1}
                """),
            4 when _mesh.Resources.Any(resource => resource.Key == new ResourceKey(Kinds.EndpointSlice, "default", $"s{service}-1")) =>
                _mesh.Delete(Kinds.EndpointSlice, "default", $"s{service}-1"),
            _ => _mesh.Apply(TestMesh.Slice($"s{service}", Address(service, 1), Address(service, step))),
        };
    }

    private static IResourceGenerator[] Generators() =>
        [new ClusterGenerator(), new EndpointGenerator(), new ListenerGenerator(), new RouteGenerator()];

    private static AdsSession Connect(PushHub hub, int number)
    {
        AdsSession session = hub.Connect($"p{number}", default);
        foreach (string type in Types)
        {
            session.Receive(new DeltaDiscoveryRequest { Node = TestMesh.NodeOf($"client-{number}", Ip(number)), TypeUrl = type }, default);
            if (type == TypeUrls.Endpoint || type == TypeUrls.Route) Subscribe(session, type);
            Drain(session);
        }
        return session;
    }

    // Takes and acknowledges, and asks for what is named in what came, as a proxy does.
    private static List<string> Drain(AdsSession session)
    {
        var types = new List<string>();
        while (session.TryTake(out AdsResponse? response))
        {
            types.Add(response.TypeUrl);
            session.Receive(new DeltaDiscoveryRequest { TypeUrl = response.TypeUrl, ResponseNonce = response.Nonce }, default);
            if (response.TypeUrl == TypeUrls.Cluster) Subscribe(session, TypeUrls.Endpoint);
            if (response.TypeUrl == TypeUrls.Listener) Subscribe(session, TypeUrls.Route);
        }
        return types;
    }

    private static void Subscribe(AdsSession session, string type)
    {
        IReadOnlySet<string> asked = session.Asked(type) ?? new HashSet<string>();
        if (!session.Held(TypeUrls.Cluster).Keys.Any()) return;
        var request = new DeltaDiscoveryRequest { TypeUrl = type };
        IEnumerable<string> wanted = type == TypeUrls.Endpoint
            ? session.Held(TypeUrls.Cluster).Keys.Where(name => name.StartsWith("outbound|", StringComparison.Ordinal))
            : ["80", "bare.default.svc.cluster.local:9000"];
        request.ResourceNamesSubscribe.Add(wanted.Where(name => !asked.Contains(name)));
        request.ResourceNamesUnsubscribe.Add(asked.Where(name => !wanted.Contains(name)));
        if (request.ResourceNamesSubscribe.Count + request.ResourceNamesUnsubscribe.Count > 0) session.Receive(request, default);
    }

    private int CountOf(string type) => _generators.Single(generator => generator.TypeUrl == type).Count;

    private static string Bare(params string[] addresses) =>
        TestMesh.Slice("bare", addresses).Replace("name: http", "name: tcp", StringComparison.Ordinal)
            .Replace("port: 8080", "port: 9000", StringComparison.Ordinal);

    private static string Vip(int service) => string.Create(CultureInfo.InvariantCulture, $"10.0.0.{service + 1}");

    private static string Address(int service, int number) => string.Create(CultureInfo.InvariantCulture, $"10.1.{service}.{number + 1}");

    private static string Ip(int proxy) => string.Create(CultureInfo.InvariantCulture, $"10.90.0.{proxy}");

    private sealed class Counted(IResourceGenerator inner) : IResourceGenerator
    {
        public int Count { get; set; }

        public string TypeUrl => inner.TypeUrl;

        public bool LooksAtEndpoints => inner.LooksAtEndpoints;

        public IReadOnlyList<WireResource> Generate(ProxyScope scope, IReadOnlySet<string>? names)
        {
            Count++;
            return inner.Generate(scope, names);
        }

        public void BeginSnapshot() => inner.BeginSnapshot();
    }
}
