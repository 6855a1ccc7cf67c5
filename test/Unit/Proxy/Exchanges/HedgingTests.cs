using System.Text;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Upstream;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Exchanges;

/// <summary>A try that is slow (hedge_on_per_try_timeout): another runs beside it, the first good answer is the client's.</summary>
public sealed class HedgingTests
{
    private const string Ok = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nweb";
    private const string Error = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\nno";
    private const string Request = "GET / HTTP/1.1\r\nHost: x.test\r\n\r\n";
    private const long PerTryMicros = 100_000;

    private readonly ProxyRig _rig = new();
    private ScriptedUpstream _upstream = null!;
    private ClusterHandle _cluster = null!;

    // An upstream that says nothing to the tries named, and this to the others.
    private void Start(string answer, int[] silent, uint retries = 2, BreakerLimits? limits = null, long routeMicros = 5_000_000)
    {
        _upstream = _rig.AddUpstream(80, (n, _) => silent.Contains(n) ? "" : answer);
        _cluster = _rig.AddCluster("web", 80, c => limits is null ? c : c with { DefaultLimits = limits });
        _rig.Start(ProxyRig.Forward("/", _cluster, a => new ForwardAction
        {
            Cluster = a.Cluster,
            Timeouts = new TimeoutPolicy { RouteMicros = routeMicros },
            HedgeOnPerTryTimeout = true,
            Retry = new RetryPolicy { On = RetryOn.FiveXx, NumRetries = retries, PerTryMicros = PerTryMicros },
        }));
    }

    private RawClient Begin(string request = Request)
    {
        RawClient client = _rig.Connect();
        client.Send(request);
        return client;
    }

    private void Say(int connection, string text) => _upstream.Transports[connection].Send(Encoding.Latin1.GetBytes(text));

    private bool Run(Func<bool> until) => _rig.Network.RunUntil(until, 10_000_000);

    private string End(RawClient client)
    {
        Assert.True(Run(() => client.Complete));
        _rig.Network.Advance(10_000);
        Breakers.Use use = _cluster.Breakers.Of(RoutePriority.Default);
        Assert.Equal((0, 0), (use.Requests, use.Retries));
        return client.Text;
    }

    [Fact]
    public void The_second_try_answers_first_and_the_slow_one_is_reset()
    {
        Start(Ok, silent: [1]);
        Assert.EndsWith("web", End(Begin()), StringComparison.Ordinal);
        Assert.Equal((2, true, false), (_upstream.Requests.Count, _upstream.Transports[0].IsClosed, _upstream.Transports[1].IsClosed));
        Assert.Equal(["200 - via_upstream 2"], _rig.Records.Lines);
    }

    [Fact]
    public void Both_are_in_flight_and_the_slow_one_may_win()
    {
        Start(Ok, silent: [1, 2]);
        RawClient client = Begin();
        Assert.True(Run(() => _upstream.Requests.Count == 2));
        Breakers.Use use = _cluster.Breakers.Of(RoutePriority.Default);
        Assert.Equal((2, 1), (use.Requests, use.Retries));
        Assert.False(_upstream.Transports[0].IsClosed);
        Say(0, Ok);
        Assert.EndsWith("web", End(client), StringComparison.Ordinal);
        Assert.Equal((false, true), (_upstream.Transports[0].IsClosed, _upstream.Transports[1].IsClosed));
    }

    [Fact]
    public void A_bad_answer_gives_way_to_the_try_that_still_runs()
    {
        Start(Error, silent: [1], retries: 1);
        RawClient client = Begin();
        Assert.True(Run(() => _upstream.Requests.Count == 2));
        _rig.Network.Advance(50_000);
        Assert.Equal("", client.Text);
        Say(0, Ok);
        Assert.EndsWith("web", End(client), StringComparison.Ordinal);
    }

    [Fact]
    public void When_all_are_bad_the_client_gets_the_last()
    {
        Start(Error, silent: [1], retries: 1);
        RawClient client = Begin();
        Assert.True(Run(() => _upstream.Requests.Count == 2));
        _rig.Network.Advance(50_000);
        Say(0, Error);
        Assert.EndsWith("no", End(client), StringComparison.Ordinal);
        Assert.Equal(["503 URX via_upstream 2"], _rig.Records.Lines);
    }

    [Fact]
    public void A_bad_second_answer_is_tried_again_beside_the_slow_one_while_retries_are_left()
    {
        Start(Error, silent: [1, 3]);
        RawClient client = Begin();
        Assert.True(Run(() => _upstream.Requests.Count == 3));
        Say(0, Ok);
        Assert.EndsWith("web", End(client), StringComparison.Ordinal);
        Assert.Equal(["200 - via_upstream 3"], _rig.Records.Lines);
    }

    [Fact]
    public void A_slow_try_that_breaks_is_not_tried_again_its_place_is_taken()
    {
        Start(Ok, silent: [1, 2], retries: 5);
        RawClient client = Begin();
        Assert.True(Run(() => _upstream.Requests.Count == 2));
        _upstream.Transports[0].Close(abort: true);
        _rig.Network.Advance(PerTryMicros / 4);
        Assert.Equal(2, _upstream.Requests.Count);
        Say(1, Ok);
        Assert.EndsWith("web", End(client), StringComparison.Ordinal);
    }

    [Fact]
    public void No_retry_left_means_no_second_try_and_the_slow_one_is_waited_for()
    {
        Start(Ok, silent: [1], retries: 0);
        RawClient client = Begin();
        _rig.Network.Advance(3 * PerTryMicros);
        Assert.Single(_upstream.Requests);
        Say(0, Ok);
        Assert.EndsWith("web", End(client), StringComparison.Ordinal);
    }

    [Fact]
    public void The_limit_of_retries_holds_for_hedging()
    {
        Start(Ok, silent: [1], limits: new BreakerLimits { MaxRetries = 0 });
        RawClient client = Begin();
        _rig.Network.Advance(3 * PerTryMicros);
        Assert.Single(_upstream.Requests);
        Assert.Equal(1, _cluster.Counters[0][ClusterCounter.UpstreamRqRetryOverflow]);
        Say(0, Ok);
        Assert.EndsWith("web", End(client), StringComparison.Ordinal);
        Assert.Equal(["200 UO via_upstream 1"], _rig.Records.Lines);
    }

    [Fact]
    public void A_budget_holds_for_hedging()
    {
        Start(Ok, silent: [1], limits: new BreakerLimits { Budget = new RetryBudget(20, MinimumConcurrency: 0) });
        RawClient client = Begin();
        _rig.Network.Advance(3 * PerTryMicros);
        Assert.Single(_upstream.Requests);
        Say(0, Ok);
        End(client);
    }

    [Fact]
    public void The_routes_time_ends_all_tries()
    {
        Start(Ok, silent: [1, 2, 3], routeMicros: 500_000);
        Assert.EndsWith("upstream request timeout", End(Begin()), StringComparison.Ordinal);
        Assert.All(_upstream.Transports, t => Assert.True(t.IsClosed));
        Assert.Equal(["504 URX,UT response_timeout 3"], _rig.Records.Lines);
    }

    [Fact]
    public void A_body_goes_with_every_try()
    {
        Start(Ok, silent: [1]);
        End(Begin("POST / HTTP/1.1\r\nHost: x.test\r\nContent-Length: 4\r\n\r\nbody"));
        Assert.All(_upstream.Requests, r => Assert.EndsWith("body", r, StringComparison.Ordinal));
        Assert.Equal(2, _upstream.Requests.Count);
    }

    [Fact]
    public void A_client_that_leaves_gives_all_tries_up()
    {
        Start(Ok, silent: [1, 2]);
        RawClient client = Begin();
        Assert.True(Run(() => _upstream.Requests.Count == 2));
        client.Transport.Close(abort: true);
        _rig.Network.Advance(50_000);
        Assert.All(_upstream.Transports, t => Assert.True(t.IsClosed));
        Assert.Equal(0, _cluster.Breakers.Of(RoutePriority.Default).Requests);
    }
}
