using Lateen.Proxy.Clusters;
using Lateen.Proxy.Routing;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Exchanges;

public sealed class ForwardingTests
{
    private const string Ok = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nweb";
    private const string Error = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\nno";

    private readonly ProxyRig _rig = new();

    private static ForwardAction Retrying(ForwardAction action, RetryOn on, uint retries = 1) =>
        new() { Cluster = action.Cluster, Timeouts = action.Timeouts, Retry = new RetryPolicy { On = on, NumRetries = retries } };

    [Fact]
    public void A_request_reaches_the_upstream_and_its_answer_the_client()
    {
        ScriptedUpstream upstream = _rig.AddUpstream(80, (_, _) => Ok);
        _rig.Start(ProxyRig.Forward("/", _rig.AddCluster("web", 80)));
        string answer = _rig.Ask("GET /a HTTP/1.1\r\nHost: x.test\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 200 OK\r\n", answer, StringComparison.Ordinal);
        Assert.EndsWith("web", answer, StringComparison.Ordinal);
        Assert.Contains("server: envoy\r\n", answer, StringComparison.Ordinal);
        Assert.Contains("x-envoy-upstream-service-time: ", answer, StringComparison.Ordinal);
        string request = Assert.Single(upstream.Requests);
        Assert.Contains("x-forwarded-proto: http\r\n", request, StringComparison.Ordinal);
        Assert.Contains("x-request-id: ", request, StringComparison.Ordinal);
        Assert.Contains("x-envoy-expected-rq-timeout-ms: 15000\r\n", request, StringComparison.Ordinal);
        Assert.Equal(["200 - via_upstream 1"], _rig.Records.Lines);
    }

    [Fact]
    public void Requests_of_one_connection_share_one_upstream_connection()
    {
        ScriptedUpstream upstream = _rig.AddUpstream(80, (_, _) => Ok);
        _rig.Start(ProxyRig.Forward("/", _rig.AddCluster("web", 80)));
        RawClient client = _rig.Connect();
        for (int i = 0; i < 5; i++)
        {
            client.Forget();
            client.Send("GET /a HTTP/1.1\r\nHost: x.test\r\n\r\n");
            Assert.True(_rig.Network.RunUntil(() => client.Complete, 1_000_000));
        }
        Assert.Equal(1, upstream.Connections);
        Assert.Equal(5, _rig.Records.Lines.Count);
        Assert.Equal(0, _rig.Directory.Handle("web").Breakers.Of(RoutePriority.Default).Requests);
    }

    [Fact]
    public void A_body_goes_through_in_both_directions()
    {
        ScriptedUpstream upstream = _rig.AddUpstream(80, (_, r) => "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n" + r[^5..]);
        _rig.Start(ProxyRig.Forward("/", _rig.AddCluster("web", 80)));
        string answer = _rig.Ask("POST /a HTTP/1.1\r\nHost: x.test\r\nContent-Length: 5\r\n\r\nhello");
        Assert.EndsWith("hello", answer, StringComparison.Ordinal);
        Assert.EndsWith("hello", Assert.Single(upstream.Requests), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/zzz", "404 NR route_not_found 0")]
    [InlineData("/nc", "503 NC cluster_not_found 0")]
    [InlineData("/uh", "503 UH no_healthy_upstream 1")]
    [InlineData("/uf",
        "503 UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused} 1")]
    public void A_failure_has_its_status_flag_and_details(string path, string record)
    {
        _rig.Directory.Publish(new Cluster { Name = "empty", StatName = "empty" }, EndpointSet.Empty);
        _rig.Start(
            ProxyRig.Forward("/nc", _rig.Directory.Handle("unknown")),
            ProxyRig.Forward("/uh", _rig.Directory.Handle("empty")),
            ProxyRig.Forward("/uf", _rig.AddCluster("gone", 81)));
        _rig.Ask($"GET {path} HTTP/1.1\r\nHost: x.test\r\n\r\n");
        Assert.Equal([record], _rig.Records.Lines);
    }

    [Fact]
    public void A_closed_upstream_is_UC()
    {
        _rig.AddUpstream(80, (_, _) => null);
        _rig.Start(ProxyRig.Forward("/", _rig.AddCluster("web", 80)));
        string answer = _rig.Ask("GET / HTTP/1.1\r\nHost: x.test\r\n\r\n");
        Assert.EndsWith("upstream connect error or disconnect/reset before headers. reset reason: connection termination", answer,
            StringComparison.Ordinal);
        Assert.Equal(["503 UC upstream_reset_before_response_started{connection_termination} 1"], _rig.Records.Lines);
    }

    [Fact]
    public void A_503_is_tried_again_and_the_second_answer_taken()
    {
        ScriptedUpstream upstream = _rig.AddUpstream(80, (n, _) => n == 1 ? Error : Ok);
        _rig.Start(ProxyRig.Forward("/", _rig.AddCluster("web", 80), a => Retrying(a, RetryOn.FiveXx)));
        string answer = _rig.Ask("POST / HTTP/1.1\r\nHost: x.test\r\nContent-Length: 4\r\n\r\nbody");
        Assert.EndsWith("web", answer, StringComparison.Ordinal);
        Assert.Equal(2, upstream.Requests.Count);
        Assert.Contains("x-envoy-attempt-count: 2\r\n", upstream.Requests[1], StringComparison.Ordinal);
        Assert.EndsWith("body", upstream.Requests[1], StringComparison.Ordinal);
        Assert.Equal(["200 - via_upstream 2"], _rig.Records.Lines);
    }

    [Fact]
    public void Retries_used_up_flag_URX()
    {
        _rig.AddUpstream(80, (_, _) => Error);
        _rig.Start(ProxyRig.Forward("/", _rig.AddCluster("web", 80), a => Retrying(a, RetryOn.FiveXx, 2)));
        Assert.EndsWith("no", _rig.Ask("GET / HTTP/1.1\r\nHost: x.test\r\n\r\n"), StringComparison.Ordinal);
        Assert.Equal(["503 URX via_upstream 3"], _rig.Records.Lines);
    }

    [Fact]
    public void The_routes_time_ends_a_silent_upstream()
    {
        _rig.AddUpstream(80, (_, _) => "");
        _rig.Start(ProxyRig.Forward("/", _rig.AddCluster("web", 80),
            a => new ForwardAction { Cluster = a.Cluster, Timeouts = new TimeoutPolicy { RouteMicros = 200_000 } }));
        Assert.EndsWith("upstream request timeout", _rig.Ask("GET / HTTP/1.1\r\nHost: x.test\r\n\r\n"), StringComparison.Ordinal);
        Assert.Equal(["504 UT response_timeout 1"], _rig.Records.Lines);
    }

    [Fact]
    public void No_waiting_allowed_is_overflow()
    {
        _rig.AddUpstream(80, (_, _) => Ok);
        _rig.Start(ProxyRig.Forward("/", _rig.AddCluster("web", 80, c => c with { DefaultLimits = new BreakerLimits { MaxPending = 0 } })));
        Assert.Contains("x-envoy-overloaded: true", _rig.Ask("GET / HTTP/1.1\r\nHost: x.test\r\n\r\n"), StringComparison.Ordinal);
        Assert.Equal(["503 UO upstream_reset_before_response_started{overflow} 1"], _rig.Records.Lines);
    }

    [Fact]
    public void A_client_that_leaves_is_DC_and_gives_the_upstream_up()
    {
        _rig.AddUpstream(80, (_, _) => "");
        _rig.Start(ProxyRig.Forward("/", _rig.AddCluster("web", 80)));
        RawClient client = _rig.Connect();
        client.Send("GET / HTTP/1.1\r\nHost: x.test\r\n\r\n");
        _rig.Network.Advance(100_000);
        client.Transport.Close();
        _rig.Network.Advance(100_000);
        Assert.Equal(["0 DC downstream_remote_disconnect 1"], _rig.Records.Lines);
        Assert.Equal(0, _rig.Directory.Handle("web").Breakers.Of(RoutePriority.Default).Requests);
    }

    [Fact]
    public void Five_answers_of_500_eject_the_host()
    {
        _rig.AddUpstream(80, (_, _) => Error);
        _rig.Start(ProxyRig.Forward("/", _rig.AddCluster("web", 80, c => c with
        {
            Outlier = new OutlierOptions { MaxEjectionPercent = 100 },
            Balancer = new BalancerOptions { PanicThreshold = 0 },
        })));
        for (int i = 0; i < 6; i++)
            _rig.Ask("GET / HTTP/1.1\r\nHost: x.test\r\n\r\n");
        Assert.Equal("503 - via_upstream 1", _rig.Records.Lines[4]);
        Assert.Equal("503 UH no_healthy_upstream 1", _rig.Records.Lines[5]);
        _rig.Network.Advance(45_000_000);
        _rig.Ask("GET / HTTP/1.1\r\nHost: x.test\r\n\r\n");
        Assert.Equal("503 - via_upstream 1", _rig.Records.Lines[6]);
    }
}
