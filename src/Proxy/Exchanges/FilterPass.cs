using System.Numerics;
using Lateen.Proxy.Formats;

namespace Lateen.Proxy.Exchanges;

/// <summary>
/// One direction through the filters: shows head, body parts and trailers to each filter that wants them, and keeps what a filter holds
/// back. Each filter holds for itself, so that an early one may buffer while a later one waits. Order: requests upwards, responses
/// downwards.
/// </summary>
public abstract class FilterPass
{
    private readonly Exchange _exchange;
    private readonly FilterSlot[] _slots;
    private readonly Hold?[] _holds;
    private readonly ulong _wantHead, _wantBody, _wantTrailers;
    private ulong _active, _stopped, _relayed;
    private ByteBuffer? _added;
    private int _addedBy = -1, _endedBy = -1;
    private bool _aborted;

    private protected FilterPass(Exchange exchange, FilterSlot[] slots, ulong wantHead, ulong wantBody, ulong wantTrailers)
    {
        _exchange = exchange;
        _slots = slots;
        _holds = new Hold?[slots.Length];
        _wantHead = wantHead;
        _wantBody = wantBody;
        _wantTrailers = wantTrailers;
    }

    private sealed class Hold
    {
        public ByteBuffer Body = new(0), Leaving = new(0);
        public bool HasHead, HeadEnds, Buffering, Ended, HasTrailers;

        // What of the body the filter has been shown already.
        public int Seen;

        public void Clear()
        {
            Body.Clear();
            HasHead = HeadEnds = Buffering = Ended = HasTrailers = false;
            Seen = 0;
        }

        // What is let go is read from another buffer than the one into which the filter may hold again meanwhile.
        public ReadOnlySpan<byte> Release()
        {
            (Body, Leaving) = (Leaving, Body);
            Clear();
            return Leaving.Written;
        }
    }

    /// <summary>The exchange.</summary>
    protected Exchange Exchange => _exchange;

    /// <summary>The slots.</summary>
    protected FilterSlot[] Slots => _slots;

    /// <summary>True while some filter holds something back; one that sends a body of its own does not.</summary>
    public bool IsHeld => (_stopped & ~_relayed) != 0;

    /// <summary>Begins for a new exchange with the filters that are on.</summary>
    internal void Begin(ulong active)
    {
        _active = active;
        _relayed = 0;
        _aborted = false;
        _addedBy = _endedBy = -1;
    }

    /// <summary>Forgets everything; nothing more goes through.</summary>
    internal void Abort()
    {
        _aborted = true;
        for (; _stopped != 0; _stopped &= _stopped - 1)
            _holds[BitOperations.TrailingZeroCount(_stopped)]!.Clear();
    }

    /// <summary>The body that a filter holds.</summary>
    internal ReadOnlySpan<byte> HeldBody(int filter) =>
        _holds[filter] is { } hold && (_stopped >> filter & 1) != 0 ? hold.Body.Written : default;

    /// <summary>Shows the head to the filters from one on.</summary>
    internal void RunHead(int from, bool end)
    {
        for (int i = Next(_wantHead & _active, from); i >= 0; i = Next(_wantHead & _active, Step(i)))
        {
            FilterVerdict verdict = CallHead(_slots[i], end);
            if (_aborted)
                return;
            if (verdict == FilterVerdict.Continue && _addedBy == i && end)
            {
                GoOnWithAddedBody(i);
                return;
            }
            if (verdict == FilterVerdict.Continue)
                continue;
            Hold hold = HoldOf(i, verdict);
            hold.HasHead = true;
            hold.HeadEnds = end;
            return;
        }
        FinishHead(end);
    }

    /// <summary>Shows a part of the body to the filters from one on.</summary>
    internal void RunBody(int from, ReadOnlySpan<byte> body, bool end)
    {
        for (int i = Next((_wantBody & _active) | _stopped, from); i >= 0; i = Next((_wantBody & _active) | _stopped, Step(i)))
        {
            bool stopped = (_stopped >> i & 1) != 0;
            Hold? hold = stopped ? _holds[i] : null;
            if (hold is { Buffering: false } || (_wantBody >> i & 1) == 0)
            {
                Keep(i, body, end, hold is { Buffering: true } && !end);
                return;
            }
            FilterVerdict verdict = CallBody(_slots[i], ref body, end);
            if (_aborted)
                return;
            if (verdict == FilterVerdict.Continue && (_stopped >> i & 1) == 0)
                continue;
            if (verdict != FilterVerdict.Continue)
                HoldOf(i, verdict);
            Keep(i, body, end, verdict == FilterVerdict.Buffer);
            if (_aborted)
                return;
            _holds[i]!.Seen = _holds[i]!.Body.Length;
            if (verdict == FilterVerdict.Continue)
                Resume(i);
            return;
        }
        FinishBody(body, end);
    }

    /// <summary>Shows the trailers to the filters from one on.</summary>
    internal void RunTrailers(int from)
    {
        for (int i = Next((_wantTrailers & _active) | _stopped, from); i >= 0; i = Next((_wantTrailers & _active) | _stopped, Step(i)))
        {
            bool stopped = (_stopped >> i & 1) != 0, wanted = ((_wantTrailers & _active) >> i & 1) != 0;
            if (stopped && !_holds[i]!.Buffering)
            {
                _holds[i]!.HasTrailers = true;
                return;
            }
            // A filter that buffers the body but asks for no trailers has had its last part: trailers end the body.
            FilterVerdict verdict = wanted ? CallTrailers(_slots[i]) : FilterVerdict.Continue;
            if (_aborted)
                return;
            if (_endedBy == i)
            {
                _endedBy = -1;
                RunBody(Step(i), _added!.Written, end: true);
                return;
            }
            if (verdict == FilterVerdict.Continue && (_stopped >> i & 1) == 0)
                continue;
            Hold hold = verdict == FilterVerdict.Continue ? _holds[i]! : HoldOf(i, verdict);
            hold.HasTrailers = true;
            if (verdict == FilterVerdict.Continue)
                Resume(i);
            return;
        }
        FinishTrailers();
    }

    private void GoOnWithAddedBody(int filter)
    {
        _addedBy = -1;
        RunHead(Step(filter), end: false);
        if (!_aborted)
            RunBody(Step(filter), _added!.Written, end: true);
    }

    /// <summary>Puts other bytes in the place of the body that a filter holds; a head that had none gets it.</summary>
    internal void ReplaceHeld(int filter, ReadOnlySpan<byte> body)
    {
        if ((_stopped >> filter & 1) == 0)
            return;
        Hold hold = _holds[filter]!;
        hold.Body.Clear();
        hold.Body.Append(body);
        hold.Seen = body.Length;
        if (!hold.HeadEnds || body.IsEmpty)
            return;
        hold.HeadEnds = false;
        hold.Ended = true;
    }

    /// <summary>Puts other bytes in the place of what a filter was shown of the body that it holds; what came behind stays, and is shown to
    /// it.</summary>
    internal void ReplaceShown(int filter, ReadOnlySpan<byte> body)
    {
        if ((_stopped >> filter & 1) == 0)
            return;
        Hold hold = _holds[filter]!;
        byte[] behind = hold.Body.Written[Math.Min(hold.Seen, hold.Body.Length)..].ToArray();
        hold.Body.Clear();
        hold.Body.Append(body);
        hold.Body.Append(behind);
        hold.Seen = body.Length;
    }

    /// <summary>True where trailers wait behind what a filter holds.</summary>
    internal bool HoldsTrailers(int filter) => (_stopped >> filter & 1) != 0 && _holds[filter]!.HasTrailers;

    /// <summary>
    /// True where a filter that buffers may not take another part. A message that comes as one part with its end is let go whatever its
    /// length (as Envoy does); HTTP/1 tells the end behind the last part, so that there the limit holds for it, too.
    /// </summary>
    internal bool Overflows(int filter, int more, bool end)
    {
        int held = HeldBody(filter).Length;
        return held + more > _exchange.BufferLimit && (!end || held > 0 || (EndsApart && more > 0));
    }

    /// <summary>The end of a message comes by itself, behind its last part.</summary>
    private protected abstract bool EndsApart { get; }

    /// <summary>What a filter stopped is buffered from now on.</summary>
    internal void BufferFromNow(int filter)
    {
        if ((_stopped >> filter & 1) != 0)
            _holds[filter]!.Buffering = true;
    }

    /// <summary>Bytes behind the body, ahead of the trailers that a filter is being shown.</summary>
    internal void InsertBody(int filter, ReadOnlySpan<byte> body)
    {
        if (!body.IsEmpty)
            RunBody(Step(filter), body, end: false);
    }

    /// <summary>Bytes in the place of the trailers that a filter is being shown.</summary>
    internal void EndWith(int filter, ReadOnlySpan<byte> body)
    {
        AddBody(filter, body);
        (_addedBy, _endedBy) = (-1, filter);
    }

    /// <summary>The head that a filter holds goes on; the filter drops what it holds of the body, keeps what follows, and sends what it
    /// likes by <see cref="Inject"/>.</summary>
    internal void ReleaseHead(int filter)
    {
        if (_aborted || (_stopped >> filter & 1) == 0 || _holds[filter] is not { HasHead: true } hold)
            return;
        _relayed |= 1ul << filter;
        hold.HasHead = hold.Ended = false;
        hold.Body.Clear();
        hold.Seen = 0;
        RunHead(Step(filter), end: false);
    }

    /// <summary>Bytes of a filter's own in the place of those that it holds for good; with the end it holds nothing any more.</summary>
    internal void Inject(int filter, ReadOnlySpan<byte> body, bool end)
    {
        if (_aborted || (_stopped >> filter & 1) == 0)
            return;
        _relayed |= 1ul << filter;
        if (end)
        {
            _stopped &= ~(1ul << filter);
            _holds[filter]!.Clear();
        }
        if (end || !body.IsEmpty)
            RunBody(Step(filter), body, end);
        if (end && !_aborted)
            OnRelieved();
    }

    /// <summary>A body for a message that has none, from within a filter's call for its head.</summary>
    internal void AddBody(int filter, ReadOnlySpan<byte> body)
    {
        (_added ??= new ByteBuffer()).Clear();
        _added.Append(body);
        _addedBy = filter;
    }

    /// <summary>Lets go what a filter held.</summary>
    internal void Resume(int filter)
    {
        if (_aborted || (_stopped >> filter & 1) == 0)
            return;
        Hold hold = _holds[filter]!;
        _stopped &= ~(1ul << filter);
        bool hasHead = hold.HasHead, headEnds = hold.HeadEnds, ended = hold.Ended, hasTrailers = hold.HasTrailers,
            buffering = hold.Buffering;
        int seen = Math.Min(hold.Seen, hold.Body.Length);
        ReadOnlySpan<byte> body = hold.Release();
        if (hasHead)
            RunHead(Step(filter), headEnds);
        if (!_aborted && seen > 0)
            RunBody(Step(filter), body[..seen], ended && seen == body.Length);
        if (!_aborted && seen < body.Length)
            RunBody(filter, body[seen..], ended);
        else if (!_aborted && body.IsEmpty && ended)
            RunBody(buffering ? Step(filter) : filter, default, true);
        if (!_aborted && hasTrailers)
            RunTrailers(Step(filter));
        if (!_aborted)
            OnRelieved();
    }

    private Hold HoldOf(int filter, FilterVerdict verdict)
    {
        Hold hold = _holds[filter] ??= new Hold();
        if ((_stopped >> filter & 1) == 0)
            hold.Clear();
        hold.Buffering = verdict == FilterVerdict.Buffer;
        _stopped |= 1ul << filter;
        return hold;
    }

    private void Keep(int filter, ReadOnlySpan<byte> body, bool end, bool buffering)
    {
        Hold hold = _holds[filter]!;
        hold.Body.Append(body);
        hold.Ended |= end;
        if (hold.Body.Length > _exchange.BufferLimit)
            OnOverLimit(buffering);
    }

    /// <summary>The next filter of a mask at or behind a place; -1 for none.</summary>
    private protected abstract int Next(ulong mask, int from);

    /// <summary>The place behind a filter.</summary>
    private protected abstract int Step(int filter);

    private protected abstract FilterVerdict CallHead(FilterSlot slot, bool end);

    private protected abstract FilterVerdict CallBody(FilterSlot slot, ref ReadOnlySpan<byte> body, bool end);

    private protected abstract FilterVerdict CallTrailers(FilterSlot slot);

    private protected abstract void FinishHead(bool end);

    private protected abstract void FinishBody(ReadOnlySpan<byte> body, bool end);

    private protected abstract void FinishTrailers();

    private protected abstract void OnOverLimit(bool buffering);

    private protected abstract void OnRelieved();
}
