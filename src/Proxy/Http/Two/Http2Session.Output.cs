using System.Buffers.Binary;

namespace Lateen.Proxy.Http.Two;

// Chapter of Http2Session: frames on their way out, and bodies as far as the windows let them.
internal abstract partial class Http2Session
{
    private int _framesWaiting, _controlWaiting;
    private long _dataFramesSent;
    private Http2Stream? _queueFirst, _queueLast;
    private bool _pumping;

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
        if (stream.Id == 0
            || (!Transport.IsAboveWatermark && !Transport.Loop.Waiting.IsAbove(stream.Pending.Length, Options.BufferLimit - 1)))
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
        Transport.Loop.Waiting.Add(body.Length);
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
            if (trailers.At(i, out KnownHeader known, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
                && known is not (>= KnownHeader.Method and <= KnownHeader.Status))
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
            Transport.Loop.Waiting.Add(-n);
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
        if (!stream.Blocked || stream.Id == 0 || Transport.IsAboveWatermark
            || Transport.Loop.Waiting.IsAbove(stream.Pending.Length * 2, Options.BufferLimit))
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
}
