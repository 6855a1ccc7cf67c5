using Lateen.Proxy.Clusters.Resolution;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Clusters;

public sealed class NameCacheTests
{
    private readonly MemoryNetwork _network = new(3);
    private readonly NameCache _cache;
    private readonly NameCacheOptions _options = new() { Name = "cache", NamesMax = 2, WaitersMax = 1 };

    public NameCacheTests()
    {
        MemoryLoop loop = _network.AddHost("proxy", Address.V4(1, 0)).AddLoop();
        var hosts = new Dictionary<string, IReadOnlyList<Address>> { ["a.test"] = [Address.V4(0x0a000001, 0)] };
        _cache = new NameCache(loop, () => SystemNames.None with { Hosts = hosts });
    }

    private sealed class Waiting : NameWaiter
    {
        public CachedName? Heard;

        public override void OnResolved(CachedName name) => Heard = name;
    }

    [Fact]
    public void A_name_is_asked_for_once_and_known_then()
    {
        var waiter = new Waiting();
        Assert.Equal(NameState.Pending, _cache.Load(_options, "A.test", waiter).State);
        _network.Advance(1_000);
        Assert.Equal("10.0.0.1", waiter.Heard!.Addresses[0].Host);
        Assert.Equal(NameState.Known, _cache.Load(_options, "a.test", waiter).State);
    }

    [Fact]
    public void An_address_needs_no_question_and_a_name_without_one_fails()
    {
        Assert.Equal(NameState.Known, _cache.Load(_options, "192.0.2.7", null).State);
        var waiter = new Waiting();
        _cache.Load(_options, "b.test", waiter);
        _network.Advance(1_000);
        Assert.Equal((NameState.Failed, "cares_failure:Could not contact DNS servers"), (waiter.Heard!.State, waiter.Heard.Failure));
    }

    [Fact]
    public void The_cache_and_its_queue_are_bounded()
    {
        _cache.Load(_options, "a.test", new Waiting());
        Assert.Equal(NameState.Crowded, _cache.Load(_options, "b.test", new Waiting()).State);
        _network.Advance(1_000);
        _cache.Load(_options, "b.test", null);
        Assert.Equal(NameState.Full, _cache.Load(_options, "c.test", null).State);
    }

    [Fact]
    public void Who_left_hears_nothing()
    {
        var waiter = new Waiting();
        _cache.Load(_options, "a.test", waiter);
        waiter.Cancel();
        _network.Advance(1_000);
        Assert.Null(waiter.Heard);
    }
}
