using System.Buffers.Binary;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Http.Two;

// Chapter of Http2Session: frames on their way out, windows of both directions, PING.
internal abstract partial class Http2Session
{
    private const int FirstWindow = 65535;

    private readonly KeepAlive _keepAlive;
    private long _sendWindow = FirstWindow, _receiveWindow, _unreturned;
    private int _peerInitialWindow = FirstWindow, _framesWaiting, _controlWaiting;
    private long _lastReceivedAt;
    private ulong _pingNumber;
    private Http2Stream? _queueFirst, _queueLast;
    private bool _windowOpened, _pingUnanswered, _pumping;

    /// <summary>Our first frame.</summary>
    protected void SendSettings()
    {
        Span<byte> payload = stackalloc byte[30];
        int n = 0;
        if (!IsServer)
            n = Put(payload, n, Setting.EnablePush, 0);
        n = Put(payload, n, Setting.HeaderTableSize, (uint)Options.Two.HeaderTableSize);
        n = Put(payload, n, Setting.EnableConnect, IsServer && Options.Two.AllowConnect ? 1u : 0);
        n = Put(payload, n, Setting.ConcurrentStreamsMax, Options.Two.ConcurrentStreamsMax);
        n = Put(payload, n, Setting.InitialWindow, (uint)Options.Two.StreamWindow);
        SendFrame(FrameType.Settings, 0, 0, payload[..n]);
        _settingsUnanswered++;
        ArmKeepAlive();
    }

    private static int Put(Span<byte> to, int at, Setting setting, uint value)
    {
        BinaryPrimitives.WriteUInt16BigEndian(to[at..], (ushort)setting);
        BinaryPrimitives.WriteUInt32BigEndian(to[(at + 2)..], value);
        return at + 6;
    }

    /// <summary>Opens the connection's window from its first size to ours; once.</summary>
    protected void OpenConnectionWindow()
    {
        if (_windowOpened)
            return;
        _windowOpened = true;
        if (Options.Two.ConnectionWindow > FirstWindow)
            SendWindowUpdate(0, Options.Two.ConnectionWindow - FirstWindow);
    }

    private void SendFrame(FrameType type, byte flags, uint stream, ReadOnlySpan<byte> payload)
    {
        Span<byte> head = stackalloc byte[FrameHead.Size];
        FrameHead.Write(head, payload.Length, type, flags, stream);
        Transport.Send(head, payload);
        if (++_framesWaiting > Options.Two.OutboundFramesMax && !Drained())
            Flood(CodecEvent.OutboundFlood, "http2.outbound_frames_flood");
    }

    // Frames that a peer can make us send without reading them (CVE-2019-9512, -9514, -9515).
    private void SendControl(FrameType type, byte flags, uint stream, ReadOnlySpan<byte> payload)
    {
        SendFrame(type, flags, stream, payload);
        if (++_controlWaiting > Options.Two.OutboundControlFramesMax && !Drained())
            Flood(CodecEvent.OutboundControlFlood, "http2.outbound_control_frames_flood");
    }

    private bool Drained()
    {
        Transport.Flush();
        if (Transport.PendingBytes > 0)
            return false;
        _framesWaiting = _controlWaiting = 0;
        return true;
    }

    protected void SendGoAway(uint lastStream, ErrorCode code)
    {
        Span<byte> payload = stackalloc byte[8];
        BinaryPrimitives.WriteUInt32BigEndian(payload, lastStream);
        BinaryPrimitives.WriteUInt32BigEndian(payload[4..], (uint)code);
        SendFrame(FrameType.GoAway, 0, 0, payload);
    }

    protected void SendReset(uint stream, ErrorCode code)
    {
        Span<byte> payload = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(payload, (uint)code);
        SendControl(FrameType.RstStream, 0, stream, payload);
        OnEvent(CodecEvent.TxReset);
    }

    private void SendWindowUpdate(uint stream, int increment)
    {
        Span<byte> payload = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(payload, (uint)increment);
        SendFrame(FrameType.WindowUpdate, 0, stream, payload);
    }

    /// <summary>Sends the block that <see cref="Encoder"/> holds, in as many frames as it takes.</summary>
    protected void SendBlock(Http2Stream stream, bool end)
    {
        ReadOnlySpan<byte> block = Encoder.Block;
        stream.HeadSentBytes += block.Length;
        byte flags = end ? FrameHead.EndStream : (byte)0;
        if (block.Length <= FrameSizeMax)
        {
            SendFrame(FrameType.Headers, (byte)(flags | FrameHead.EndHeaders), stream.Id, block);
            return;
        }
        SendFrame(FrameType.Headers, flags, stream.Id, block[..FrameSizeMax]);
        for (block = block[FrameSizeMax..]; block.Length > FrameSizeMax; block = block[FrameSizeMax..])
            SendFrame(FrameType.Continuation, 0, stream.Id, block[..FrameSizeMax]);
        SendFrame(FrameType.Continuation, FrameHead.EndHeaders, stream.Id, block);
    }

    // ---- Bodies out ----

    /// <summary>False while the stream holds, or the transport waits for, more than the limit.</summary>
    public bool CanSend(Http2Stream stream)
    {
        if (stream.Id == 0 || (!Transport.IsAboveWatermark && stream.Pending.Length < Options.BufferLimit))
            return true;
        stream.Blocked = true;
        return false;
    }

    /// <summary>Sends a part of a body as far as the windows allow; the rest waits.</summary>
    public void SendBody(Http2Stream stream, ReadOnlySpan<byte> body, bool end)
    {
        if (stream.Id == 0 || stream.LocalEnded || stream.PendingEnd)
            return;
        stream.BodySentBytes += body.Length;
        if (stream.Pending.Length == 0)
        {
            while (!body.IsEmpty && Allowed(stream, body.Length) is > 0 and int n)
            {
                SendData(stream, body[..n], end && n == body.Length);
                body = body[n..];
                if (body.IsEmpty)
                {
                    if (end)
                        EndLocal(stream);
                    return;
                }
            }
        }
        if (body.IsEmpty && stream.Pending.Length == 0)
        {
            if (!end)
                return;
            SendData(stream, default, true);
            EndLocal(stream);
            return;
        }
        stream.Pending.Append(body);
        stream.PendingEnd = end;
        Enqueue(stream);
    }

    /// <summary>Sends trailers behind what waits of the body.</summary>
    public void SendTrailers(Http2Stream stream, HeaderMap trailers)
    {
        if (stream.Id == 0 || stream.LocalEnded || stream.PendingEnd)
            return;
        if (stream.Pending.Length > 0)
        {
            stream.PendingTrailers = new HeaderMap();
            stream.PendingTrailers.AddAll(trailers);
            stream.PendingEnd = true;
            return;
        }
        EncodeTrailers(trailers);
        SendBlock(stream, true);
        EndLocal(stream);
    }

    private void EncodeTrailers(HeaderMap trailers)
    {
        Encoder.Begin();
        for (int i = 0; i < trailers.End; i++)
        {
            if (trailers.At(i, out KnownHeader known, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value) && known is not (>= KnownHeader.Method and <= KnownHeader.Status))
                Encoder.Add(known, name, value);
        }
    }

    private int Allowed(Http2Stream stream, int wanted) =>
        (int)Math.Min(Math.Min(wanted, FrameSizeMax), Math.Min(stream.SendWindow, _sendWindow));

    private void SendData(Http2Stream stream, ReadOnlySpan<byte> body, bool end)
    {
        _sendWindow -= body.Length;
        stream.SendWindow -= body.Length;
        _dataFramesSent++;
        SendFrame(FrameType.Data, end ? FrameHead.EndStream : (byte)0, stream.Id, body);
    }

    private void EndLocal(Http2Stream stream)
    {
        if (stream.Id == 0)
            return;
        stream.LocalEnded = true;
        OnLocalEnd(stream);
    }

    private void Enqueue(Http2Stream stream)
    {
        if (stream.Queued || stream.SendWindow <= 0)
            return;
        stream.Queued = true;
        stream.NextQueued = null;
        if (_queueLast is null)
            _queueFirst = stream;
        else
            _queueLast.NextQueued = stream;
        _queueLast = stream;
    }

    // One frame a stream and round: a large body can't starve the others.
    private void Pump()
    {
        if (_pumping)
            return;
        _pumping = true;
        while (!Ended && _sendWindow > 0 && !Transport.IsAboveWatermark && _queueFirst is { } stream)
        {
            _queueFirst = stream.NextQueued;
            if (_queueFirst is null)
                _queueLast = null;
            stream.Queued = false;
            if (stream.Id != 0 && stream.Pending.Length > 0)
                PumpOne(stream);
        }
        _pumping = false;
    }

    private void PumpOne(Http2Stream stream)
    {
        int n = Allowed(stream, stream.Pending.Length);
        if (n > 0)
        {
            bool last = stream.PendingEnd && stream.PendingTrailers is null && n == stream.Pending.Length;
            SendData(stream, stream.Pending.Span[..n], last);
            stream.Pending.Drop(n);
        }
        if (stream.Pending.Length > 0)
        {
            Enqueue(stream);
            return;
        }
        if (!stream.PendingEnd)
        {
            Unblock(stream);
            return;
        }
        if (stream.PendingTrailers is { } trailers)
        {
            EncodeTrailers(trailers);
            SendBlock(stream, true);
        }
        EndLocal(stream);
    }

    private void Unblock(Http2Stream stream)
    {
        if (!stream.Blocked || stream.Id == 0 || stream.Pending.Length > Options.BufferLimit / 2 || Transport.IsAboveWatermark)
            return;
        stream.Blocked = false;
        OnSendable(stream);
    }

    /// <summary>The transport takes more again.</summary>
    public void OnWritable()
    {
        _framesWaiting = _controlWaiting = 0;
        Pump();
        if (Streams.Count == 0)
            return;

        // Owners may end streams from inside their call: the list of those to tell is made first. Rare: only behind a full transport.
        foreach (Http2Stream stream in Streams.All())
            Unblock(stream);
    }

    // ---- Windows ----

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

    private bool _overflow;

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

    // ---- PING ----

    private void ArmKeepAlive()
    {
        long interval = Options.Two.KeepAliveMicros;
        if (interval <= 0)
            return;
        uint jitter = (uint)Math.Min(uint.MaxValue, interval * Options.Two.KeepAliveJitterPercent / 100);
        Transport.Loop.Arm(_keepAlive, interval + (jitter > 0 ? Transport.Loop.Chance.Below(jitter) : 0));
    }

    /// <summary>A PING before a request on a connection that was silent for long; its answer must come within the time limit.</summary>
    protected void PingIfSilent()
    {
        if (Options.Two.IdlePingMicros > 0 && !_pingUnanswered && Transport.Loop.Now - _lastReceivedAt > Options.Two.IdlePingMicros)
            SendPing();
    }

    private void SendPing()
    {
        Span<byte> payload = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(payload, ++_pingNumber);
        SendFrame(FrameType.Ping, 0, 0, payload);
        _pingUnanswered = true;
        if (Options.Two.KeepAliveTimeoutMicros > 0)
            Transport.Loop.Arm(_keepAlive, Options.Two.KeepAliveTimeoutMicros);
    }

    private void OnPong(ulong number)
    {
        if (!_pingUnanswered || number != _pingNumber)
            return;
        _pingUnanswered = false;
        Transport.Loop.Disarm(_keepAlive);
        ArmKeepAlive();
    }

    private void OnKeepAlive()
    {
        if (Ended)
            return;
        if (!_pingUnanswered)
        {
            SendPing();
            return;
        }
        OnEvent(CodecEvent.KeepAliveTimeout);
        Close("http2.ping_timeout", FailureKind.ConnectionTerminated);
    }

    private sealed class KeepAlive(Http2Session session) : Deadline
    {
        protected internal override void OnDue(long now) => session.OnKeepAlive();
    }
}
