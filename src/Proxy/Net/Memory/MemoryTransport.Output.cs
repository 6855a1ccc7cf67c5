
namespace Lateen.Proxy.Net.Memory;

// Chapter of MemoryTransport: what goes out, segment by segment.
internal sealed partial class MemoryTransport
{
    /// <inheritdoc/>
    public override void Send(ReadOnlySpan<byte> bytes)
    {
        if (IsClosed || _endRequested || bytes.IsEmpty)
            return;
        BytesOut += bytes.Length;
        _output.Append(bytes, _loop.Chunks);
        if (_output.Length >= 4 * SegmentMax)
            Drain();
        if (_loop.Waiting.IsAbove(_output.Length, HighWatermark))
            _above = true;
        MarkDirty();
    }

    private void MarkDirty()
    {
        if (_dirty)
            return;
        _dirty = true;
        _loop.AddDirty(this);
    }

    private unsafe void Drain()
    {
        while (!_connecting && !_closed && _output.Head is { Length: > 0 } chunk && _inFlight < Window)
        {
            int count = Math.Min(chunk.Length, Math.Min(SegmentMax, Window - _inFlight));
            MemoryNetwork network = _loop.Network;
            if (network.Chance.Hits(network.Faults.SplitPerMille, 1000))
                count = 1 + (int)network.Chance.Below((uint)Math.Min(count, 64));
            if (network.Chance.Hits(network.Faults.ResetPerMille, 1000))
            {
                Break();
                return;
            }
            Transmit(new Segment(_loop.Host, _other!._loop.Host, _other, new ReadOnlySpan<byte>(chunk.Filled, count).ToArray()));
            _inFlight += count;
            _output.Consume(count, _loop.Chunks);
        }
    }

    /// <summary>Everything of one direction arrives in order.</summary>
    private void Transmit(Packet packet) => _lastArrival = _loop.Network.Send(packet, _lastArrival);

    /// <summary>The network breaks the connection: each end is reset.</summary>
    private void Break()
    {
        SendReset();
        End(CloseReason.Reset);
    }

    private void SendReset()
    {
        if (_other is { } other)
            Transmit(new Rst(_loop.Host, other._loop.Host, other));
    }

    /// <inheritdoc/>
    public override void Flush()
    {
        if (!IsClosed)
            Drain();
    }

    /// <summary>The loop's part at the end of a turn.</summary>
    public void FlushTurn()
    {
        _dirty = false;
        Drain();
        if (_closed)
            return;
        if (_output.Length == 0 && !_connecting)
        {
            if (_closeRequested)
            {
                Finish();
                return;
            }
            SendEnd();
        }
        if (!_above || _loop.Waiting.IsAbove(_output.Length * 2, HighWatermark) || IsClosed)
            return;
        _above = false;
        Handler.OnWritable(this);
    }

    /// <inheritdoc/>
    public override void EndSend()
    {
        if (IsClosed || _endRequested)
            return;
        _endRequested = true;
        MarkDirty();
    }

    private void SendEnd()
    {
        if (!_endRequested || _endSent)
            return;
        _endSent = true;
        Transmit(new Fin(_loop.Host, _other!._loop.Host, _other));
        EndWhenBothEnded();
    }

    private void EndWhenBothEnded()
    {
        if (_endSent && _peerEnded)
            End(CloseReason.Remote);
    }

    // Ending
}
