namespace Lateen.ControlPlane.Grpc;

/// <summary>Room for long messages on their way in: few have it at a time, over all connections.</summary>
/// <remarks>
/// A thousand proxies that come back at once tell all that they hold. Whoever has no room is not read from: what it says waits in its own memory and in the kernel's. Who has room and
/// says nothing holds the others up for a moment only: when nobody has left for a while, the next one goes in all the same.
/// </remarks>
/// <param name="count">How many have room.</param>
/// <param name="patience">How long nobody may leave.</param>
#pragma warning disable CA1001 // the semaphore has no handle behind it as it is used here: there is nothing to free
internal sealed class MessageRoom(int count, TimeSpan patience)
#pragma warning restore CA1001
{
    /// <summary>That of this process: messages of the largest meshes have a megabyte.</summary>
    public static MessageRoom OfProcess { get; } = new(8, TimeSpan.FromSeconds(1));

    private readonly SemaphoreSlim _free = new(count, count);
    private long _left;

    /// <summary>Waits for room.</summary>
    /// <returns>Whether <see cref="Leave"/> is to be called.</returns>
    public async ValueTask<bool> EnterAsync(CancellationToken cancel)
    {
        for (long before = Interlocked.Read(ref _left); !await _free.WaitAsync(patience, cancel);)
        {
            long now = Interlocked.Read(ref _left);
            if (now == before) return false;
            before = now;
        }
        return true;
    }

    /// <summary>Somebody else may enter.</summary>
    public void Leave()
    {
        Interlocked.Increment(ref _left);
        _free.Release();
    }
}
