using Lateen.ControlPlane.Grpc;
using Xunit;

namespace Lateen.Test.Unit.ControlPlane.Grpc;

public sealed class MessageRoomTests
{
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(1);
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Who_leaves_makes_room_for_the_next_in_order()
    {
        var room = new MessageRoom(1, Bound);
        MessageRoom.Place first = await room.EnterAsync(Cancel);
        Task<MessageRoom.Place> second = room.EnterAsync(Cancel).AsTask(), third = room.EnterAsync(Cancel).AsTask();
        Assert.False(second.IsCompleted);
        first.Leave();
        (await second.WaitAsync(Bound, Cancel)).Leave();
        await third.WaitAsync(Bound, Cancel);
    }

    [Fact]
    public async Task Who_stays_for_too_long_loses_the_place_and_leaving_it_afterwards_harms_nobody()
    {
        var room = new MessageRoom(1, TimeSpan.FromMilliseconds(20));
        MessageRoom.Place stalled = await room.EnterAsync(Cancel);
        MessageRoom.Place next = await room.EnterAsync(Cancel).AsTask().WaitAsync(Bound, Cancel);
        stalled.Leave();
        Assert.NotSame(stalled, next);
    }

    [Fact]
    public async Task Who_is_gone_takes_no_place()
    {
        var room = new MessageRoom(1, Bound);
        MessageRoom.Place first = await room.EnterAsync(Cancel);
        using var gone = new CancellationTokenSource();
        Task<MessageRoom.Place> second = room.EnterAsync(gone.Token).AsTask();
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        first.Leave();
        await room.EnterAsync(Cancel).AsTask().WaitAsync(Bound, Cancel);
    }
}
