using Lateen.Pilot.Meaning;

namespace Lateen.ControlPlane.Ads;

#pragma warning disable CA1001 // the timer runs only while somebody waits: there is nothing to stop when nobody does
/// <summary>How many responses may be on their way to proxies at the same time, so that a change for a thousand of them leaves in a line
/// and not all at once.</summary>
/// <remarks>Whoever reads slowly loses its place after a moment, when somebody waits for one: what it is sent stays under way, and the
/// others go on. While there is room for all, nobody is waited for and no timer runs.</remarks>
/// <param name="most">How many at the same time.</param>
/// <param name="time">Tells how long a place was held.</param>
public sealed class PushThrottle(int most, TimeProvider time)
#pragma warning restore CA1001
{
    private const int Auto = 0, AutoLeast = 15, AutoForEachProcessor = 5, AutoMost = 100;

    /// <summary>How long a place is kept while others wait.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(250);

    private readonly Lock _gate = new();

    // The one that was taken first comes first.
    private readonly LinkedList<Place> _held = [];
    private readonly Queue<(Place Place, TaskCompletionSource Turn)> _waiting = new();
    private ITimer? _alarm;

    /// <summary>As the environment says it: PILOT_PUSH_THROTTLE, or by the number of processors where that is 0 or not there, as istiod
    /// reckons.</summary>
    public static int MostOf(Features features) =>
        features.Number("PILOT_PUSH_THROTTLE", Auto) is > Auto and < int.MaxValue and var most ? (int)most
            : Math.Min(AutoLeast + (AutoForEachProcessor * Environment.ProcessorCount), AutoMost);

    /// <summary>The place of one stream, which it takes for each response anew.</summary>
    public sealed class Place
    {
        private readonly PushThrottle _of;

        internal Place(PushThrottle of) => (_of, Node) = (of, new LinkedListNode<Place>(this));

        internal LinkedListNode<Place> Node { get; }

        internal long Since { get; set; }

        /// <summary>Waits until there is room, and takes it.</summary>
        public ValueTask EnterAsync(CancellationToken cancel) => _of.EnterAsync(this, cancel);

        /// <summary>Somebody else may have it, unless that is so already.</summary>
        public void Leave() => _of.Leave(this);
    }

    /// <summary>A place for a stream, not taken yet.</summary>
    public Place NewPlace() => new(this);

    private ValueTask EnterAsync(Place place, CancellationToken cancel)
    {
        lock (_gate)
        {
            if (_waiting.Count == 0 && _held.Count >= most) Expire();
            if (_held.Count < most)
            {
                Take(place);
                return ValueTask.CompletedTask;
            }
            var turn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Enqueue((place, turn));
            if (_waiting.Count == 1) SetAlarm();
            return new ValueTask(WaitAsync(turn, cancel));
        }
    }

    private static async Task WaitAsync(TaskCompletionSource turn, CancellationToken cancel)
    {
        await using CancellationTokenRegistration gone = cancel.Register(() => turn.TrySetCanceled(cancel));
        await turn.Task;
    }

    private void Leave(Place place)
    {
        lock (_gate)
        {
            if (place.Node.List is null) return;
            _held.Remove(place.Node);
            Admit();
        }
    }

    private void Take(Place place)
    {
        place.Since = time.GetTimestamp();
        _held.AddLast(place.Node);
    }

    private void Admit()
    {
        while (_held.Count < most && _waiting.TryDequeue(out (Place Place, TaskCompletionSource Turn) next))
        {
            Take(next.Place);
            // Who is gone has no use for it.
            if (!next.Turn.TrySetResult()) _held.Remove(next.Place.Node);
        }
    }

    private void Expire()
    {
        while (_held.First is { } oldest && time.GetElapsedTime(oldest.Value.Since) >= Patience) _held.Remove(oldest);
    }

    private void SetAlarm()
    {
        _alarm ??= time.CreateTimer(_ => Ring(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        TimeSpan left = Patience - time.GetElapsedTime(_held.First!.Value.Since);
        _alarm.Change(left > TimeSpan.Zero ? left : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }

    private void Ring()
    {
        lock (_gate)
        {
            Expire();
            Admit();
            if (_waiting.Count > 0) SetAlarm();
        }
    }
}
