using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Lateen.Config.Resources;
using Lateen.Config.Sources.Kubernetes;
using Lateen.ControlPlane.Cluster;
using Lateen.Test.Rigs.Clusters;
using Xunit;

namespace Lateen.Test.Unit.ControlPlane.Cluster;

public sealed class ClusterWriterTests : IAsyncDisposable
{
    private static readonly ResourceKey Route = new(Kinds.HTTPRoute, "shop", "web");
    private readonly MemoryApiServer _server = new(Kinds.HTTPRoute, Kinds.VirtualService);
    private readonly ConcurrentQueue<string> _said = [];
    private readonly ClusterWriter _writer;
    private bool _leads = true;

    public ClusterWriterTests()
    {
        _writer = new ClusterWriter(new ApiClient(_server, MemoryApiServer.Address), () => _leads, new FastTime(), _said.Enqueue);
        _server.Put(Kinds.HTTPRoute, "shop", "web",
            """{"spec": {}, "status": {"parents": [{"controllerName": "other", "parentRef": {"name": "x"}, "conditions": [{"type": "Accepted", "status": "True", "reason": "r", "message": "", "lastTransitionTime": "2020-01-01T00:00:00Z"}]}]}}""");
    }

    public ValueTask DisposeAsync() => _writer.DisposeAsync();

    private static StatusWish Wish(string status, string reason = "Accepted") => new(Route, JsonNode.Parse($$"""
        {"parents": [
            {"controllerName": "other", "parentRef": {"name": "x"}, "conditions": [{"type": "Accepted", "status": "True", "reason": "r", "message": ""}]},
            {"controllerName": "istio.io/gateway-controller", "parentRef": {"name": "edge"}, "conditions": [{"type": "Accepted", "status": "{{status}}", "reason": "{{reason}}", "message": "m"}]}]}
        """)!.AsObject());

    private JsonArray? Parents => _server.Get(Kinds.HTTPRoute, "shop", "web")!["status"]?["parents"]?.AsArray();

    private JsonNode? Own => Parents?.FirstOrDefault(parent => (string?)parent!["controllerName"] != "other")?["conditions"]![0];

    private async Task UntilAsync(Func<bool> condition, string what)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(1));
        for (DateTime until = DateTime.UtcNow.AddSeconds(20); !condition(); await timer.WaitForNextTickAsync())
            Assert.True(DateTime.UtcNow < until, $"{what}; said was {string.Join('\n', _said)}");
    }

    [Fact]
    public async Task A_condition_keeps_its_time_while_its_status_stays_and_what_others_wrote_is_kept()
    {
        _writer.Wish([Wish("True")]);
        await UntilAsync(() => Own is not null, "it is written");
        string? first = (string?)Own!["lastTransitionTime"];
        Assert.Equal("2020-01-01T00:00:00Z", (string?)Parents![0]!["conditions"]![0]!["lastTransitionTime"]);
        _writer.Wish([Wish("True", "OtherReason")]);
        await UntilAsync(() => (string?)Own!["reason"] == "OtherReason", "the reason is written");
        Assert.Equal(first, (string?)Own!["lastTransitionTime"]);
    }

    [Fact]
    public async Task What_is_said_already_is_not_written()
    {
        _writer.Wish([Wish("True")]);
        await UntilAsync(() => _writer.WriteCount == 1, "it is written");
        int asked = _server.Requests.Count;
        _writer.Wish([Wish("True")]);
        await UntilAsync(() => _server.Requests.Count > asked, "it is looked at");
        _writer.Wish([Wish("False")]);
        await UntilAsync(() => (string?)Own!["status"] == "False", "the next is written");
        Assert.Equal(2, _server.Requests.Count(request => request.StartsWith("PATCH", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Who_does_not_lead_writes_nothing()
    {
        _leads = false;
        _writer.Wish([Wish("True")]);
        _writer.Wish([Wish("False")]);
        _leads = true;
        _writer.Wish([]);
        // Counted after the server has answered: what it holds may be seen before.
        await UntilAsync(() => _writer.WriteCount > 0, "the last wish is written when it leads");
        Assert.Equal(("False", 1), ((string?)Own!["status"], _writer.WriteCount));
    }

    [Fact]
    public async Task A_quarrel_gets_slower()
    {
        for (int i = 0; i < 12; i++)
        {
            _server.Put(Kinds.HTTPRoute, "shop", "web", """{"spec": {}}""");
            _writer.Wish([Wish("True")]);
            await UntilAsync(() => Own is not null, "it is written all the same");
        }
        Assert.Contains(_said, line => line.Contains("somebody else writes the status of HTTPRoute shop/web", StringComparison.Ordinal));
    }
}
