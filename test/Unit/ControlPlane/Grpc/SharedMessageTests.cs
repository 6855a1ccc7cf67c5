using Envoy.Config.Route.V3;
using Lateen.Api.Grpc;
using Lateen.ControlPlane.Grpc;
using Lateen.Pilot.Generation;
using Lateen.Pilot.Push;
using Xunit;

namespace Lateen.Test.Unit.ControlPlane.Grpc;

public sealed class SharedMessageTests
{
    // Sizes about the borders of frames, and turns as any peer's windows may cut them.
    [Theory]
    [InlineData(1, 66 << 10)]
    [InlineData(2, 80 << 10)]
    [InlineData(3, (80 << 10) + 1)]
    [InlineData(4, (80 << 10) - 1)]
    [InlineData(5, 1_000_000)]
    public void What_leaves_in_shared_frames_is_the_message(int seed, int length)
    {
        var chance = new Random(seed);
        SetChange change = Change(length, 'x');
        // The first who is sent it gets a copy of its own; while one is under way, all others share.
        using OutgoingMessage first = Of(Response(change, "1", "first")), second = Of(Response(change, "1", "second"));
        Assert.IsType<PiecedMessage>(first);
        for (int i = 0; i < 50; i++)
        {
            AdsResponse response = Response(change, new string('r', chance.Next(40)), $"nonce/{i}");
            using OutgoingMessage message = Of(response);
            Assert.IsType<SharedMessage>(message);
            int narrow = chance.Next(1, 40_000);
            byte[] left = Leave(message, i == 0 ? () => int.MaxValue : () => chance.Next(3) == 0 ? int.MaxValue : chance.Next(1, narrow));
            Assert.Equal((byte[])[.. Prefix(response), .. response.Bytes()], left);
        }
    }

    [Fact]
    public void Who_is_told_something_else_is_sent_something_else()
    {
        SetChange before = Change(100_000, 'x'), after = Change(100_000, 'y');
        foreach (SetChange change in (SetChange[])[before, after, before, after, before])
        {
            AdsResponse response = Response(change, "1", "1/1");
            using OutgoingMessage message = Of(response);
            Assert.Equal((byte[])[.. Prefix(response), .. response.Bytes()], Leave(message, () => int.MaxValue));
        }
    }

    [Fact]
    public void What_is_shared_stays_a_moment_longer_than_the_last_who_sends_it_and_is_made_anew_for_the_next()
    {
        var time = new OneTimer();
        SetChange change = Change(200_000, 'x');
        OutgoingMessage.Of(Response(change, "1", "0"), 1, time).Dispose();
        OutgoingMessage one = OutgoingMessage.Of(Response(change, "1", "1"), 1, time);
        FileStream file = Frames(one).File!;
        one.Dispose();
        OutgoingMessage other = OutgoingMessage.Of(Response(change, "1", "2"), 1, time);
        Assert.Same(file, Frames(other).File);
        // The moment after the first ends while the second is under way.
        time.Ring();
        Assert.True(file.CanRead);
        other.Dispose();
        Assert.Equal(SharedFrames.Linger, time.Due);
        time.Ring();
        Assert.False(file.CanRead);
        AdsResponse response = Response(change, "1", "3");
        using OutgoingMessage next = OutgoingMessage.Of(response, 1, time);
        Assert.Equal((byte[])[.. Prefix(response), .. response.Bytes()], Leave(next, () => int.MaxValue));
    }

    [Fact]
    public void Most_of_a_long_message_is_not_copied_and_leaves_in_few_turns()
    {
        SetChange change = Change(1_000_000, 'x');
        Of(Response(change, "1", "0")).Dispose();
        using OutgoingMessage message = Of(Response(change, "1", "1"));
        (int turns, int copied) = (0, 0);
        for (; message.Left > 0; turns++)
        {
            int turn = message.Turn, framed = message.TakeFrames(turn).Bytes;
            message.Take(new byte[turn - framed]);
            copied += turn - framed;
        }
        Assert.InRange(turns, 1, 7);
        Assert.InRange(copied, 1, 64 << 10);
    }

    [Fact]
    public void What_is_short_of_another_stream_one_clients_own_or_state_of_the_world_is_made_of_its_pieces()
    {
        SetChange change = Change(100_000, 'x'), own = new(change.News, change.Gone);
        using OutgoingMessage first = Of(Response(change, "1", "0")), shared = Of(Response(change, "1", "1"));
        Assert.IsType<SharedMessage>(shared);
        AdsResponse[] others = [Response(own, "1", "1"), Response(Change(1000, 'x'), "1", "1"),
            AdsResponse.StateOfTheWorld(TypeUrls.Route, "1", "1/1", change.News)];
        foreach (AdsResponse other in others.Concat(others)) Assert.IsType<PiecedMessage>(Of(other));
        Assert.IsType<PiecedMessage>(OutgoingMessage.Of(Response(change, "1", "1"), 3, TimeProvider.System));
        Assert.IsType<PiecedMessage>(OutgoingMessage.Of(Response(change, "1", "1"), 1, sharing: null));
    }

    private static AdsResponse Response(SetChange change, string revision, string nonce) =>
        AdsResponse.Incremental(TypeUrls.Route, revision, nonce, change);

    private static OutgoingMessage Of(AdsResponse response) => OutgoingMessage.Of(response, 1, TimeProvider.System);

    private static FramesInFile Frames(OutgoingMessage message)
    {
        message.Take(new byte[message.Turn]);
        return message.TakeFrames(message.Turn);
    }

    private static SetChange Change(int length, char filled)
    {
        var resources = new List<WireResource>();
        for (int left = length; left > 0; left -= 50_000)
        {
            string text = new(filled, Math.Min(left, 50_000));
            resources.Add(WireResource.Of($"of-{left}", new VirtualHost { Name = text }));
        }
        return new SharedResources(resources, []).Since(ResourceSet.Empty.Shared);
    }

    private static byte[] Prefix(AdsResponse response)
    {
        byte[] prefix = new byte[GrpcFrame.PrefixBytes];
        GrpcFrame.WritePrefix(prefix, response.Size);
        return prefix;
    }

    // As a connection does it whose windows have room for so much at a time: what is in frames is taken out of them again.
    private static byte[] Leave(OutgoingMessage message, Func<int> room)
    {
        var left = new List<byte>();
        byte[] head = new byte[Http2Frames.HeadBytes];
        Http2Frames.WriteHead(head, Http2FrameType.Data, 0, 1, Http2Frames.PayloadMax);
        while (message.Left > 0)
        {
            int turn = Math.Min(message.Turn, room());
            FramesInFile frames = message.TakeFrames(turn);
            byte[] framed = new byte[frames.Length];
            if (frames.File is { } file) Assert.Equal(framed.Length, RandomAccess.Read(file.SafeFileHandle, framed, frames.Offset));
            for (int at = 0; at < framed.Length; at += Http2Frames.PayloadMax)
            {
                Assert.Equal(head, framed[at..(at += Http2Frames.HeadBytes)]);
                left.AddRange(framed.AsSpan(at, Http2Frames.PayloadMax));
            }
            byte[] copied = new byte[turn - frames.Bytes];
            Assert.InRange(copied.Length, 0, OutgoingMessage.CopiedMax);
            message.Take(copied);
            left.AddRange(copied);
        }
        return [.. left];
    }

    // A clock whose newest timer rings when it is told to.
    private sealed class OneTimer : TimeProvider
    {
        private Action _ring = () => { };

        public TimeSpan Due { get; private set; } = Timeout.InfiniteTimeSpan;

        public void Ring()
        {
            Due = Timeout.InfiniteTimeSpan;
            _ring();
        }

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            _ring = () => callback(state);
            return new Handle(this);
        }

        private sealed class Handle(OneTimer of) : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period)
            {
                of.Due = dueTime;
                return true;
            }

            public void Dispose()
            {
                // It never rings by itself.
            }

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }
}
