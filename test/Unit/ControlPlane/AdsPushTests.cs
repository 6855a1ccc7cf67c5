using System.Diagnostics;
using Envoy.Service.Discovery.V3;
using Google.Rpc;
using Lateen.ControlPlane;
using Lateen.ControlPlane.Operator;
using Lateen.Pilot.Generation;
using Lateen.Test.Rigs.Discovery;
using Xunit;

namespace Lateen.Test.Unit.ControlPlane;

/// <summary>Configuration going in at one end and clusters coming out at the other, over real sockets.</summary>
public sealed class AdsPushTests() : OnControlPlane(debounceMillis: 10)
{
    [Fact]
    public async Task A_change_reaches_a_delta_stream_as_the_difference_alone()
    {
        await ApplyAsync(Service("reviews"));
        await WaitAsync();
        await using AdsClient client = await ConnectAsync("a");
        DeltaDiscoveryResponse first = (await client.ReadAsync(DeltaDiscoveryResponse.Parser))!;
        Assert.Contains(first.Resources, resource => resource.Name == "outbound|9080||reviews.default.svc.cluster.local");
        client.Send(Ack(first));

        await ApplyAsync(Service("ratings"));
        DeltaDiscoveryResponse second = (await client.ReadAsync(DeltaDiscoveryResponse.Parser))!;
        Assert.Equal(["outbound|9080||ratings.default.svc.cluster.local"], second.Resources.Select(resource => resource.Name));
        Assert.Empty(second.RemovedResources);
    }

    [Fact]
    public async Task A_state_of_the_world_stream_gets_everything_again()
    {
        await ApplyAsync(Service("reviews"));
        await WaitAsync();
        await using AdsClient client = await AdsClient.OpenAsync(Running.Address.Grpc, AdsClient.StateOfTheWorld);
        client.Send(new DiscoveryRequest { Node = AdsClient.Sidecar("a", "default"), TypeUrl = TypeUrls.Cluster });
        DiscoveryResponse first = (await client.ReadAsync(DiscoveryResponse.Parser))!;
        client.Send(new DiscoveryRequest { TypeUrl = TypeUrls.Cluster, ResponseNonce = first.Nonce, VersionInfo = first.VersionInfo });
        await ApplyAsync(Service("ratings"));
        DiscoveryResponse second = (await client.ReadAsync(DiscoveryResponse.Parser))!;
        Assert.Equal(first.Resources.Count + 1, second.Resources.Count);
    }

    [Fact]
    public async Task Waiting_ends_when_the_proxy_has_answered_and_names_the_one_that_refuses()
    {
        await using AdsClient client = await ConnectAsync("a");
        DeltaDiscoveryResponse first = (await client.ReadAsync(DeltaDiscoveryResponse.Parser))!;
        client.Send(Ack(first));
        await ApplyAsync(Service("reviews"));
        Task<WaitAnswer> waiting = WaitAsync();
        DeltaDiscoveryResponse second = (await client.ReadAsync(DeltaDiscoveryResponse.Parser))!;
        Assert.False(waiting.IsCompleted);
        client.Send(Ack(second));
        Assert.True((await waiting).Converged);

        await ApplyAsync(Service("ratings"));
        DeltaDiscoveryResponse third = (await client.ReadAsync(DeltaDiscoveryResponse.Parser))!;
        DeltaDiscoveryRequest refusal = Ack(third);
        refusal.ErrorDetail = new Status { Code = 13, Message = "no such thing" };
        client.Send(refusal);
        WaitAnswer answer = await WaitAsync();
        Assert.False(answer.Converged);
        BehindRow behind = Assert.Single(answer.Behind);
        Assert.Equal(("a.default", true), (behind.Proxy, behind.HasRefused));
        Assert.Matches("^refused CDS (just now|\\d+s ago): no such thing$", behind.Reason);
        Assert.Equal(answer.Revision - 1, behind.Revision);

        // It takes something else, and still runs the former version of what it refused.
        await ApplyAsync(Service("details"));
        client.Send(Ack((await client.ReadAsync(DeltaDiscoveryResponse.Parser))!));
        answer = await WaitAsync();
        Assert.False(answer.Converged);
        Assert.StartsWith("refused CDS", Assert.Single(answer.Behind).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Waiting_for_a_new_listener_goes_on_until_it_has_its_routes()
    {
        await ApplyAsync(Service("reviews"));
        await WaitAsync();
        await using AdsClient client = await AdsClient.OpenAsync(Running.Address.Grpc, AdsClient.Delta);
        client.Send(new DeltaDiscoveryRequest { Node = AdsClient.Sidecar("a", "default"), TypeUrl = TypeUrls.Listener });
        client.Send(Ack((await client.ReadAsync(DeltaDiscoveryResponse.Parser))!));
        client.Send(new DeltaDiscoveryRequest { TypeUrl = TypeUrls.Route, ResourceNamesSubscribe = { "9080" } });
        client.Send(Ack((await client.ReadAsync(DeltaDiscoveryResponse.Parser))!));

        await ApplyAsync(Service("ratings").Replace("port: 9080", "port: 9099", StringComparison.Ordinal));
        Task<WaitAnswer> waiting = WaitAsync();
        DeltaDiscoveryResponse listeners = (await client.ReadAsync(DeltaDiscoveryResponse.Parser))!;
        Assert.Contains(listeners.Resources, resource => resource.Name == "0.0.0.0_9099");
        client.Send(Ack(listeners));
        // What the stream says next is behind the acknowledgement: when it was taken, that was, too.
        client.Send(new DeltaDiscoveryRequest { TypeUrl = TypeUrls.Cluster });
        client.Send(Ack((await client.ReadAsync(DeltaDiscoveryResponse.Parser))!));
        client.Send(new DeltaDiscoveryRequest { TypeUrl = TypeUrls.ExtensionConfig });
        client.Send(Ack((await client.ReadAsync(DeltaDiscoveryResponse.Parser))!));
        Assert.False(waiting.IsCompleted);
        client.Send(new DeltaDiscoveryRequest { TypeUrl = TypeUrls.Route, ResourceNamesSubscribe = { "9099" } });
        client.Send(Ack((await client.ReadAsync(DeltaDiscoveryResponse.Parser))!));
        Assert.True((await waiting).Converged);
    }

    [Fact]
    public async Task A_client_that_does_not_read_holds_nobody_else()
    {
        await ApplyAsync(string.Join("\n---\n", Enumerable.Range(0, 400).Select(i => Service($"s{i}"))));
        await WaitAsync();
        await using AdsClient slow = await ConnectAsync("slow");
        await using AdsClient quick = await ConnectAsync("quick");
        DeltaDiscoveryResponse first = (await quick.ReadAsync(DeltaDiscoveryResponse.Parser))!;
        Assert.True(first.CalculateSize() > 300_000, "the response must be larger than what the network takes unread");
        quick.Send(Ack(first));
        for (int i = 0; i < 5; i++)
        {
            await ApplyAsync(Service($"t{i}"));
            DeltaDiscoveryResponse next = (await quick.ReadAsync(DeltaDiscoveryResponse.Parser))!;
            Assert.Single(next.Resources);
            quick.Send(Ack(next));
        }
        // The slow one then gets one response with what it was promised first, and one with all that happened meanwhile.
        DeltaDiscoveryResponse late = (await slow.ReadAsync(DeltaDiscoveryResponse.Parser))!;
        slow.Send(Ack(late));
        Assert.Equal(5, (await slow.ReadAsync(DeltaDiscoveryResponse.Parser))!.Resources.Count);
    }

    [Fact]
    public async Task What_many_are_sent_alike_arrives_whole_however_late_one_of_them_reads()
    {
        await ApplyAsync(string.Join("\n---\n", Enumerable.Range(0, 400).Select(i => Service($"s{i}"))));
        await WaitAsync();
        var clients = new List<AdsClient>();
        for (int i = 0; i < 4; i++)
        {
            AdsClient client = await AdsClient.OpenAsync(Running.Address.Grpc, AdsClient.Delta);
            client.Send(new DeltaDiscoveryRequest
            {
                Node = AdsClient.Sidecar($"c{i}", "default"),
                TypeUrl = TypeUrls.Route,
                ResourceNamesSubscribe = { "9080" },
            });
            clients.Add(client);
        }
        var tables = new HashSet<Google.Protobuf.ByteString>();
        // The one that asked first reads last.
        foreach (AdsClient client in Enumerable.Reverse(clients))
        {
            Resource table = Assert.Single((await client.ReadAsync(DeltaDiscoveryResponse.Parser))!.Resources);
            Assert.True(table.Resource_.Value.Length > 100_000, "the response must be as long as those that are shared");
            var read = Envoy.Config.Route.V3.RouteConfiguration.Parser.ParseFrom(table.Resource_.Value);
            Assert.Equal(401, read.VirtualHosts.Count);
            tables.Add(table.Resource_.Value);
            await client.DisposeAsync();
        }
        Assert.Single(tables);
    }

    [Fact]
    public async Task From_change_to_push_takes_less_than_a_tenth_of_a_second()
    {
        await using AdsClient client = await ConnectAsync("a");
        client.Send(Ack((await client.ReadAsync(DeltaDiscoveryResponse.Parser))!));
        var took = new List<TimeSpan>();
        for (int i = 0; i < 8; i++)
        {
            long started = Stopwatch.GetTimestamp();
            await ApplyAsync(Service($"s{i}"));
            DeltaDiscoveryResponse next = (await client.ReadAsync(DeltaDiscoveryResponse.Parser))!;
            took.Add(Stopwatch.GetElapsedTime(started));
            client.Send(Ack(next));
        }
        // The best of eight: the machine may be busy, the code may not be slow.
        Assert.InRange(took.Min(), TimeSpan.FromMilliseconds(10), TimeSpan.FromMilliseconds(100));
    }

    private async Task<AdsClient> ConnectAsync(string name)
    {
        AdsClient client = await AdsClient.OpenAsync(Running.Address.Grpc, AdsClient.Delta);
        client.Send(new DeltaDiscoveryRequest { Node = AdsClient.Sidecar(name, "default"), TypeUrl = TypeUrls.Cluster });
        return client;
    }

    private async Task ApplyAsync(string text)
    {
        Answer<ChangeAnswer> answer =
            await Running.Writer.AskAsync((loop, now) => loop.Configuration.Apply(new([new("test.yaml", text)], null, false, "test"), now));
        Assert.True(answer.Value!.Accepted, string.Join("\n", answer.Value.Findings));
    }

    private async Task<WaitAnswer> WaitAsync()
    {
        var answer = new TaskCompletionSource<WaitAnswer>(TaskCreationOptions.RunContinuationsAsynchronously);
        await Running.Writer.PostAsync(
            (loop, now) => loop.Waits.Add(loop.Configuration.Revision, loop.Generation, now + AdsClient.Patience, answer.SetResult, now));
        return await answer.Task.WaitAsync(AdsClient.Patience);
    }

    private static DeltaDiscoveryRequest Ack(DeltaDiscoveryResponse response) =>
        new() { TypeUrl = response.TypeUrl, ResponseNonce = response.Nonce };

    private static string Service(string name) => $$"""
        apiVersion: v1
        kind: Service
        metadata: {name: {{name}}, namespace: default}
        spec:
          clusterIP: 10.1.2.3
          selector: {app: {{name}}}
          ports: [{name: http, port: 9080}]
        """;
}
