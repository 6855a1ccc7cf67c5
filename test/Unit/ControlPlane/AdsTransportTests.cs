using Envoy.Service.Discovery.V3;
using Lateen.Citadel.Authorities;
using Lateen.Config.Store;
using Lateen.ControlPlane;
using Lateen.ControlPlane.Ads;
using Lateen.ControlPlane.Certificates;
using Lateen.ControlPlane.Hosting;
using Lateen.Test.Rigs.Discovery;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Lateen.Test.Unit.ControlPlane;

public sealed class AdsTransportTests : IAsyncDisposable
{
    private readonly ProcessHost _host =
        new(new ControlLoop(new ControlPlaneOptions { StateFolder = "" }, new ResourceStore(_ => [], TimeProvider.System), [],
            DateTimeOffset.UnixEpoch, TimeProvider.System), TimeProvider.System);

    [Theory]
    [InlineData(AdsClient.StateOfTheWorld)]
    [InlineData(AdsClient.Delta)]
    public async Task Headers_come_before_the_first_request_and_a_request_without_node_ends_the_stream(string method)
    {
        ControlPlaneAddress at = await OpenAsync();
        await using AdsClient client = await AdsClient.OpenAsync(at.Grpc, method);
        client.Send(method == AdsClient.Delta ? new DeltaDiscoveryRequest { TypeUrl = "x" } : new DiscoveryRequest { TypeUrl = "x" });
        Assert.Null(await client.ReadAsync(DiscoveryResponse.Parser));
        Assert.Equal(("3", "missing node information"), client.Ending());
    }

    [Fact]
    public async Task A_client_that_closes_its_side_gets_status_ok()
    {
        ControlPlaneAddress at = await OpenAsync();
        await using AdsClient client = await AdsClient.OpenAsync(at.Grpc, AdsClient.Delta);
        client.Send(new DeltaDiscoveryRequest { TypeUrl = "x", Node = AdsClient.Sidecar("a", "default") });
        client.Complete();
        Assert.Null(await client.ReadAsync(DeltaDiscoveryResponse.Parser));
        Assert.Equal("0", client.Ending().Status);
    }

    [Theory]
    [InlineData("istio.v1.auth.IstioCertificateService", "CreateCertificate", "unknown service istio.v1.auth.IstioCertificateService")]
    [InlineData("envoy.service.discovery.v3.AggregatedDiscoveryService", "FetchAll",
        "unknown method FetchAll for service envoy.service.discovery.v3.AggregatedDiscoveryService")]
    public async Task Unknown_services_and_methods_are_unimplemented(string service, string method, string message)
    {
        ControlPlaneAddress at = await OpenAsync();
        await using AdsClient client = await AdsClient.OpenAsync(at.Grpc, method, service: service);
        Assert.Null(await client.ReadAsync(DiscoveryResponse.Parser));
        Assert.Equal(("12", message), client.Ending());
    }

    [Fact]
    public async Task A_unix_socket_serves_as_well()
    {
        string folder = Directory.CreateTempSubdirectory("lateen").FullName;
        try
        {
            string socket = Path.Combine(folder, "xds");
            await OpenAsync(socket);
            await using AdsClient client = await AdsClient.OpenAsync("xds", AdsClient.Delta, socket);
            client.Send(new DeltaDiscoveryRequest { TypeUrl = "x" });
            Assert.Null(await client.ReadAsync(DeltaDiscoveryResponse.Parser));
            Assert.Equal("3", client.Ending().Status);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task An_address_in_use_is_said_with_the_flag_to_change()
    {
        ControlPlaneAddress at = await OpenAsync();
        await using var second = new KestrelDoors();
        Door door = new("--grpc-addr", System.Net.IPEndPoint.Parse(at.Grpc), Microsoft.AspNetCore.Server.Kestrel.Core.HttpProtocols.Http2,
            _ => Task.CompletedTask);
        IOException refused = await Assert.ThrowsAsync<IOException>(() => second.OpenAsync([door], TestContext.Current.CancellationToken));
        Assert.Equal($"cannot listen on {at.Grpc}: another process listens there; choose another address with --grpc-addr",
            refused.Message);
    }

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    private Task<ControlPlaneAddress> OpenAsync(string? socket = null)
    {
        var options = new ControlPlaneOptions
        {
            StateFolder = "",
            HttpAddress = "127.0.0.1:0",
            GrpcAddress = "127.0.0.1:0",
            SecureGrpcAddress = "127.0.0.1:0",
            MonitoringAddress = "127.0.0.1:0",
            GrpcSocket = socket,
        };
        RequestDelegate none = _ => Task.CompletedTask;
        var ads = new AdsDoor(_host.Writer, options.RequestBytesMax);
        var authority = new Authority(RootRotation.First("cluster.local", new AuthorityOptions(), TimeProvider.System.GetUtcNow()),
            new AuthorityOptions());
        var security = new SecureConnections(new ServingCertificates(authority, ["istiod.istio-system.svc"], TimeProvider.System),
            TimeProvider.System);
        return _host.OpenAsync(options, new DoorAnswers(none, ads.AnswerAsync, _ => Task.CompletedTask, none), security, "token",
            TestContext.Current.CancellationToken);
    }
}
