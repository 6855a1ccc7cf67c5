using Lateen.Test.Unit.Proxy.Xds;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Clusters;

/// <summary>Who is ejected, by what requests came to.</summary>
public sealed class OutlierTests
{
    private const string Good = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood";

    private static ConfiguredProxy Proxy(string detection, Func<int, string, string?> answer) => ConfiguredProxy.OfHttp("", answer: answer,
        cluster: "\"common_lb_config\":{\"healthy_panic_threshold\":{\"value\":0},\"update_merge_window\":\"0s\"},\"outlier_detection\":{\"max_ejection_percent\":100,"
            + detection + "},");

    private static string[] Statuses(ConfiguredProxy proxy, int n) =>
        [.. Enumerable.Range(0, n).Select(_ => proxy.Ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").Substring(9, 3))];

    [Fact]
    public void With_local_failures_apart_a_connection_that_was_had_starts_their_count_anew()
    {
        using ConfiguredProxy proxy = Proxy("\"split_external_local_origin_errors\":true,\"consecutive_local_origin_failure\":2",
            static (n, _) => n % 2 == 1 ? null : Good);
        // Every other request breaks before its answer: never two in a row.
        Assert.Equal(["503", "200", "503", "200", "503", "200"], Statuses(proxy, 6));
    }

    [Fact]
    public void Without_the_split_a_broken_answer_counts_as_503()
    {
        using ConfiguredProxy proxy = Proxy("\"consecutive_5xx\":2", static (n, _) => n <= 2 ? null : Good);
        Assert.Equal(["503", "503", "503"], Statuses(proxy, 3));
        Assert.EndsWith("no healthy upstream", proxy.Ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), StringComparison.Ordinal);
    }
}
