using Lateen.Proxy;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Filters.AdmissionControl;
using Lateen.Proxy.Http;
using Lateen.Proxy.Statistics;
using Lateen.Test.Unit.Proxy.Exchanges;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Filters;

/// <summary>Failures of the last seconds refuse requests, and time or successes let them in again.</summary>
public sealed class AdmissionControlTests
{
    private const string Get = "GET /x HTTP/1.1\r\nHost: x.test\r\n\r\n";
    private const string Good = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Bad = "HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n";

    private readonly ProxyRig _rig = new();
    private readonly StatGroup _stats = new StatStore(1).Group("http.test.admission_control.", AdmissionControlFilter.Counted);
    private string _answer = Good;

    private void Start(AdmissionControlSettings settings)
    {
        ClusterHandle app = _rig.AddCluster("app", 80,
            static c =>
                c with { Protocol = c.Protocol with { Codec = c.Protocol.Codec with { One = new Http1Options { Trailers = true } } } });
        _rig.AddUpstream(80, (_, _) => _answer);
        _rig.Filters.Add(new AdmissionControlFilter("admission", settings, 1, _stats));
        _rig.Start(ProxyRig.Forward("/", app));
    }

    private void Ask(int times)
    {
        for (int i = 0; i < times; i++)
            _rig.Ask(Get);
    }

    private long Count(int counter) => _stats.Of(0)[counter];

    [Theory]
    [InlineData(0, 0, 1, 0)]
    [InlineData(100, 95, 1, 0)]
    [InlineData(99, 0, 1, 0.8)]
    [InlineData(99, 57, 1, 0.39)]
    [InlineData(99, 57, 2, 0.6245)]
    [InlineData(99, 57, 0.5, 0.39)]
    public void The_share_that_is_refused(long requests, long successes, double aggression, double expected)
    {
        var settings = new AdmissionControlSettings { Aggression = new RuntimeNumber(aggression, "") };
        Assert.Equal(expected, settings.RejectionProbability(requests, successes), 4);
    }

    [Fact]
    public void Runtime_keys_change_the_numbers()
    {
        var runtime = new RuntimeValues(
            [("base", new Dictionary<string, string> { ["on"] = "false", ["most"] = "12.5", ["rate"] = "500" })], -1);
        var settings = new AdmissionControlSettings
        {
            Runtime = runtime,
            EnabledKey = "on",
            RejectionPercentMax = new RuntimeNumber(80, "most"),
            SuccessPercent = new RuntimeNumber(50, "rate"),
        };
        Assert.False(settings.IsEnabled);
        Assert.Equal(0.125, settings.RejectionProbability(99, 0), 4);
        // 500 percent is no percentage: the default of 50 holds, and half of the answers are good.
        Assert.Equal(0, settings.RejectionProbability(100, 50), 4);
    }

    [Fact]
    public void Failures_refuse_some_and_a_window_later_none()
    {
        _answer = Bad;
        Start(new AdmissionControlSettings { WindowSeconds = 5, RejectionPercentMax = new RuntimeNumber(100, "") });
        Ask(50);
        long rejected = Count(0), failed = Count(2);
        Assert.InRange(rejected, 20, 49);
        Assert.Equal(50, rejected + failed);
        Assert.Contains("503 - denied_by_admission_control 0", _rig.Records.Lines);

        _answer = Good;
        _rig.Network.Advance(6_000_000);
        Ask(20);
        Assert.Equal(20, Count(1));
        Assert.Equal(rejected, Count(0));
    }

    [Fact]
    public void Little_traffic_is_never_refused()
    {
        _answer = Bad;
        Start(new AdmissionControlSettings { RequestsPerSecond = new RuntimeNumber(2, "") });
        Ask(50);
        Assert.Equal((0, 0, 50), (Count(0), Count(1), Count(2)));
    }

    [Theory]
    [InlineData("content-type: application/grpc\r\ngrpc-status: 14", 2)]
    [InlineData("content-type: application/grpc\r\ngrpc-status: 7", 1)]
    [InlineData("content-type: application/grpc\r\ngrpc-status: 99", 2)]
    [InlineData("content-type: application/json", 1)]
    public void The_gRPC_status_decides(string headers, int counter)
    {
        _answer = $"HTTP/1.1 200 OK\r\n{headers}\r\ncontent-length: 0\r\n\r\n";
        Start(new AdmissionControlSettings());
        Ask(1);
        Assert.Equal(1, Count(counter));
    }

    [Fact]
    public void The_gRPC_status_in_trailers_decides()
    {
        _answer =
            "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\ngrpc-status: "
            + "14\r\n\r\n";
        Start(new AdmissionControlSettings());
        Ask(1);
        Assert.Equal((0, 1), (Count(1), Count(2)));
    }

    [Fact]
    public void Switched_off_it_counts_nothing()
    {
        _answer = Bad;
        Start(new AdmissionControlSettings { Enabled = false });
        Ask(20);
        Assert.Equal((0, 0, 0), (Count(0), Count(1), Count(2)));
    }

    [Fact]
    public void A_window_forgets_whole_slices()
    {
        var window = new SuccessWindow(20);
        for (int second = 0; second < 30; second++)
            window.Record(second * 1_000_000L, second % 2 == 0);
        Assert.Equal((20, 10), (window.Requests, window.Successes));
        Assert.Equal(1, window.RequestsPerSecond);
        window.Advance(48_000_000);
        Assert.Equal((1, 0), (window.Requests, window.Successes));
    }
}
