using System.Diagnostics;
using Envoy.Service.Discovery.V3;
using Google.Rpc;
using Lateen.ControlPlane;
using Lateen.ControlPlane.Operator;
using Lateen.Pilot.Generation;
using Lateen.Test.Rigs.Discovery;
using Xunit;

namespace Lateen.Test.Unit.ControlPlane;

/// <summary>Clients that mean no good, or know no better: whatever they do is theirs alone.</summary>
public sealed class AdsHostileTests() : OnControlPlane(debounceMillis: null)
{
    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        await ApplyAsync(0);
        var pushed = new TaskCompletionSource<WaitAnswer>(TaskCreationOptions.RunContinuationsAsynchronously);
        await Running.Writer.PostAsync(
            (loop, now) => loop.Waits.Add(loop.Configuration.Revision, loop.Generation, now + AdsClient.Patience, pushed.SetResult, now));
        Assert.True((await pushed.Task).Converged);
    }

    [Fact]
    public async Task Who_refuses_everything_is_told_each_thing_once_and_the_others_have_it()
    {
        await using AdsClient good = await ConnectAsync("good"), bad = await ConnectAsync("bad");
        for (int round = 1; round <= 5; round++)
        {
            await ApplyAsync(round);
            DeltaDiscoveryResponse answer = (await bad.ReadAsync(DeltaDiscoveryResponse.Parser))!;
            // It is told what is new, not once more what it refused.
            Assert.Equal([Cluster(round)], answer.Resources.Select(resource => resource.Name));
            bad.Send(new DeltaDiscoveryRequest
            {
                TypeUrl = answer.TypeUrl,
                ResponseNonce = answer.Nonce,
                ErrorDetail = new Status { Code = 13, Message = $"no to {round}" },
            });
            DeltaDiscoveryResponse other = (await good.ReadAsync(DeltaDiscoveryResponse.Parser))!;
            good.Send(new DeltaDiscoveryRequest { TypeUrl = other.TypeUrl, ResponseNonce = other.Nonce });
        }
        ProxyRow[] rows = await RowsAsync(rows => rows.Any(row => row.Types["CDS"].Error == "no to 5")
            && rows.Any(row => row.Name == "good.default" && row.Types["CDS"].State == "SYNCED"));
        Assert.Equal("ERROR", rows.Single(row => row.Name == "bad.default").Types["CDS"].State);
    }

    [Theory]
    [InlineData(new byte[] { 0, 0, 0, 0, 3, 0xff, 0xff, 0xff })] // no message
    [InlineData(new byte[] { 0, 0xff, 0xff, 0xff, 0xff, 1 })] // four gigabytes are announced
    [InlineData(new byte[] { 9, 0, 0, 0, 1, 1 })] // compressed in a way that does not exist
    [InlineData(new byte[] { 0, 0, 0, 0, 2, 0x0a, 0x7f })] // a field that is longer than the message
    public async Task Garbage_ends_its_own_stream_with_a_status(byte[] garbage)
    {
        await using AdsClient good = await ConnectAsync("good"), bad = await AdsClient.OpenAsync(Running.Address.Grpc, AdsClient.Delta);
        bad.SendBytes(garbage);
        Assert.Null(await bad.ReadAsync(DeltaDiscoveryResponse.Parser));
        Assert.NotEqual("0", bad.Ending().Status);
        await ServesAsync(good);
    }

    [Fact]
    public async Task Clients_that_come_and_go_leave_nothing_behind()
    {
        await using AdsClient good = await ConnectAsync("good");
        var chance = new Random(5);
        for (int i = 0; i < 200; i++)
        {
            AdsClient one = await AdsClient.OpenAsync(Running.Address.Grpc,
                chance.Next(2) == 0 ? AdsClient.Delta : AdsClient.StateOfTheWorld);
            if (chance.Next(3) > 0)
                one.Send(new DeltaDiscoveryRequest { Node = AdsClient.Sidecar($"flap-{i}", "default"), TypeUrl = TypeUrls.Cluster });
            await one.DisposeAsync();
        }
        await UntilAsync(async () => await Running.Writer.AskAsync((loop, _) => loop.Streams.Count) == 1, "one stream is left");
        await ServesAsync(good);
    }

    [Fact]
    public async Task Words_without_sense_are_answered_or_left_and_end_nobody()
    {
        await using AdsClient good = await ConnectAsync("good"), odd = await ConnectAsync("odd");
        var chance = new Random(11);
        string[] types = [TypeUrls.Cluster, TypeUrls.Endpoint, TypeUrls.Listener, TypeUrls.Route, "", "type.googleapis.com/no.Such",
            new('x', 3000), "\0"];
        string[] names = ["*", "", "outbound|80||s0.default.svc.cluster.local", "0.0.0.0_80", "80", "|||", "ü", new('y', 3000)];
        for (int i = 0; i < 300; i++)
        {
            var request = new DeltaDiscoveryRequest
            {
                TypeUrl = types[chance.Next(types.Length)],
                ResponseNonce = chance.Next(3) == 0 ? "never given" : "",
            };
            for (int n = chance.Next(4); n > 0; n--)
                (chance.Next(2) == 0 ? request.ResourceNamesSubscribe
                    : request.ResourceNamesUnsubscribe).Add(names[chance.Next(names.Length)]);
            if (chance.Next(5) == 0) request.InitialResourceVersions[names[chance.Next(names.Length)]] = "1";
            if (chance.Next(5) == 0) request.ErrorDetail = new Status { Message = "no" };
            odd.Send(request);
        }
        await ServesAsync(good);
        string metrics = await Running.Writer.AskAsync((loop, now) => loop.Metrics.Text(loop.Streams, now),
            TestContext.Current.CancellationToken);
        Assert.DoesNotMatch("(?m)^pilot_total_xds_internal_errors [1-9]", metrics);
    }

    [Fact]
    public async Task A_thousand_reconnect_at_once_and_are_not_told_again_what_they_hold()
    {
        const int Proxies = 1000;
        long started = Stopwatch.GetTimestamp();
        var held = new Dictionary<string, string>[Proxies];
        await ForEachAsync(Proxies, async i =>
        {
            await using AdsClient client = await AdsClient.OpenAsync(Running.Address.Grpc, AdsClient.Delta);
            DeltaDiscoveryResponse first = await AskAsync(client, $"p{i}", []);
            held[i] = first.Resources.ToDictionary(resource => resource.Name, resource => resource.Version);
        });
        await ForEachAsync(Proxies, async i =>
        {
            Assert.Contains(Cluster(0), held[i].Keys);
            await using AdsClient client = await AdsClient.OpenAsync(Running.Address.Grpc, AdsClient.Delta);
            DeltaDiscoveryResponse again = await AskAsync(client, $"p{i}", held[i]);
            Assert.Empty(again.Resources.Select(resource => resource.Name).Concat(again.RemovedResources));
        });
        // Generous: a busy machine with two cores takes some seconds.
        Assert.InRange(Stopwatch.GetElapsedTime(started).TotalSeconds, 0, 120);
        await UntilAsync(async () => await Running.Writer.AskAsync((loop, _) => loop.Streams.Count) == 0, "all have gone");
    }

    private static Task ForEachAsync(int count, Func<int, Task> act) =>
        Parallel.ForAsync(0, count,
            new ParallelOptions { MaxDegreeOfParallelism = 100, CancellationToken = TestContext.Current.CancellationToken },
            async (i, _) => await act(i));

    private static async Task<DeltaDiscoveryResponse> AskAsync(AdsClient client, string name, Dictionary<string, string> held)
    {
        var request = new DeltaDiscoveryRequest { Node = AdsClient.Sidecar(name, "default"), TypeUrl = TypeUrls.Cluster };
        foreach ((string resource, string version) in held) request.InitialResourceVersions[resource] = version;
        client.Send(request);
        DeltaDiscoveryResponse answer = (await client.ReadAsync(DeltaDiscoveryResponse.Parser))!;
        client.Send(new DeltaDiscoveryRequest { TypeUrl = answer.TypeUrl, ResponseNonce = answer.Nonce });
        return answer;
    }

    private async Task ServesAsync(AdsClient client)
    {
        await ApplyAsync(99);
        DeltaDiscoveryResponse answer = (await client.ReadAsync(DeltaDiscoveryResponse.Parser))!;
        Assert.Equal([Cluster(99)], answer.Resources.Select(resource => resource.Name));
    }

    private async Task<AdsClient> ConnectAsync(string name)
    {
        AdsClient client = await AdsClient.OpenAsync(Running.Address.Grpc, AdsClient.Delta);
        await AskAsync(client, name, []);
        return client;
    }

    private async Task ApplyAsync(int number)
    {
        string text = $$"""
            apiVersion: v1
            kind: Service
            metadata: {name: s{{number}}, namespace: default}
            spec: {clusterIP: 10.1.2.{{number}}, ports: [{name: http, port: 80}] }
            """;
        Answer<ChangeAnswer> answer =
            await Running.Writer.AskAsync((loop, now) => loop.Configuration.Apply(new([new("test.yaml", text)], null, false, "test"), now));
        Assert.True(answer.Value!.Accepted, string.Join("\n", answer.Value.Findings));
    }

    private static string Cluster(int number) => $"outbound|80||s{number}.default.svc.cluster.local";

    private async Task<ProxyRow[]> RowsAsync(Func<ProxyRow[], bool> holds)
    {
        ProxyRow[] rows = [];
        await UntilAsync(async () => holds(rows = [.. (await Running.Writer.AskAsync((loop, now) => ProxyRows.Of(loop, now))).Items]),
            "the rows say so");
        return rows;
    }

    private static async Task UntilAsync(Func<Task<bool>> condition, string what)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        for (long started = Stopwatch.GetTimestamp(); !await condition(); await timer.WaitForNextTickAsync())
            Assert.True(Stopwatch.GetElapsedTime(started) < AdsClient.Patience, what);
    }
}
