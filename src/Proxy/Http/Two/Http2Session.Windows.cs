using System.Buffers.Binary;

namespace Lateen.Proxy.Http.Two;

// Chapter of Http2Session: the windows of both directions (RFC 9113 6.9).
internal abstract partial class Http2Session
{
    private const int FirstWindow = 65535;

    private long _sendWindow = FirstWindow, _receiveWindow, _unreturned;
    private int _peerInitialWindow = FirstWindow;
    private bool _windowOpened, _overflow;

    /// <summary>Opens the connection's window from its first size to ours; once.</summary>
    protected void OpenConnectionWindow()
    {
        if (_windowOpened)
            return;
        _windowOpened = true;
        if (Options.Two.ConnectionWindow > FirstWindow)
            SendWindowUpdate(0, Options.Two.ConnectionWindow - FirstWindow);
    }

    private void SendWindowUpdate(uint stream, int increment)
    {
        Span<byte> payload = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(payload, (uint)increment);
        SendFrame(FrameType.WindowUpdate, 0, stream, payload);
    }

    private bool SetInitialWindow(int size)
    {
        long change = (long)size - _peerInitialWindow;
        _peerInitialWindow = size;
        foreach (Http2Stream stream in Streams.All())
        {
            stream.SendWindow += change;
            _overflow |= stream.SendWindow > WindowMax;
            if (stream.Pending.Length > 0)
                Enqueue(stream);
        }
        return true;
    }

    // RFC 9113 6.9.2: a window that SETTINGS pushed over the limit is an error of its stream.
    private void SendOverflowResets()
    {
        if (!_overflow)
            return;
        _overflow = false;
        foreach (Http2Stream stream in Streams.All())
        {
            if (stream.Id != 0 && stream.SendWindow > WindowMax)
                StreamError(stream, ErrorCode.FlowControlError, ResetReason.ProtocolError, "http2.remote_reset");
        }
    }

    private bool WidenConnection(int increment)
    {
        if (_sendWindow + increment > WindowMax)
            return false;
        _sendWindow += increment;
        Pump();
        return true;
    }

    private bool WidenStream(uint id, int increment)
    {
        if (Find(id) is not { } stream)
            return true;
        if (stream.SendWindow + increment > WindowMax)
            return false;
        stream.SendWindow += increment;
        if (stream.Pending.Length > 0)
        {
            Enqueue(stream);
            Pump();
        }
        return true;
    }

    // What the peer sends beyond the windows is an error; a stream that is gone still spends the connection's.
    private bool Spend(uint id, int bytes)
    {
        _receiveWindow -= bytes;
        Http2Stream? stream = Find(id);
        if (stream is not null)
            stream.ReceiveWindow -= bytes;
        if (_receiveWindow >= 0 && stream is not { ReceiveWindow: < 0 })
            return true;
        Fail(ErrorCode.FlowControlError, "codec_error");
        return false;
    }

    // Bytes count as consumed when the receiver has taken them and is not paused; windows go back in halves.
    private void ReturnBytes(Http2Stream? stream, int bytes)
    {
        if (Ended)
            return;
        if (stream is null)
        {
            ReturnToConnection(bytes);
            return;
        }
        stream.Unreturned += bytes;
        if (!stream.Paused)
            ReturnStreamBytes(stream);
    }

    private void ReturnStreamBytes(Http2Stream stream)
    {
        // The connection gets its share at once, the stream when half its window is used.
        int fresh = stream.Unreturned - stream.Credited;
        stream.Credited = stream.Unreturned;
        if (fresh > 0)
            ReturnToConnection(fresh);
        if (stream.RemoteEnded || stream.Unreturned < Options.Two.StreamWindow / 2)
            return;
        stream.ReceiveWindow += stream.Unreturned;
        SendWindowUpdate(stream.Id, stream.Unreturned);
        stream.Unreturned = stream.Credited = 0;
    }

    private void ReturnConnectionBytes(Http2Stream stream)
    {
        int fresh = stream.Unreturned - stream.Credited;
        stream.Unreturned = stream.Credited = 0;
        if (fresh > 0 && !Ended)
            ReturnToConnection(fresh);
    }

    private void ReturnToConnection(int bytes)
    {
        _unreturned += bytes;
        if (_unreturned < Options.Two.ConnectionWindow / 2)
            return;
        _receiveWindow += _unreturned;
        SendWindowUpdate(0, (int)_unreturned);
        _unreturned = 0;
    }

    /// <summary>The receiver pauses or resumes its body.</summary>
    public void Pause(Http2Stream stream, bool pause)
    {
        stream.Paused = pause;
        if (!pause && stream.Id != 0 && !Ended)
            ReturnStreamBytes(stream);
    }
}
