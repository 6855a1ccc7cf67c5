using Xunit;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Envoy.Service.Discovery.V3;
using Lateen.Pilot.Generation;
using Lateen.Pilot.Generation.Clusters;
using Lateen.Pilot.Generation.Endpoints;
using Lateen.Pilot.Push;

namespace Lateen.Test.Unit.Pilot.Push;

public sealed class PushCostTests
{
    private const int Services = 1000;
    private const int Proxies = 100;

    // The bound is on what is made, which a busy machine can't disturb: each resource once, however many ask for it.
    [Fact]
    public void Equal_proxies_share_what_is_made()
    {
        var mesh = new TestMesh();
        var yaml = new StringBuilder();
        for (var i = 0; i < Services; i++)
        {
            var addresses = Enumerable.Range(0, 10)
                .Select(j => string.Create(CultureInfo.InvariantCulture, $"10.{1 + (i / 250)}.{i % 250}.{j + 1}")).ToArray();
            yaml.Append(TestMesh.Service($"s{i}", string.Create(CultureInfo.InvariantCulture, $"10.200.{i / 250}.{(i % 250) + 1}"),
                addresses)).Append("---\n");
        }
        var hub = new PushHub(new PushOptions(), [new ClusterGenerator(), new EndpointGenerator()]);
        hub.Publish(mesh.Apply(yaml.ToString()));

        var watch = Stopwatch.StartNew();
        var bodies = new HashSet<object>(ReferenceEqualityComparer.Instance);
        for (var i = 0; i < Proxies; i++)
        {
            var session = hub.Connect($"p{i}", default);
            var node = TestMesh.NodeOf($"client-{i}", string.Create(CultureInfo.InvariantCulture, $"10.90.0.{i + 1}"));
            session.Receive(new DeltaDiscoveryRequest { Node = node, TypeUrl = TypeUrls.Cluster }, default);
            Assert.True(session.TryTake(out var clusters));
            var names = clusters.Delta!.Resources.Where(resource => resource.Name.StartsWith("outbound|", StringComparison.Ordinal))
                .ToList();
            Assert.Equal(Services, names.Count);
            foreach (var resource in clusters.Resources.Where(resource => resource.Name.StartsWith("outbound|", StringComparison.Ordinal)))
                bodies.Add(resource);
            var request = new DeltaDiscoveryRequest { TypeUrl = TypeUrls.Endpoint };
            request.ResourceNamesSubscribe.Add(names.Select(resource => resource.Name));
            session.Receive(request, default);
            Assert.True(session.TryTake(out var endpoints));
            Assert.Equal(Services, endpoints.Delta!.Resources.Count);
            foreach (var resource in endpoints.Resources) bodies.Add(resource);
        }
        TestContext.Current.TestOutputHelper?.WriteLine($"{Proxies} proxies x {Services} services: {watch.ElapsedMilliseconds} ms");
        Assert.Equal(2 * Services, bodies.Count);
    }
}
