using Lateen.Proxy.Filters.AdaptiveConcurrency;
using Lateen.Proxy.Net;
using Lateen.Test.Unit.Proxy.Exchanges;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Filters;

/// <summary>The limit follows how long answers take, and what is over it is refused.</summary>
public sealed class AdaptiveConcurrencyTests
{
    private static readonly GradientSettings Settings = new()
    {
        LimitMin = 4,
        LimitMax = 200,
        BestSamples = 10,
        UpdateMicros = 10_000,
        BestMicros = 10_000_000,
        Jitter = 0,
    };

    private readonly Chance _chance = new(1);
    private long _now = 1;

    private void Serve(GradientController controller, int requests, long micros)
    {
        for (int i = 0; i < requests; i++)
        {
            Assert.True(controller.TryEnter(_now, _chance));
            _now += micros;
            controller.Leave(_now, micros, _chance);
        }
    }

    [Fact]
    public void The_limit_grows_while_answers_stay_fast_and_falls_when_they_get_slow()
    {
        var controller = new GradientController(Settings, 1);
        Assert.Equal(4, controller.Limit);
        Serve(controller, 200, 1000);
        int grown = controller.Limit;
        Assert.InRange(grown, 20, 200);
        Serve(controller, 40, 10_000);
        Assert.True(controller.Limit < grown, $"{controller.Limit} of {grown}");
    }

    [Fact]
    public void The_best_time_is_measured_again_with_few_at_once()
    {
        var controller = new GradientController(Settings, 1);
        Serve(controller, 200, 1000);
        _now += 10_000_000;
        Assert.True(controller.TryEnter(_now, _chance));
        Assert.Equal(4, controller.Limit);
        controller.Leave(_now, 1000, _chance);
    }

    [Fact]
    public void What_is_over_the_limit_is_refused()
    {
        var controller = new GradientController(Settings, 2);
        Assert.True(controller.TryEnter(_now, _chance));
        Assert.True(controller.TryEnter(_now, _chance));
        Assert.False(controller.TryEnter(_now, _chance));
        controller.Leave(_now, -1, _chance);
        Assert.True(controller.TryEnter(_now, _chance));
    }

    [Fact]
    public void A_request_too_many_is_answered_at_once()
    {
        var rig = new ProxyRig();
        rig.AddUpstream(80, (_, _) => "");
        rig.Filters.Add(new AdaptiveConcurrencyFilter("adaptive", Settings with { LimitMin = 1 }, 1, 503, static () => true));
        rig.Start(ProxyRig.Forward("/", rig.AddCluster("web", 80)));
        RawClient first = rig.Connect();
        first.Send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
        rig.Network.RunUntil(() => false, 50_000);
        Assert.StartsWith("HTTP/1.1 503", rig.Ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), StringComparison.Ordinal);
        Assert.Contains("503 - reached_concurrency_limit 0", rig.Records.Lines);
        first.Transport.Close();
        rig.Network.RunUntil(() => false, 50_000);
        RawClient next = rig.Connect();
        next.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        rig.Network.RunUntil(() => false, 50_000);
        Assert.Equal("", next.Text);
    }
}
