using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Exchanges.Heads;

/// <summary>Clocks that overload shortens.</summary>
public enum OverloadTimer : byte
{
    ConnectionIdle,
    StreamIdle,
    Handshake,
}

/// <summary>How far a clock may be shortened.</summary>
/// <param name="MinMicros">To so much, in microseconds; 0 where <paramref name="MinShare"/> says it.</param>
/// <param name="MinShare">To this share of what is configured.</param>
public readonly record struct TimerScale(long MinMicros, double MinShare);

/// <summary>
/// What the overload manager wants of connections: written by the main loop, read by workers. States go from 0 (nothing) to
/// <see cref="Whole"/>.
/// Which requests go first under pressure may be told by a header of ours (criticality): <c>sheddable</c> ones go before the middle of the
/// state, others behind it, <c>critical</c> ones at its end.
/// </summary>
public sealed class OverloadSwitches
{
    /// <summary>A state in full.</summary>
    public const int Whole = 10_000;

    private readonly TimerScale[] _scales = new TimerScale[3];
    private volatile bool _end, _isActive;
    private volatile int _stop, _shed, _reject, _reduce;
    private volatile byte[]? _criticality;
    private long _connectionsMax;

    /// <summary>Switches that nobody moves.</summary>
    public static OverloadSwitches None { get; } = new();

    /// <summary>Connections end with the answer under way.</summary>
    public bool EndConnections
    {
        get => _end;
        set => _end = value;
    }

    /// <summary>A share of new requests is answered at once that we are overloaded.</summary>
    public int StopRequests
    {
        get => _stop;
        set
        {
            _stop = value;
            _isActive = _stop + _shed > 0;
        }
    }

    /// <summary>A share of new requests is answered so (load shedding).</summary>
    public int ShedRequests
    {
        get => _shed;
        set
        {
            _shed = value;
            _isActive = _stop + _shed > 0;
        }
    }

    /// <summary>A share of new connections is closed at once.</summary>
    public int RejectConnections
    {
        get => _reject;
        set => _reject = value;
    }

    /// <summary>How far clocks are shortened.</summary>
    public int ReduceTimeouts
    {
        get => _reduce;
        set => _reduce = value;
    }

    /// <summary>Connections of clients at most, over all listeners; 0 for any number.</summary>
    public long ConnectionsMax
    {
        get => Volatile.Read(ref _connectionsMax);
        set => Volatile.Write(ref _connectionsMax, value);
    }

    /// <summary>The header that tells a request's criticality, in lower case; null where none does.</summary>
    public byte[]? CriticalityHeader
    {
        get => _criticality;
        set => _criticality = value;
    }

    /// <summary>Counts requests that were shed; null for no counter.</summary>
    public Counter? Shed { get; set; }

    /// <summary>Says how far a clock may be shortened; before workers run.</summary>
    public void Scale(OverloadTimer timer, TimerScale scale) => _scales[(int)timer] = scale;

    /// <summary>What a clock is armed with now: between what is configured and its minimum, by the state.</summary>
    public long Micros(OverloadTimer timer, long configured)
    {
        int state = _reduce;
        if (state == 0 || configured <= 0)
            return configured;
        TimerScale scale = _scales[(int)timer];
        if (scale == default)
            return configured;
        long least = scale.MinMicros > 0 ? Math.Min(scale.MinMicros, configured) : (long)(configured * scale.MinShare);
        return Math.Max(1, configured - ((configured - least) * state / Whole));
    }

    /// <summary>True where a request is to be refused.</summary>
    public bool Refuses(HeaderMap head, Worker worker)
    {
        if (!_isActive)
            return false;
        int stop = _stop, shed = _shed;
        if (_criticality is { } name)
            (stop, shed) = ByCriticality(head.TryGet(name, out ReadOnlySpan<byte> criticality) ? criticality : default, stop, shed);
        int share = Math.Max(stop, shed);
        if (share == 0 || (share < Whole && worker.Loop.Chance.NextULong() % Whole >= (ulong)share))
            return false;
        if (shed >= stop)
            Shed?.Count(worker);
        return true;
    }

    // The lower half of a state is borne by who can be shed, the upper half by everybody else, its end by all.
    private static (int Stop, int Shed) ByCriticality(ReadOnlySpan<byte> criticality, int stop, int shed)
    {
        static int Low(int state) => Math.Min(Whole, state * 2);
        static int High(int state) => Math.Max(0, (state * 2) - Whole);
        if (criticality.SequenceEqual("sheddable"u8))
            return (Low(stop), Low(shed));
        return criticality.SequenceEqual("critical"u8) ? (stop == Whole ? Whole : 0, shed == Whole ? Whole : 0) : (High(stop), High(shed));
    }
}
