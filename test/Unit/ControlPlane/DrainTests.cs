using System.Net;
using Envoy.Service.Discovery.V3;
using Lateen.Config.Store;
using Lateen.ControlPlane;
using Lateen.ControlPlane.Ads;
using Lateen.Pilot.Generation;
using Lateen.Test.Rigs.Discovery;
using Xunit;

namespace Lateen.Test.Unit.ControlPlane;

/// <summary>A replica that goes away, and streams that grow old.</summary>
public sealed class DrainTests
{
    [Fact]
    public async Task Who_is_told_to_stop_is_not_ready_and_sends_its_clients_elsewhere()
    {
        string folder = Directory.CreateTempSubdirectory("lateen").FullName;
        await using (RunningControlPlane running =
            await Wiring.StartAsync(LocalControlPlane.OwnPorts(folder), TimeProvider.System, TestContext.Current.CancellationToken))
        {
            await using AdsClient first = await ConnectedAsync(running, "a"), second = await ConnectedAsync(running, "b");
            await running.DrainAsync(TimeSpan.FromSeconds(1), TimeProvider.System);
            foreach (AdsClient client in new[] { first, second })
            {
                Assert.Null(await client.ReadAsync(DeltaDiscoveryResponse.Parser));
                Assert.Equal("14", client.Ending().Status);
            }
            using var http = new HttpClient();
            using HttpResponseMessage ready =
                await http.GetAsync(new Uri($"http://{running.Address.Http}/ready"), TestContext.Current.CancellationToken);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.StatusCode);
            await using AdsClient late = await AdsClient.OpenAsync(running.Address.Grpc, AdsClient.Delta);
            Assert.Null(await late.ReadAsync(DeltaDiscoveryResponse.Parser));
            Assert.Equal("14", late.Ending().Status);
        }
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void Streams_of_one_moment_grow_old_at_different_times()
    {
        DateTimeOffset now = DateTimeOffset.UnixEpoch;
        var loop = new ControlLoop(new ControlPlaneOptions { StateFolder = "", ConnectionAgeMax = TimeSpan.FromMinutes(30) },
            new ResourceStore(_ => [], TimeProvider.System), [], now, TimeProvider.System);
        AdsStream[] streams = [.. Enumerable.Range(0, 100).Select(_ => loop.Streams.Connect("peer", () => { }, now))];
        Assert.InRange(loop.Tick(now)!.Value, now.AddSeconds(1), now.AddMinutes(28));
        loop.Tick(now.AddMinutes(27));
        Assert.DoesNotContain(streams, stream => stream.IsOver);
        loop.Tick(now.AddMinutes(30));
        Assert.InRange(streams.Count(stream => stream.IsOver), 40, 60);
        loop.Tick(now.AddMinutes(33));
        Assert.All(streams, stream => Assert.True(stream.IsOver));
    }

    private static async Task<AdsClient> ConnectedAsync(RunningControlPlane running, string name)
    {
        AdsClient client = await AdsClient.OpenAsync(running.Address.Grpc, AdsClient.Delta);
        client.Send(new DeltaDiscoveryRequest { Node = AdsClient.Sidecar(name, "default"), TypeUrl = TypeUrls.Cluster });
        DeltaDiscoveryResponse answer = (await client.ReadAsync(DeltaDiscoveryResponse.Parser))!;
        client.Send(new DeltaDiscoveryRequest { TypeUrl = answer.TypeUrl, ResponseNonce = answer.Nonce });
        return client;
    }
}
