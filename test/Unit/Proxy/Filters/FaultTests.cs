using Lateen.Test.Unit.Proxy.Xds;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Filters;

/// <summary>Responses at a rate.</summary>
public sealed class FaultTests
{
    private static ConfiguredProxy Proxy(string limit) => ConfiguredProxy.OfHttp(
        ConfiguredProxy.Filter("http.fault.v3.HTTPFault",
            """ "response_rate_limit":{@LIMIT@,"percentage":{"numerator":100}},"filter_metadata":{"why":"test"} """.Replace("@LIMIT@",
                limit, StringComparison.Ordinal)),
        """ "access_log":[{"name":"f","typed_config":{"@type":"type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog","path":"/x","log_format":{"text_format_source":{"inline_string":"%DYNAMIC_METADATA(envoy.filters.http.fault:why)% %BYTES_SENT%\n"}}}}], """,
        answer: static (_, _) => $"HTTP/1.1 200 OK\r\ncontent-length: 20480\r\n\r\n{new string('x', 20480)}");

    [Fact]
    public void A_body_takes_its_time_and_arrives_whole()
    {
        using ConfiguredProxy proxy = Proxy("\"fixed_limit\":{\"limit_kbps\":10}");
        long before = proxy.Now;
        string answer = proxy.Ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        // 20 KiB at 10 KiB a second; the first step goes at once.
        Assert.InRange(proxy.Now - before, 1_850_000, 2_100_000);
        Assert.EndsWith("\r\n\r\n" + new string('x', 20480), answer, StringComparison.Ordinal);
        Assert.Equal("test 20480", Assert.Single(proxy.Log.Lines));
    }

    [Theory]
    [InlineData("x-envoy-fault-throughput-response: 40\r\n", 400_000, 550_000)]
    [InlineData("x-envoy-fault-throughput-response: 40\r\nx-envoy-fault-throughput-response-percentage: 0\r\n", 0, 100_000)]
    [InlineData("x-envoy-fault-throughput-response: much\r\n", 0, 100_000)]
    [InlineData("", 0, 100_000)]
    public void A_request_may_ask_for_it(string headers, long from, long to)
    {
        using ConfiguredProxy proxy = Proxy("\"header_limit\":{}");
        long before = proxy.Now;
        Assert.StartsWith("HTTP/1.1 200", proxy.Ask($"GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n"), StringComparison.Ordinal);
        Assert.InRange(proxy.Now - before, from, to);
    }
}
