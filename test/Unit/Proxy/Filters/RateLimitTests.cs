using Lateen.Proxy;
using Lateen.Proxy.Filters.RateLimit;
using Lateen.Proxy.Routing;
using Lateen.Test.Unit.Proxy.Exchanges;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Filters;

/// <summary>What a request counts as, and what the limiter's answers do.</summary>
public sealed class RateLimitTests
{
    private readonly ProxyRig _rig = new();
    private readonly Script _script = new();

    private ScriptedUpstream Start(RateLimitAction[][] rules, Func<RateLimitSettings, RateLimitSettings>? change = null)
    {
        ScriptedUpstream app = _rig.AddUpstream(80, (_, _) => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        var settings = new RateLimitSettings { Service = _script, Domain = "d" };
        _rig.Filters.Add(new RateLimitFilter("limits", change?.Invoke(settings) ?? settings, null));
        var limits = new RateLimitRules([.. rules.Select(static r => new RateLimitRule(0, r, "", []))]);
        _rig.Start(new Route
        {
            Name = "/",
            Path = new PathMatch(PathMatchKind.Prefix, "/"),
            Action = new ForwardAction { Cluster = _rig.AddCluster("web", 80), Timeouts = new TimeoutPolicy(), RateLimits = limits },
        });
        return app;
    }

    [Fact]
    public void Descriptors_are_read_off_the_request()
    {
        Start([
            [new GenericKeyAction("generic_key", "slow"), new DestinationClusterAction()],
            [new HeaderAction("X-User", "user", false)],
            [new HeaderAction("X-None", "none", false), new GenericKeyAction("k", "v")],
            [new HeaderAction("X-None", "none", true), new GenericKeyAction("k", "v")],
            [new RemoteAddressAction(16, 64)],
            [new QueryMatchAction("q", "yes", [new QueryMatch("a", StringMatch.Of(StringMatchKind.Exact, "1"))], true)],
        ]);
        _rig.Ask("GET /x?a=1 HTTP/1.1\r\nHost: x.test\r\nX-User: joe\r\n\r\n");
        Assert.Equal(["generic_key=slow,destination_cluster=web", "user=joe", "k=v", "masked_remote_address=10.0.0.0/16", "q=yes"],
            _script.Asked);
    }

    [Fact]
    public void Nothing_to_count_asks_nobody()
    {
        Start([[new HeaderAction("X-None", "none", false)]]);
        Assert.StartsWith("HTTP/1.1 200", _rig.Ask("GET /x HTTP/1.1\r\nHost: x.test\r\n\r\n"), StringComparison.Ordinal);
        Assert.Empty(_script.Asked);
    }

    [Fact]
    public void Over_the_limit_is_refused_with_the_limits_told()
    {
        _script.Answer = new RateLimitAnswer
        {
            OverLimit = true,
            Statuses = [new RateLimitStatus(100, 60, "", 9, 30), new RateLimitStatus(5, 1, "burst", 0, 1)],
            Body = "slow"u8.ToArray(),
        };
        ScriptedUpstream app = Start([[new GenericKeyAction("k", "v")]], s => s with { TellLimits = true });
        string answer = _rig.Ask("GET /x HTTP/1.1\r\nHost: x.test\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 429", answer, StringComparison.Ordinal);
        Assert.Contains("x-ratelimit-limit: 5, 100;w=60, 5;w=1;name=\"burst\"\r\n", answer, StringComparison.Ordinal);
        Assert.Contains("x-ratelimit-reset: 1\r\n", answer, StringComparison.Ordinal);
        Assert.EndsWith("slow", answer, StringComparison.Ordinal);
        Assert.Empty(app.Requests);
        Assert.Equal(["429 RL request_rate_limited 0"], _rig.Records.Lines);
    }

    [Theory]
    [InlineData(false, "200 - via_upstream 1")]
    [InlineData(true, "500 RLSE rate_limiter_error 0")]
    public void A_failing_limiter(bool deny, string record)
    {
        _script.Answer = null;
        Start([[new GenericKeyAction("k", "v")]], s => s with { FailureModeDeny = deny });
        _rig.Ask("GET /x HTTP/1.1\r\nHost: x.test\r\n\r\n");
        Assert.Equal([record], _rig.Records.Lines);
    }

    private sealed class Script : RateLimitService
    {
        public List<string> Asked { get; } = [];

        public RateLimitAnswer? Answer { get; set; } = new();

        public override RateLimitCall NewCall(RateLimitReceiver receiver) => new Call(this, receiver);
    }

    private sealed class Call(Script script, RateLimitReceiver receiver) : RateLimitCall
    {
        public override void Ask(Worker worker, string domain, IReadOnlyList<RateLimitDescriptor> descriptors, uint hits)
        {
            script.Asked.AddRange(descriptors.Select(static d => string.Join(',', d.Entries.Select(static e => $"{e.Key}={e.Value}"))));
            worker.Loop.Arm(new Later(this), 1000);
        }

        public override void Cancel()
        {
        }

        private void Tell() => receiver.OnAnswer(script.Answer);

        private sealed class Later(Call call) : Lateen.Proxy.Net.Deadline
        {
            protected override void OnDue(long now) => call.Tell();
        }
    }
}
