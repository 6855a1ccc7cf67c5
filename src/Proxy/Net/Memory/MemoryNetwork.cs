// Memory: the second ground: hosts, loops and connections in one process and one thread under a virtual clock, with the semantics of TCP
// that a proxy can notice: order within a connection, windows, half-close, reset on unread data, refused and unanswered connects, and
// redirection with the original address kept. One seeded Chance decides every delay, split and fault, so the same seed gives the same
// history, and a failing history can be told by its seed.
// The network owns the clock and the queue of what is under way; each loop owns its connections. Time moves only when nothing is left to do
// at this instant.
// Nothing here reads the machine's clock, blocks, or is safe to call from a second thread. Refused: running real sockets with a scaled
// clock (not deterministic), a loss model with retransmission (a proxy sees lost segments as delay, which is what Delay makes).
namespace Lateen.Proxy.Net.Memory;

/// <summary>What goes wrong, in thousandths; all zero is a perfect network.</summary>
public sealed record MemoryFaults
{
    /// <summary>How many segments of a thousand are late; what is behind them on the same connection waits and arrives together with
    /// them.</summary>
    public uint DelayPerMille { get; init; }

    /// <summary>The most by which a segment is late.</summary>
    public long DelayMaxMicros { get; init; } = 50_000;

    /// <summary>How many segments of a thousand are cut into small pieces that arrive one by one.</summary>
    public uint SplitPerMille { get; init; }

    /// <summary>How many segments of a thousand break their connection (both ends are reset).</summary>
    public uint ResetPerMille { get; init; }
}

/// <summary>A simulated network with its clock. See the head of this file.</summary>
public sealed class MemoryNetwork
{
    // A turn that makes work for the same instant this often is a loop without end.
    private const int RoundsMax = 100_000;

    private readonly PriorityQueue<Packet, (long At, long Order)> _underWay = new();
    private readonly Dictionary<UInt128, MemoryHost> _hosts = [];
    private readonly List<MemoryLoop> _loops = [];
    private readonly Queue<MemoryLoop> _active = new();
    private readonly HashSet<(MemoryHost, MemoryHost)> _cut = [];
    private readonly List<Packet> _held = [];
    private long _order;
    private long _number;

    /// <summary>A network whose every accident follows from <paramref name="seed"/>.</summary>
    public MemoryNetwork(ulong seed, MemoryFaults? faults = null)
    {
        Chance = new Chance(seed);
        Faults = faults ?? new MemoryFaults();
    }

    /// <summary>The virtual clock in microseconds; it begins at one second.</summary>
    public long Now { get; private set; } = 1_000_000;

    /// <summary>What <see cref="EventLoop.WallClock"/> showed when <see cref="Now"/> was 0: 2026-01-01.</summary>
    public long WallClockAtZero { get; set; } = 1_767_225_600_000_000;

    /// <summary>The source of every accident.</summary>
    public Chance Chance { get; }

    /// <summary>What goes wrong; may be changed at any time.</summary>
    public MemoryFaults Faults { get; set; }

    /// <summary>One way between two hosts.</summary>
    public long LatencyMicros { get; set; } = 100;

    /// <summary>One way within a host.</summary>
    public long LoopbackMicros { get; set; } = 10;

    /// <summary>Adds a host with one address (more with <see cref="MemoryHost.AddAddress"/>).</summary>
    public MemoryHost AddHost(string name, Address ip)
    {
        var host = new MemoryHost(this, name, ip);
        Own(host, ip);
        return host;
    }

    /// <summary>Cuts two hosts off from each other: what is sent waits until <see cref="Heal"/>.</summary>
    public void Partition(MemoryHost a, MemoryHost b)
    {
        _cut.Add((a, b));
        _cut.Add((b, a));
    }

    /// <summary>Joins two hosts again; what waited arrives.</summary>
    public void Heal(MemoryHost a, MemoryHost b)
    {
        _cut.Remove((a, b));
        _cut.Remove((b, a));
        List<Packet> free = _held.FindAll(p => !_cut.Contains((p.From, p.To)));
        _held.RemoveAll(p => !_cut.Contains((p.From, p.To)));
        foreach (Packet packet in free)
            Enqueue(packet, Now + LatencyMicros);
    }

    /// <summary>Lets <paramref name="micros"/> of virtual time pass.</summary>
    public void Advance(long micros) => RunUntil(static () => false, micros);

    /// <summary>
    /// Runs until <paramref name="condition"/> holds (asked after each instant), or <paramref name="maxVirtualMicros"/> have passed. True
    /// where it holds. When nothing is under way and nothing armed, time jumps to the end.
    /// </summary>
    public bool RunUntil(Func<bool> condition, long maxVirtualMicros)
    {
        long end = Now + maxVirtualMicros;
        while (true)
        {
            RunInstant();
            if (condition())
                return true;
            // The condition may itself have made work for this instant.
            if (_active.Count != 0)
                continue;
            long next = NextInstant();
            if (next > end)
                break;
            Now = Math.Max(Now, next);
        }
        Now = end;
        return condition();
    }

    private long NextInstant()
    {
        long next = _underWay.TryPeek(out _, out (long At, long Order) due) ? due.At : long.MaxValue;
        foreach (MemoryLoop loop in _loops)
            next = Math.Min(next, loop.NextDeadline);
        return next;
    }

    private void RunInstant()
    {
        while (_underWay.TryPeek(out _, out (long At, long Order) due) && due.At <= Now)
            Arrive(_underWay.Dequeue());
        foreach (MemoryLoop loop in _loops)
        {
            if (loop.NextDeadline <= Now)
                Activate(loop);
        }
        int rounds = 0;
        while (_active.TryDequeue(out MemoryLoop? loop))
        {
            loop.IsActive = false;
            loop.Turn();
            if (++rounds > RoundsMax)
                throw new InvariantException($"the loops make work for each other without end at {Now} us");
        }
    }

    private void Arrive(Packet packet)
    {
        if (_cut.Contains((packet.From, packet.To)))
            _held.Add(packet);
        else
            packet.Arrive();
    }

    /// <summary>Sends: the packet arrives one latency later, but not before <paramref name="notBefore"/>, plus what the faults add. Returns
    /// the time.</summary>
    internal long Send(Packet packet, long notBefore)
    {
        long at = Math.Max(notBefore, Now + (packet.From == packet.To ? LoopbackMicros : LatencyMicros));
        if (Chance.Hits(Faults.DelayPerMille, 1000))
            at += Chance.Below((uint)Math.Max(1, Faults.DelayMaxMicros));
        Enqueue(packet, at);
        return at;
    }

    private void Enqueue(Packet packet, long at) => _underWay.Enqueue(packet, (at, _order++));

    /// <summary>It has work at this instant.</summary>
    internal void Activate(MemoryLoop loop)
    {
        if (loop.IsActive)
            return;
        loop.IsActive = true;
        _active.Enqueue(loop);
    }

    /// <summary>Counts what is made, for an order that does not depend on hashes.</summary>
    internal long NextNumber() => ++_number;

    internal void Add(MemoryLoop loop) => _loops.Add(loop);

    internal void Remove(MemoryLoop loop) => _loops.Remove(loop);

    internal void Own(MemoryHost host, in Address ip) => _hosts[ip.Ip] = host;

    internal MemoryHost? HostOf(in Address address) => _hosts.GetValueOrDefault(address.Ip);
}

/// <summary>Something under way between two hosts (or within one).</summary>
internal abstract class Packet(MemoryHost from, MemoryHost to)
{
    public MemoryHost From { get; } = from;

    public MemoryHost To { get; } = to;

    public abstract void Arrive();
}
