using Lateen.Proxy.Net.Memory;

namespace Lateen.Test.Rigs.Stage;

/// <summary>The network's clock for those who take a <see cref="TimeProvider"/>.</summary>
internal sealed class VirtualTime(MemoryNetwork network) : TimeProvider
{
    public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddTicks((network.WallClockAtZero + network.Now) * 10);

    public override long GetTimestamp() => network.Now;

    public override long TimestampFrequency => 1_000_000;
}
