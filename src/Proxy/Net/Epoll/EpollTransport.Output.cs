
namespace Lateen.Proxy.Net.Epoll;

// Chapter of EpollTransport: what goes out, now or when the kernel takes it again.
internal sealed unsafe partial class EpollTransport
{
    /// <inheritdoc/>
    public override void Send(ReadOnlySpan<byte> bytes)
    {
        if (IsClosed || Has(State.EndRequested) || bytes.IsEmpty)
            return;
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
}
