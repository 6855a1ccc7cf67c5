
namespace Lateen.Proxy.Net.Epoll;

// Chapter of EpollTransport: what goes out, now or when the kernel takes it again, and the end.
internal sealed unsafe partial class EpollTransport
{
    /// <inheritdoc/>
    public override void Send(ReadOnlySpan<byte> bytes)
    {
        if (IsClosed || Has(State.EndRequested) || bytes.IsEmpty)
            return;
        BytesOut += bytes.Length;
        if (bytes.Length >= DirectBytes && _output.Length == 0 && !Has(State.Blocked | State.Connecting))
            bytes = bytes[SendNow(bytes)..];
        if (Descriptor < 0)
            return;
        _output.Append(bytes, _loop.Chunks);
        if (_output.Length >= GatherBytes)
            Drain();
        if (_loop.Waiting.IsAbove(_output.Length, HighWatermark))
            _state |= State.AboveWatermark;
        MarkDirty();
    }

    /// <inheritdoc/>
    public override void Send(ReadOnlySpan<byte> head, ReadOnlySpan<byte> rest)
    {
        if (rest.Length >= DirectBytes || _output.Length + head.Length + rest.Length >= GatherBytes || IsClosed || Has(State.EndRequested))
        {
            Send(head);
            Send(rest);
            return;
        }
        BytesOut += head.Length + rest.Length;
        _output.Append(head, _loop.Chunks);
        _output.Append(rest, _loop.Chunks);
        if (_loop.Waiting.IsAbove(_output.Length, HighWatermark))
            _state |= State.AboveWatermark;
        MarkDirty();
    }

    private int SendNow(ReadOnlySpan<byte> bytes)
    {
        fixed (byte* start = bytes)
            return (int)Sent(Sys.Send(Descriptor, start, bytes.Length, Sys.MsgNoSignal));
    }

    private nint Sent(nint count)
    {
        if (count >= 0)
            return count;
        int error = Sys.Errno;
        if (error is Sys.EAgain or Sys.ENoBufs or Sys.EIntr)
            _state |= State.Blocked;
        else
            End(Sockets.ReasonOf(error));
        return 0;
    }

    private void MarkDirty()
    {
        if (Has(State.Dirty))
            return;
        _state |= State.Dirty;
        _loop.AddDirty(this);
    }

    /// <summary>Gives the kernel what it takes.</summary>
    private void Drain()
    {
        while (_output.Length != 0 && !Has(State.Blocked | State.Connecting) && Descriptor >= 0)
        {
            int offered = _output.Length;
            nint count = Sent(_output.Head!.Next is null ? SendChunk(_output.Head) : SendChunks(out offered));
            if (count == 0)
                return;
            // A short write means a full buffer: its edge comes when there is room again.
            if (count < offered)
                _state |= State.Blocked;
            _output.Consume((int)count, _loop.Chunks);
        }
    }

    private nint SendChunk(Chunk chunk) => Sys.Send(Descriptor, chunk.Filled, chunk.Length, Sys.MsgNoSignal);

    private nint SendChunks(out int offered)
    {
        Sys.Vector* vectors = stackalloc Sys.Vector[VectorsMax];
        int count = 0;
        offered = 0;
        for (Chunk? chunk = _output.Head; chunk is not null && count < VectorsMax; chunk = chunk.Next)
        {
            vectors[count++] = new Sys.Vector { Start = chunk.Filled, Length = chunk.Length };
            offered += chunk.Length;
        }
        var message = new Sys.MessageHeader { Vectors = vectors, VectorCount = count };
        return Sys.SendMessage(Descriptor, &message, Sys.MsgNoSignal);
    }

    /// <inheritdoc/>
    public override void Flush()
    {
        if (!IsClosed)
            Drain();
    }

    /// <summary>The loop's part: what was gathered leaves, then what waits for it to have left follows.</summary>
    public void FlushTurn()
    {
        _state &= ~State.Dirty;
        Drain();
        if (Descriptor < 0)
            return;
        if (_output.Length == 0 && !Has(State.Connecting))
        {
            if (Has(State.CloseRequested))
            {
                Finish();
                return;
            }
            SendEnd();
        }
        if (!Has(State.AboveWatermark) || _loop.Waiting.IsAbove(_output.Length * 2, HighWatermark) || IsClosed)
            return;
        _state &= ~State.AboveWatermark;
        Handler.OnWritable(this);
    }

    /// <inheritdoc/>
    public override void EndSend()
    {
        if (IsClosed || Has(State.EndRequested))
            return;
        _state |= State.EndRequested;
        MarkDirty();
    }

    private void SendEnd()
    {
        if (!Has(State.EndRequested) || Has(State.EndSent))
            return;
        _state |= State.EndSent;
        if (Sys.Shutdown(Descriptor, Sys.ShutWrite) != 0)
            End(Sockets.ReasonOf(Sys.Errno));
        else
            EndWhenBothEnded();
    }

    private void EndWhenBothEnded()
    {
        if (Has(State.EndSent) && Has(State.PeerEnded))
            End(CloseReason.Remote);
    }

    // Ending

    /// <inheritdoc/>
    public override void Close(bool abort = false)
    {
        if (Has(State.Closed) || (Has(State.CloseRequested) && !abort))
            return;
        _state |= State.CloseRequested;
        if (abort)
            Reset();
        else if (Has(State.Connecting))
            Finish();
        else
            CloseInOrder();
    }

    private void CloseInOrder()
    {
        Drain();
        if (Descriptor < 0)
            return;
        if (_output.Length == 0)
            Finish();
        else
            WaitAtMost(_loop.Options.CloseMicros);
    }

    private void Finish() => End(Has(State.PeerEnded) ? CloseReason.Remote : CloseReason.Local);

    private void Reset()
    {
        if (Descriptor >= 0)
        {
            // struct linger { on = 1, seconds = 0 }: close() sends RST and drops what is pending (socket(7)).
            ulong linger = BitConverter.IsLittleEndian ? 1UL : 1UL << 32;
            Sys.SetOption(Descriptor, Sys.SolSocket, Sys.SoLinger, &linger, sizeof(ulong));
        }
        End(CloseReason.Local);
    }

    /// <summary>The socket goes now; its handler hears at the end of the turn.</summary>
    private void End(CloseReason reason)
    {
        if (Has(State.Closed))
            return;
        _state |= State.Closed;
        // What happens to a connection that we have closed is still our closing.
        _reason = Has(State.CloseRequested) && reason != CloseReason.Remote ? CloseReason.Local : reason;
        _patience?.Stop(_loop);
        _output.Clear(_loop.Chunks);
        _held = null;
        _loop.Release(this);
        _loop.AddEnded(this);
        if (Has(State.LetIn))
            _loop.Age.Intake.OnLeft();
    }

    /// <summary>The loop's part: the end is told, once.</summary>
    public void TellClosed()
    {
        if (Has(State.Told))
            return;
        _state |= State.Told;
        Handler.OnClosed(this, _reason);
    }

    /// <inheritdoc/>
    public void Abandon()
    {
        if (!Has(State.Closed))
            Close(abort: true);
    }

    private void WaitAtMost(long micros) => _loop.Arm(_patience ??= new Patience(this), micros);

    /// <summary>Ends a connect, or a close with pending bytes, that takes too long.</summary>
    private sealed class Patience(EpollTransport transport) : Deadline
    {
        public void Stop(EpollLoop loop) => loop.Disarm(this);

        protected internal override void OnDue(long now)
        {
            if (transport.Has(State.CloseRequested))
                transport.Reset();
            else
                transport.End(CloseReason.Timeout);
        }
    }
}
