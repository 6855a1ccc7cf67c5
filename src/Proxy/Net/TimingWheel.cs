using System.Numerics;

namespace Lateen.Proxy.Net;

/// <summary>
/// Deadlines in a hashed hierarchical timing wheel (Varghese and Lauck): 1 ms steps, 256 slots of one step, then four levels of 64 slots,
/// each 64 times coarser (256 ms, 16 s, 17 min, 19 h; what is later than 50 days waits in the last level again). Arming and disarming link
/// and unlink, and allocate nothing.
/// </summary>
internal sealed class TimingWheel
{
    /// <summary>Microseconds of one step.</summary>
    public const long Step = 1000;

    private const int Fine = 256, Coarse = 64, FineBits = 8, CoarseBits = 6, Levels = 5;
    private const long Reach = 1L << (FineBits + (CoarseBits * (Levels - 1)));

    private readonly Deadline?[] _heads = new Deadline?[Fine + (Coarse * (Levels - 1))];
    private readonly Deadline?[] _tails = new Deadline?[Fine + (Coarse * (Levels - 1))];
    private readonly ulong[] _filled = new ulong[(Fine / 64) + Levels - 1];
    private long _tick;

    public TimingWheel(long now) => _tick = now / Step;

    /// <summary>Arms or moves <paramref name="deadline"/> to the first step at or after <paramref name="dueAt"/>, but not to the current
    /// one.</summary>
    public void Arm(Deadline deadline, long dueAt)
    {
        Disarm(deadline);
        deadline.DueAt = Math.Max(dueAt, 1);
        Place(deadline, Math.Max(TickOf(dueAt), _tick + 1));
    }

    /// <summary>Disarms it; harmless when it is not armed.</summary>
    public void Disarm(Deadline deadline)
    {
        if (deadline.Slot < 0)
            return;
        Unlink(deadline);
        deadline.DueAt = 0;
    }

    /// <summary>The time of the next step with work, or <see cref="long.MaxValue"/>. It may be a mere move between levels, so nothing need
    /// be due then.</summary>
    public long NextAt => NextTick() is var tick && tick == long.MaxValue ? tick : tick * Step;

    /// <summary>How many deadlines are armed, counted one by one: for tests.</summary>
    public int Count()
    {
        int count = 0;
        foreach (Deadline? head in _heads)
        {
            for (Deadline? deadline = head; deadline is not null; deadline = deadline.Next)
                count++;
        }
        return count;
    }

    /// <summary>Calls everything that is due up to <paramref name="now"/>, in order of time.</summary>
    public void Advance(long now)
    {
        long target = now / Step;
        // Nothing is ever armed for the current step: what is here was left when a deadline's owner threw.
        Expire(now);
        while (_tick < target)
        {
            long next = NextTick();
            if (next > target)
            {
                _tick = target;
                return;
            }
            _tick = next;
            for (int level = Levels - 1; level > 0; level--)
                Cascade(level);
            Expire(now);
        }
    }

    private static long TickOf(long micros) => (micros + Step - 1) / Step;

    private static int ShiftOf(int level) => level == 0 ? 0 : FineBits + (CoarseBits * (level - 1));

    private static int FirstSlot(int level) => level == 0 ? 0 : Fine + (Coarse * (level - 1));

    private void Place(Deadline deadline, long due)
    {
        long ahead = due - _tick;
        // Beyond the wheel's reach it waits in the last level and is placed again from there.
        if (ahead >= Reach)
            due = _tick + Reach - 1;
        int level = 0;
        while (level < Levels - 1 && ahead >= 1L << (FineBits + (CoarseBits * level)))
            level++;
        int slot = level == 0 ? (int)(due & (Fine - 1)) : FirstSlot(level) + (int)((due >> ShiftOf(level)) & (Coarse - 1));
        Link(deadline, slot);
    }

    private void Link(Deadline deadline, int slot)
    {
        Deadline? last = _tails[slot];
        deadline.Slot = slot;
        deadline.Previous = last;
        deadline.Next = null;
        if (last is null)
        {
            _heads[slot] = deadline;
            _filled[slot >> 6] |= 1UL << (slot & 63);
        }
        else
        {
            last.Next = deadline;
        }
        _tails[slot] = deadline;
    }

    private void Unlink(Deadline deadline)
    {
        int slot = deadline.Slot;
        if (deadline.Previous is { } before)
            before.Next = deadline.Next;
        else
            _heads[slot] = deadline.Next;
        if (deadline.Next is { } after)
            after.Previous = deadline.Previous;
        else
            _tails[slot] = deadline.Previous;
        if (_heads[slot] is null)
            _filled[slot >> 6] &= ~(1UL << (slot & 63));
        deadline.Next = deadline.Previous = null;
        deadline.Slot = -1;
    }

    private void Cascade(int level)
    {
        int shift = ShiftOf(level);
        if ((_tick & ((1L << shift) - 1)) != 0)
            return;
        int slot = FirstSlot(level) + (int)((_tick >> shift) & (Coarse - 1));
        // Detached first: what is beyond the reach may land in this very slot again.
        Deadline? next = _heads[slot];
        _heads[slot] = _tails[slot] = null;
        _filled[slot >> 6] &= ~(1UL << (slot & 63));
        while (next is { } deadline)
        {
            next = deadline.Next;
            Place(deadline, Math.Max(TickOf(deadline.DueAt), _tick));
        }
    }

    private void Expire(long now)
    {
        int slot = (int)(_tick & (Fine - 1));
        while (_heads[slot] is { } deadline)
        {
            Unlink(deadline);
            deadline.DueAt = 0;
            deadline.OnDue(now);
        }
    }

    private long NextTick()
    {
        long next = long.MaxValue;
        int from = (int)(_tick & (Fine - 1));
        for (int word = 0; word < Fine / 64; word++)
        {
            int start = (from + 1 + (word * 64)) & (Fine - 1);
            ulong bits = _filled[start >> 6] >> (start & 63);
            if ((start & 63) != 0)
                bits |= _filled[((start >> 6) + 1) & 3] << (64 - (start & 63));
            if (bits != 0)
            {
                next = _tick + 1 + (word * 64) + BitOperations.TrailingZeroCount(bits);
                break;
            }
        }
        for (int level = 1; level < Levels; level++)
        {
            ulong bits = _filled[(Fine / 64) + level - 1];
            if (bits == 0)
                continue;
            int shift = ShiftOf(level);
            long at = _tick >> shift;
            // Rotated so that bit 0 is the slot after the current one; the current one comes round last.
            int distance = 1 + BitOperations.TrailingZeroCount(BitOperations.RotateRight(bits, (int)((at + 1) & 63)));
            next = Math.Min(next, (at + distance) << shift);
        }
        return next;
    }
}
