using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Lateen.Test.Unit.Proxy.Exchanges;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Net;

/// <summary>The account of bytes that wait to be sent, and what a limit makes of it.</summary>
public sealed class WaitingOutputTests
{
    private const long Megabyte = 1 << 20;

    [Fact]
    public void Without_a_limit_what_is_configured_holds()
    {
        var account = new OutputAccount();
        Assert.False(account.IsAbove(1 << 20, 1 << 20));
        Assert.True(account.IsAbove((1 << 20) + 1, 1 << 20));
        Assert.Equal(65536, account.ReadMax(65536));
    }

    [Fact]
    public void What_one_queue_may_hold_shrinks_with_what_is_left()
    {
        var account = new OutputAccount { Max = 16 * Megabyte };
        Assert.False(account.IsAbove(1 << 20, 1 << 20));
        account.Add((int)(8 * Megabyte));
        Assert.False(account.IsAbove(512 << 10, 1 << 20));
        Assert.True(account.IsAbove((512 << 10) + 1, 1 << 20));
        account.Add((int)(8 * Megabyte));
        Assert.True(account.IsAbove(1, 1 << 20));
        // Who has nothing waiting goes on, in small pieces.
        Assert.False(account.IsAbove(0, 1 << 20));
        Assert.Equal(4096, account.ReadMax(65536));
        account.Add((int)(-16 * Megabyte));
        Assert.False(account.IsAbove(1 << 20, 1 << 20));
    }

    [Fact]
    public void Many_slow_readers_stay_within_the_limit_and_get_all_that_was_sent()
    {
        const int readers = 200, body = 400_000;
        const long limit = 4 * Megabyte;
        var rig = new ProxyRig();
        rig.AddUpstream(80, (_, _) => $"HTTP/1.1 200 OK\r\ncontent-length: {body}\r\n\r\n{new string('x', body)}");
        rig.Start(ProxyRig.Forward("/", rig.AddCluster("up", 80)));
        rig.Proxy.Waiting.Max = limit;
        RawClient[] clients = [.. Enumerable.Range(0, readers).Select(_ => rig.Connect())];
        foreach (RawClient client in clients)
        {
            client.Send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
            client.Transport.Reading = false;
        }
        long most = 0;
        for (int i = 0; i < 200; i++)
        {
            rig.Network.Advance(10_000);
            most = Math.Max(most, rig.Proxy.Waiting.Bytes);
        }
        // Beyond the limit each may hold the piece that it was reading, in chunks of 16 KiB.
        Assert.InRange(most, limit / 2, limit + (readers * 2 * 16_384));
        Array.ForEach(clients, c => c.Transport.Reading = true);
        Assert.True(rig.Network.RunUntil(() => Array.TrueForAll(clients, c => c.Complete), 60_000_000));
        rig.Network.Advance(1_000_000);
        Assert.Equal(0, rig.Proxy.Waiting.Bytes);
    }
}
