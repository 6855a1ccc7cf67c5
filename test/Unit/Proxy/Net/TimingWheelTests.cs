using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Net;

public sealed class TimingWheelTests
{
    /// <summary>Against the plain model: each deadline comes at the first whole millisecond at or after its time, in order of time, unless
    /// taken back.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void It_agrees_with_a_sorted_list(int seed)
    {
        var random = new Random(seed);
        var network = new MemoryNetwork(1);
        MemoryLoop loop = network.AddHost("a", Address.V4(1, 0)).AddLoop();
        var model = new Dictionary<Alarm, long>();
        int fired = 0;
        long last = 0;
        var all = new List<Alarm>();
        for (int i = 0; i < 3_000; i++)
        {
            Alarm alarm = null!;
            alarm = new Alarm(now =>
            {
                Assert.True(model.Remove(alarm, out long due));
                Assert.Equal((due + 999) / 1000 * 1000, now);
                Assert.True(now >= last);
                last = now;
                fired++;
            });
            all.Add(alarm);
            // Spread over every level: from 1 ms to 100 days.
            long delay = (long)Math.Pow(10, 3 + (random.NextDouble() * 10));
            Arm(alarm, Math.Min(delay, 100L * 86_400_000_000));
            if (random.Next(4) == 0)
                Arm(all[random.Next(all.Count)], random.Next(1_000, 50_000_000));
            if (random.Next(4) == 0)
            {
                Alarm gone = all[random.Next(all.Count)];
                loop.Disarm(gone);
                model.Remove(gone);
            }
            if (random.Next(3) == 0)
                network.Advance(random.Next(1, 1_000_000));
        }
        network.Advance(101L * 86_400_000_000);
        Assert.Empty(model);
        Assert.True(fired > 1_000);

        void Arm(Alarm alarm, long delay)
        {
            loop.Arm(alarm, delay);
            model[alarm] = Math.Max(network.Now + delay, ((network.Now / 1000) + 1) * 1000);
        }
    }
}
