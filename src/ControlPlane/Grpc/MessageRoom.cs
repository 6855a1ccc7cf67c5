using System.Diagnostics;

namespace Lateen.ControlPlane.Grpc;

/// <summary>Room for long messages on their way in: few have it at a time, over all connections.</summary>
/// <remarks>
/// A thousand proxies that come back at once tell all that they hold. Whoever has no room is not read from: what it says waits in its own
/// memory and in the kernel's. Nobody keeps room for long: who has it and says nothing loses it to the next, and goes on without.
/// </remarks>
/// <param name="count">How many have room.</param>
/// <param name="longest">How long one keeps it while others wait.</param>
public sealed class MessageRoom(int count, TimeSpan longest)
{
    /// <summary>A place in the room.</summary>
    public sealed class Place(MessageRoom room)
    {
        private readonly MessageRoom _room = room;

        internal long Since { get; } = Stopwatch.GetTimestamp();

        /// <summary>Somebody else may have it.</summary>
        public void Leave() => _room.Leave(this);
    }

    private readonly Lock _gate = new();
    private readonly List<Place> _taken = new(count);
    private readonly Queue<TaskCompletionSource<Place>> _waiting = new();

    /// <summary>That of this process: messages of the largest meshes have a megabyte.</summary>
    public static MessageRoom OfProcess { get; } = new(8, TimeSpan.FromSeconds(2));

    /// <summary>Waits for a place.</summary>
    public async ValueTask<Place> EnterAsync(CancellationToken cancel)
    {
        TaskCompletionSource<Place> mine;
        lock (_gate)
        {
            if (_taken.Count < count) return Take();
            mine = new(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Enqueue(mine);
        }
        using CancellationTokenRegistration gone = cancel.Register(() => mine.TrySetCanceled(cancel));
        while (true)
        {
            try
            {
                return await mine.Task.WaitAsync(longest, CancellationToken.None);
            }
            catch (TimeoutException)
            {
                Expire();
            }
        }
    }

    private void Leave(Place place)
    {
        lock (_gate)
        {
            // It may have been lost meanwhile.
            if (_taken.Remove(place)) Admit();
        }
    }

    private void Expire()
    {
        lock (_gate)
        {
            _taken.RemoveAll(place => Stopwatch.GetElapsedTime(place.Since) >= longest);
            Admit();
        }
    }

    private void Admit()
    {
        while (_taken.Count < count && _waiting.TryDequeue(out TaskCompletionSource<Place>? next))
        {
            Place place = Take();
            // Who is gone has no use for it.
            if (!next.TrySetResult(place)) _taken.Remove(place);
        }
    }

    private Place Take()
    {
        var place = new Place(this);
        _taken.Add(place);
        return place;
    }
}
