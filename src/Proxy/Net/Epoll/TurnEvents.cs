using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Lateen.Proxy.Net.Epoll;

/// <summary>
/// What one wait brought: events, and the bytes of those connections that were read before any handler was called. A request passes through
/// some 60 KB of our code, which is twice what a core's first cache holds, and a read through a dozen of the kernel's: where they take
/// turns, each finds the other's in its place. So a turn reads them all, and then serves them all (measured: 3 to 8 % of a request's CPU).
/// Refused: a buffer a connection (an idle one holds none).
/// </summary>
internal sealed unsafe class TurnEvents : IDisposable
{
    private const int Max = 128;

    /// <summary>Less room is not offered to a connection.</summary>
    public const int RoomLeast = 16 * 1024;

    // The first messages of a full turn; what does not fit is read when it is served.
    private const int Room = 64 * 1024;

    private readonly byte* _events = (byte*)NativeMemory.AllocZeroed((nuint)(Max * Sys.EventSize));
    private readonly byte* _bytes = (byte*)NativeMemory.Alloc(Room);
    private readonly (int At, int Length)[] _arrived = new (int, int)[Max];
    private int _used;

    /// <summary>How many there are.</summary>
    public int Count { get; private set; }

    /// <summary>There may be more in the kernel.</summary>
    public bool IsFull => Count == Max;

    /// <summary>Forgets the last turn's, and waits for new ones at most so long; -1 for ever.</summary>
    public void Wait(int epoll, int millis)
    {
        Array.Clear(_arrived, 0, Count);
        _used = 0;
        // Negative where a signal came.
        Count = Math.Max(0, Sys.EpollWait(epoll, _events, Max, millis));
    }

    /// <summary>Whose event it is.</summary>
    public ulong CookieOf(int index) => Unsafe.ReadUnaligned<ulong>(_events + (index * Sys.EventSize) + Sys.CookieOffset);

    /// <summary>What is ready.</summary>
    public uint ReadinessOf(int index) => Unsafe.ReadUnaligned<uint>(_events + (index * Sys.EventSize));

    /// <summary>Reads for the connection whose event it is, if there is room.</summary>
    public void Receive(int index, EpollTransport transport)
    {
        int room = Room - _used;
        if (room < RoomLeast || !transport.MayReceive(ReadinessOf(index)))
            return;
        int length = transport.Receive(_bytes + _used, room);
        _arrived[index] = (_used, length);
        _used += length;
    }

    /// <summary>What was read for it; empty where it is to read for itself.</summary>
    public ReadOnlySpan<byte> ArrivedOf(int index) => new(_bytes + _arrived[index].At, _arrived[index].Length);

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.Free(_events);
        NativeMemory.Free(_bytes);
    }
}
