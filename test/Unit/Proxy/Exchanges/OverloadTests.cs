using System.Text;
using Lateen.Proxy.Exchanges.Heads;
using Lateen.Proxy;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Http;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Exchanges;

/// <summary>What switches of overload do to requests and clocks.</summary>
public sealed class OverloadTests
{
    private readonly OverloadSwitches _switches = new();
    private readonly ProxyRig _rig = new();

    private int RefusedOf100(string? criticality)
    {
        var head = new HeaderMap();
        if (criticality is not null)
            head.Add("x-criticality"u8, Encoding.ASCII.GetBytes(criticality));
        return Enumerable.Range(0, 100).Count(_ => _switches.Refuses(head, _rig.Worker));
    }

    [Fact]
    public void Without_criticality_a_state_refuses_its_share_of_all()
    {
        _switches.StopRequests = OverloadSwitches.Whole / 2;
        Assert.InRange(RefusedOf100("critical"), 30, 70);
        _switches.StopRequests = OverloadSwitches.Whole;
        Assert.Equal(100, RefusedOf100("critical"));
    }

    [Fact]
    public void Who_can_be_shed_goes_first_and_who_is_critical_last()
    {
        _switches.CriticalityHeader = "x-criticality"u8.ToArray();
        _switches.StopRequests = OverloadSwitches.Whole / 2;
        Assert.Equal((100, 0, 0), (RefusedOf100("sheddable"), RefusedOf100(null), RefusedOf100("critical")));
        _switches.StopRequests = OverloadSwitches.Whole * 3 / 4;
        Assert.Equal((100, 0), (RefusedOf100("sheddable"), RefusedOf100("critical")));
        Assert.InRange(RefusedOf100(null), 30, 70);
        _switches.StopRequests = OverloadSwitches.Whole;
        Assert.Equal((100, 100, 100), (RefusedOf100("sheddable"), RefusedOf100(null), RefusedOf100("critical")));
    }

    [Fact]
    public void Load_is_shed_by_degrees()
    {
        _switches.ShedRequests = OverloadSwitches.Whole / 4;
        Assert.InRange(RefusedOf100(null), 10, 45);
        _switches.ShedRequests = 0;
        Assert.Equal(0, RefusedOf100(null));
    }

    [Fact]
    public void Clocks_go_down_to_their_minimum_and_no_further()
    {
        _switches.Scale(OverloadTimer.StreamIdle, new TimerScale(2000, 0));
        _switches.Scale(OverloadTimer.Handshake, new TimerScale(0, 0.5));
        Assert.Equal(10_000, _switches.Micros(OverloadTimer.StreamIdle, 10_000));
        _switches.ReduceTimeouts = OverloadSwitches.Whole / 2;
        Assert.Equal((6000, 7500, 10_000),
            (_switches.Micros(OverloadTimer.StreamIdle, 10_000), _switches.Micros(OverloadTimer.Handshake, 10_000),
                _switches.Micros(OverloadTimer.ConnectionIdle, 10_000)));
        _switches.ReduceTimeouts = OverloadSwitches.Whole;
        Assert.Equal((2000, 0, 1000),
            (_switches.Micros(OverloadTimer.StreamIdle, 10_000), _switches.Micros(OverloadTimer.StreamIdle, 0),
                _switches.Micros(OverloadTimer.StreamIdle, 1000)));
    }
}
