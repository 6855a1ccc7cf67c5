using Lateen.Pilot.Meaning;

namespace Lateen.ControlPlane.Ads;

#pragma warning disable CA1001 // the semaphore has no handle behind it as it is used here: there is nothing to free, and a late push must find it whole
/// <summary>How many responses may be on their way to proxies at the same time, so that a change for a thousand of them leaves in a line
/// and not all at once.</summary>
/// <remarks>Whoever reads slowly gives its place up after a moment: what it is sent stays under way, and the others go on.</remarks>
/// <param name="most">How many at the same time.</param>
public sealed class PushThrottle(int most)
#pragma warning restore CA1001
{
    private const int Auto = 0, AutoLeast = 15, AutoForEachProcessor = 5, AutoMost = 100;
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(250);
    private readonly SemaphoreSlim _places = new(most, most);

    /// <summary>As the environment says it: PILOT_PUSH_THROTTLE, or by the number of processors where that is 0 or not there, as istiod
    /// reckons.</summary>
    public static int MostOf(Features features) =>
        features.Number("PILOT_PUSH_THROTTLE", Auto) is > Auto and < int.MaxValue and var most ? (int)most
            : Math.Min(AutoLeast + (AutoForEachProcessor * Environment.ProcessorCount), AutoMost);

    /// <summary>Waits for a place, then makes a response and sends it.</summary>
    /// <param name="send">Makes it and sends it; what it says of that is handed on.</param>
    /// <param name="cancel">Ends the wait.</param>
    public async Task<T> RunAsync<T>(Func<Task<T>> send, CancellationToken cancel)
    {
        await _places.WaitAsync(cancel);
        Task<T> sending;
        try
        {
            sending = send();
            if (!sending.IsCompleted) await Task.WhenAny(sending, Task.Delay(Patience, cancel));
        }
        finally
        {
            _places.Release();
        }
        return await sending;
    }
}
