using Lateen.Test.Unit.Proxy.Exchanges;
using Lateen.Test.Unit.Proxy.Xds;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Filters;

/// <summary>Attempts beside each other, and which of their answers counts.</summary>
public sealed class RouterRetryTests
{
    private const string Bad = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 3\r\n\r\nbad",
        Good = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood";

    private const string Log = """ "access_log":[{"name":"f","typed_config":{"@type":"type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog","path":"/x","log_format":{"text_format_source":{"inline_string":"%RESPONSE_CODE% %RESPONSE_FLAGS% %UPSTREAM_REQUEST_ATTEMPT_COUNT%\n"}}}}], """;

    private static ConfiguredProxy Hedging(Func<int, string, string?> answer) => ConfiguredProxy.OfHttp("", Log, answer: answer, action:
        """ "timeout":"1s","retry_policy":{"retry_on":"5xx","num_retries":1,"per_try_timeout":"0.2s"},"hedge_policy":{"hedge_on_per_try_timeout":true}, """);

    [Fact]
    public void A_good_answer_of_the_second_attempt_wins_over_a_slow_first()
    {
        using ConfiguredProxy proxy = Hedging(static (n, _) => n == 1 ? "" : Good);
        Assert.StartsWith("HTTP/1.1 200", proxy.Ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), StringComparison.Ordinal);
        Assert.Equal("200 - 2", Assert.Single(proxy.Log.Lines));
    }

    [Fact]
    public void A_bad_answer_gives_way_while_another_attempt_may_still_answer()
    {
        using ConfiguredProxy proxy = Hedging(static (n, _) => n == 1 ? "" : Bad);
        // The first attempt never answers: the route's time ends it.
        Assert.StartsWith("HTTP/1.1 504", proxy.Ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), StringComparison.Ordinal);
        Assert.Equal("504 URX,UT 2", Assert.Single(proxy.Log.Lines));
    }

    [Fact]
    public void A_trusted_client_may_have_204_for_a_try_that_took_too_long()
    {
        using ConfiguredProxy proxy = ConfiguredProxy.OfHttp("", Log + "\"internal_address_config\":{\"cidr_ranges\":[{\"address_prefix\":\"10.0.0.0\",\"prefix_len\":8}]},",
            answer: static (_, _) => "", action: """ "retry_policy":{"retry_on":"retriable-4xx","per_try_timeout":"0.2s"}, """);
        string answer = proxy.Ask("GET / HTTP/1.1\r\nHost: a\r\nx-forwarded-for: 10.0.0.9\r\nx-envoy-upstream-rq-timeout-alt-response: 1\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 204", answer, StringComparison.Ordinal);
        Assert.DoesNotContain("timeout", answer, StringComparison.Ordinal);
        Assert.Equal("204 UT 1", Assert.Single(proxy.Log.Lines));
    }

    private static ConfiguredProxy OnePool(Func<int, string, string?> answer) => ConfiguredProxy.OfHttp("", Log, answer: answer,
        cluster: """ "connection_pool_per_downstream_connection":true,"circuit_breakers":{"thresholds":[{"max_connection_pools":1}]}, """);

    [Fact]
    public void A_pool_over_the_limit_waits_for_nobody()
    {
        using ConfiguredProxy proxy = OnePool(static (n, _) => n == 1 ? "" : Good);
        proxy.Begin("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        Assert.EndsWith("no healthy upstream", proxy.Ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), StringComparison.Ordinal);
        Assert.Equal("503 UH 1", Assert.Single(proxy.Log.Lines));
    }

    [Fact]
    public void A_pool_whose_connections_rest_gives_way_to_another()
    {
        using ConfiguredProxy proxy = OnePool(static (_, _) => Good);
        RawClient first = proxy.Begin("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        Assert.EndsWith("good", first.Text, StringComparison.Ordinal);
        Assert.EndsWith("good", proxy.Ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), StringComparison.Ordinal);
    }
}
