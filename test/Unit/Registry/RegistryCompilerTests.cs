using Xunit;
using Lateen.Config.Resources;
using Lateen.Registry;
using Lateen.Test.Unit.Pilot;

namespace Lateen.Test.Unit.Registry;

public sealed class RegistryCompilerTests
{
    [Fact]
    public void An_endpoint_change_makes_new_endpoints_of_one_service_and_nothing_else()
    {
        var mesh = new TestMesh();
        mesh.Apply(TestMesh.Service("a", "10.0.0.1", "10.1.0.1") + "---\n" + TestMesh.Service("b", "10.0.0.2", "10.1.0.2"));
        var before = mesh.Registry;
        mesh.Apply(TestMesh.Slice("a", "10.1.0.1", "10.1.0.3"));
        var after = mesh.Registry;

        Assert.Equal(before.Services.Length, after.Services.Length);
        for (var i = 0; i < before.Services.Length; i++) Assert.Same(before.Services[i], after.Services[i]);
        var a = new ServiceKey("a.default.svc.cluster.local", "default");
        var b = new ServiceKey("b.default.svc.cluster.local", "default");
        Assert.NotSame(before.EndpointsOf(a), after.EndpointsOf(a));
        Assert.Equal(2, after.EndpointsOf(a).All.Length);
        Assert.Same(before.EndpointsOf(b), after.EndpointsOf(b));
    }

    [Fact]
    public void The_order_of_resources_does_not_matter()
    {
        var one = new TestMesh();
        one.Apply(TestMesh.Service("a", "10.0.0.1", "10.1.0.1") + "---\n" + TestMesh.Service("b", "10.0.0.2", "10.1.0.2"));
        var other = new TestMesh();
        other.Compile(one.Resources.Reverse());
        Assert.Equal(one.Registry.Services.Select(service => service.Hostname),
            other.Registry.Services.Select(service => service.Hostname));
    }

    [Fact]
    public void A_service_that_is_deleted_takes_its_endpoints_with_it()
    {
        var mesh = new TestMesh();
        mesh.Apply(TestMesh.Service("a", "10.0.0.1", "10.1.0.1"));
        mesh.Delete(Kinds.Service, "default", "a");
        Assert.Empty(mesh.Registry.Services);
        Assert.Empty(mesh.Registry.Endpoints);
    }

    [Theory]
    [InlineData("http", null, 80, Protocol.Http)]
    [InlineData("grpc-web-x", null, 80, Protocol.GrpcWeb)]
    [InlineData("web", null, 80, Protocol.Unsupported)]
    [InlineData("web", null, 3306, Protocol.Tcp)]
    [InlineData("tcp", "kubernetes.io/h2c", 80, Protocol.Http2)]
    public void A_port_tells_its_protocol(string name, string? appProtocol, int port, Protocol expected) =>
        Assert.Equal(expected, Protocols.OfKubernetesPort(port, name, "TCP", appProtocol));
}
