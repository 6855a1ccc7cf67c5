using System.Globalization;
using Envoy.Service.Discovery.V3;
using Lateen.Config.Resources;
using Lateen.Pilot.Generation;
using Lateen.Pilot.Generation.Routes;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Push;
using Xunit;

namespace Lateen.Test.Unit.Pilot.Push;

public sealed class RouteTableTests
{
    private readonly TestMesh _mesh = new();
    private readonly PushHub _hub = new(new PushOptions(), [new RouteGenerator()]);

    // Whatever was before, a table is the one that a control plane makes which has just begun, and one message's bytes although it was
    // never a message.
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void A_table_of_known_hosts_is_the_table_that_is_made_whole(int seed)
    {
        var chance = new Random(seed);
        var session = _hub.Connect("client", default);
        session.Receive(new DeltaDiscoveryRequest
        {
            Node = TestMesh.NodeOf("client", "10.0.0.9"),
            TypeUrl = TypeUrls.Route,
            ResourceNamesSubscribe = { "80", "9999" },
        }, default);
        var names = new HashSet<string> { "80", "9999" };
        for (var step = 0; step < 60; step++)
        {
            _hub.Publish(Change(chance));
            // What a proxy holds comes of differences between such sets; it must not matter which were asked for.
            if (chance.Next(3) == 0) continue;
            var reached = _hub.Generate(TypeUrls.Route, session.Scope!, names).Select(Whole).ToList();
            var fresh = new RouteGenerator().Generate(session.Scope!, names).Select(Whole).ToList();
            Assert.Equal(fresh, reached);
        }
    }

    [Fact]
    public void A_response_of_shared_parts_is_its_message_in_both_forms()
    {
        _hub.Publish(_mesh.Apply(TestMesh.Service("a", "10.96.0.1", "10.0.0.1") + "\n---\n"
            + TestMesh.Service("b", "10.96.0.2", "10.0.0.2")));
        var (delta, whole) = (_hub.Connect("delta", default), _hub.Connect("whole", default));
        delta.Receive(new DeltaDiscoveryRequest
        {
            Node = TestMesh.NodeOf("delta", "10.0.0.9"),
            TypeUrl = TypeUrls.Route,
            ResourceNamesSubscribe = { "80" },
        }, default);
        whole.Receive(new DiscoveryRequest
        {
            Node = TestMesh.NodeOf("whole", "10.0.0.9"),
            TypeUrl = TypeUrls.Route,
            ResourceNames = { "80" },
        }, default);
        Assert.True(delta.TryTake(out var first));
        Assert.True(whole.TryTake(out var second));
        Assert.True(first.Resources[0].PartCount > 3);
        Assert.Equal((first.Bytes().Length, second.Bytes().Length), (first.Size, second.Size));
        Assert.Equal(first.Delta!.Resources[0].Resource_, second.Whole!.Resources[0]);
        Assert.Equal(WireResource.Of("80", first.Resources[0].Message).Version, first.Delta.Resources[0].Version);
    }

    // Name, version and bytes, which are those of the message.
    private static (string Name, string Version, string Bytes) Whole(WireResource resource)
    {
        var made = WireResource.Of(resource.Name, resource.Message);
        Assert.Equal(Convert.ToHexString(made.Entry.Span), Convert.ToHexString(resource.Entry.Span));
        return (resource.Name, resource.Version, Convert.ToHexString(resource.Entry.Span));
    }

    private MeshSnapshot Change(Random chance)
    {
        var name = $"s{chance.Next(8)}";
        var number = chance.Next(1, 200);
        return chance.Next(8) switch
        {
            0 => Without(Kinds.Service, name),
            1 => Without(Kinds.VirtualService, name),
            2 => Without(Kinds.DestinationRule, name),
            3 => _mesh.Apply(Rule(name, chance.Next(6) == 0 ? "\"*.example.com\"" : chance.Next(6) == 0 ? "\"*\"" : name, number)),
            4 => _mesh.Apply(Hashed(name, number)),
            5 => _mesh.Apply(TestMesh.Service(name, "None", $"10.0.1.{number}")),
            6 => _mesh.Apply(TestMesh.Slice(name, $"10.0.2.{number}")),
            _ => _mesh.Apply(TestMesh.Service(name, string.Create(CultureInfo.InvariantCulture, $"10.96.0.{number}"), "10.0.0.1")),
        };
    }

    private MeshSnapshot Without(ResourceKind kind, string name) =>
        _mesh.Resources.Any(resource => resource.Key == new ResourceKey(kind, "default", name))
            ? _mesh.Delete(kind, "default", name) : _mesh.Apply(TestMesh.Slice(name, "10.0.3.1"));

    private static string Rule(string name, string host, int seconds) => string.Create(CultureInfo.InvariantCulture, $$"""
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: {{name}}, namespace: default}
        spec:
          hosts: [{{host}}]
          http:
          - timeout: {{seconds}}s
            route:
            - destination: {host: {{name}}}
        """);

    private static string Hashed(string name, int number) => string.Create(CultureInfo.InvariantCulture, $$"""
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {name: {{name}}, namespace: default}
        spec:
          host: {{name}}
          trafficPolicy:
            loadBalancer:
              consistentHash:
                httpHeaderName: x-{{number}}
        """);
}
