using System.Threading.Channels;
using Lateen.Config.Store;
using Lateen.ControlPlane;
using Lateen.ControlPlane.Hosting;
using Xunit;

namespace Lateen.Test.Unit.ControlPlane;

public sealed class WriterLoopTests : IAsyncDisposable
{
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(1);
    private readonly WriterLoop _writer =
        new(new ControlLoop(new ControlPlaneOptions { StateFolder = "" }, new ResourceStore(_ => [], TimeProvider.System), [],
            TimeProvider.System.GetUtcNow(), TimeProvider.System), TimeProvider.System);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => _writer.DisposeAsync();

    [Fact]
    public async Task Many_who_ask_at_once_are_served_one_at_a_time_and_all_of_them()
    {
        (int inside, int most, int served) = (0, 0, 0);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(asker => Task.Run(async () =>
        {
            for (int i = 0; i < 500; i++)
            {
                int got = await _writer.AskAsync((_, _) =>
                {
                    most = Math.Max(most, ++inside);
                    served++;
                    inside--;
                    return asker;
                }, Cancel);
                Assert.Equal(asker, got);
                if (i % 10 == 0) await _writer.PostAsync((_, _) => served++, Cancel);
            }
        }, Cancel))).WaitAsync(Bound, Cancel);
        await _writer.PostAsync((_, _) => { }, Cancel);
        Assert.Equal((1, 4400), (most, await _writer.AskAsync((_, _) => served, Cancel)));
    }

    [Fact]
    public async Task What_one_posts_and_then_asks_happens_in_that_order()
    {
        var order = new List<int>();
        for (int i = 0; i < 200; i++)
        {
            int at = i;
            await _writer.PostAsync((_, _) => order.Add(2 * at), Cancel);
            await _writer.AskAsync((_, _) =>
            {
                order.Add((2 * at) + 1);
                return true;
            }, Cancel);
        }
        Assert.Equal(Enumerable.Range(0, 400), order);
    }

    [Fact]
    public async Task A_fault_of_one_is_its_own()
    {
        await Assert.ThrowsAsync<InvalidTimeZoneException>(() =>
            _writer.AskAsync<int>((_, _) => throw new InvalidTimeZoneException(), Cancel).AsTask());
        Assert.Equal(5, await _writer.AskAsync((_, _) => 5, Cancel));
    }

    [Fact]
    public async Task After_the_end_nobody_is_served()
    {
        bool wasServed = false;
        await _writer.PostAsync((_, _) => wasServed = true, Cancel);
        await _writer.DisposeAsync();
        Assert.True(wasServed);
        Assert.True(_writer.Completion.IsCompletedSuccessfully);
        await Assert.ThrowsAsync<ChannelClosedException>(() => _writer.AskAsync((_, _) => 1, Cancel).AsTask());
    }
}
