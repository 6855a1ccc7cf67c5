using Lateen.Proxy.Http.Two.Blocks;

namespace Lateen.Proxy.Http.Two;

// Chapter of Http2Session: what arrives, frame by frame; bodies and header blocks.
internal abstract partial class Http2Session
{
    private const int ContinuationsMax = 256;

    private InputHold _hold, _block;
    private FrameHead _blockHead;
    private Http2Stream? _dataStream;
    private int _dataLeft, _padLeft, _continuations, _emptyFrames;
    private bool _inData, _dataEnds;

    /// <summary>Takes what arrived.</summary>
    public void Receive(ReadOnlySpan<byte> bytes)
    {
        if (Ended)
            return;
        _lastReceivedAt = Transport.Loop.Now;
        IsReceiving = true;
        if (_hold.Length == 0)
        {
            int used = Consume(bytes);
            if (!Ended && used < bytes.Length)
                _hold.Append(bytes[used..]);
        }
        else
        {
            _hold.Append(bytes);
            int taken = Consume(_hold.Span);
            if (Ended)
                _hold.Release();
            else
                _hold.Drop(taken);
        }
        IsReceiving = false;
        if (!Ended)
            OnReceived();
    }

    /// <summary>True while what arrived is being taken, frame by frame.</summary>
    protected bool IsReceiving { get; private set; }

    /// <summary>All that arrived has been taken.</summary>
    protected virtual void OnReceived()
    {
    }

    /// <summary>The peer ended its half of a stream that is closed here.</summary>
    protected virtual void OnClosedEnd(uint id)
    {
    }

    private int Consume(ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<byte> rest = bytes;
        while (!Ended && !rest.IsEmpty)
        {
            if (_inData)
            {
                TakeData(ref rest);
                continue;
            }
            if (rest.Length < FrameHead.Size)
                break;
            FrameHead head = FrameHead.Read(rest);
            if (head.Length > FrameSizeMax)
            {
                Fail(ErrorCode.FrameSizeError, "codec_error");
                break;
            }
            if (head.Type == FrameType.Data)
            {
                if (!BeginData(head, ref rest))
                    break;
                continue;
            }
            if (rest.Length < FrameHead.Size + head.Length)
                break;
            ReadOnlySpan<byte> payload = rest.Slice(FrameHead.Size, head.Length);
            rest = rest[(FrameHead.Size + head.Length)..];
            TakeFrame(head, payload);
        }
        return bytes.Length - rest.Length;
    }

    private void TakeFrame(in FrameHead head, ReadOnlySpan<byte> payload)
    {
        if (!IsInOrder(head))
            return;
        switch (head.Type)
        {
            case FrameType.Headers:
                TakeHeaders(head, payload);
                break;
            case FrameType.Continuation:
                TakeContinuation(head, payload);
                break;
            case FrameType.Priority:
                TakePriority(head);
                break;
            case FrameType.RstStream:
                TakeReset(head, payload);
                break;
            case FrameType.Settings:
                TakeSettings(head, payload);
                break;
            case FrameType.PushPromise:
                Fail(ErrorCode.ProtocolError, "codec_error");
                break;
            case FrameType.Ping:
                TakePing(head, payload);
                break;
            case FrameType.GoAway:
                TakeGoAway(head, payload);
                break;
            case FrameType.WindowUpdate:
                TakeWindowUpdate(head, payload);
                break;
            default:
                // RFC 9113 5.5: unknown frames are ignored.
                break;
        }
    }

    // RFC 9113 3.4: the first frame is SETTINGS. 6.10: nothing comes between HEADERS and its last CONTINUATION.
    private bool IsInOrder(in FrameHead head)
    {
        bool inOrder = _settingsSeen || (head.Type == FrameType.Settings && !head.Has(FrameHead.Ack));
        bool expected = _blockHead.Stream != 0;
        bool continues = head.Type == FrameType.Continuation && head.Stream == _blockHead.Stream;
        if (inOrder && expected == continues && (expected || head.Type != FrameType.Continuation))
            return true;
        Fail(ErrorCode.ProtocolError, "codec_error");
        return false;
    }

    private bool CountEmpty(int length, bool endStream)
    {
        if (length > 0 || endStream)
        {
            _emptyFrames = 0;
            return true;
        }
        if (++_emptyFrames <= Options.Two.EmptyFramesMax)
            return true;
        OnEvent(CodecEvent.InboundEmptyFramesFlood);
        Close("http2.inbound_empty_frames_flood");
        return false;
    }

    // ---- DATA, piece by piece ----

    private bool BeginData(in FrameHead head, ref ReadOnlySpan<byte> rest)
    {
        bool padded = head.Has(FrameHead.Padded);
        int overhead = padded ? 1 : 0;
        if (head.Length >= overhead && rest.Length < FrameHead.Size + overhead)
            return false;
        if (!IsInOrder(head))
            return false;
        int padding = padded && head.Length > 0 ? rest[FrameHead.Size] : 0;
        if (head.Stream == 0 || (padded && head.Length < 1 + padding) || IsIdle(head.Stream))
        {
            Fail(ErrorCode.ProtocolError, "codec_error");
            return false;
        }
        bool end = head.Has(FrameHead.EndStream);
        int length = head.Length - overhead - padding;
        if (!CountEmpty(length, end) || !Spend(head.Stream, head.Length))
            return false;
        rest = rest[(FrameHead.Size + overhead)..];
        (_inData, _dataEnds, _dataLeft, _padLeft) = (true, end, length, padding);
        _dataStream = AcceptData(head.Stream, length, end);
        ReturnBytes(_dataStream, overhead + padding);
        if (_dataLeft == 0 && _padLeft == 0)
            FinishData(default);
        return !Ended;
    }

    // The stream that may have this body; null for one that is gone, or that this frame broke.
    private Http2Stream? AcceptData(uint id, int length, bool end)
    {
        if (Find(id) is not { } stream)
        {
            if (end)
                OnClosedEnd(id);
            return null;
        }
        if (stream.RemoteEnded)
        {
            StreamError(stream, ErrorCode.StreamClosed, ResetReason.ProtocolError, "http2.remote_reset");
            return null;
        }
        if (!stream.HeadReceived)
        {
            Close("codec_error");
            return null;
        }
        ulong total = stream.Received + (ulong)length;
        if (stream.HasLength && (total > stream.Length || (end && total != stream.Length)))
        {
            OnEvent(CodecEvent.RxMessagingError);
            StreamError(stream, ErrorCode.ProtocolError, ResetReason.ProtocolError, "http2.remote_reset");
            return null;
        }
        return stream;
    }

    private void TakeData(ref ReadOnlySpan<byte> rest)
    {
        int n = Math.Min(_dataLeft, rest.Length);
        ReadOnlySpan<byte> piece = rest[..n];
        rest = rest[n..];
        _dataLeft -= n;
        int padding = _dataLeft == 0 ? Math.Min(_padLeft, rest.Length) : 0;
        rest = rest[padding..];
        _padLeft -= padding;
        if (_dataLeft == 0 && _padLeft == 0)
            FinishData(piece);
        else if (n > 0)
            Deliver(piece, false);
    }

    private void FinishData(ReadOnlySpan<byte> piece)
    {
        _inData = false;
        Http2Stream? stream = _dataStream;
        if (_dataEnds && stream is not null)
            stream.RemoteEnded = true;
        if (!piece.IsEmpty || _dataEnds)
            Deliver(piece, _dataEnds);
        _dataStream = null;
    }

    private void Deliver(ReadOnlySpan<byte> piece, bool end)
    {
        Http2Stream? stream = _dataStream;
        if (stream is not null)
        {
            stream.Received += (ulong)piece.Length;

            // Counted before the receiver sees it: what it pauses from inside the call is held back, too.
            OnBody(stream, piece, end);
        }
        ReturnBytes(stream is { Id: not 0 } ? stream : null, piece.Length);
    }

    // ---- Header blocks ----

    private void TakeHeaders(in FrameHead head, ReadOnlySpan<byte> payload)
    {
        int overhead = (head.Has(FrameHead.Padded) ? 1 : 0) + (head.Has(FrameHead.HasPriority) ? 5 : 0);
        int padding = head.Has(FrameHead.Padded) && payload.Length > 0 ? payload[0] : 0;
        if (payload.Length < overhead)
        {
            Fail(ErrorCode.FrameSizeError, "codec_error");
            return;
        }
        if (payload.Length < overhead + padding)
        {
            Fail(ErrorCode.ProtocolError, "codec_error");
            return;
        }
        if (head.Stream == 0)
        {
            Close("codec_error");
            return;
        }
        ReadOnlySpan<byte> fragment = payload[overhead..^padding];
        if (!OnHeadersBegin(head.Stream))
            return;
        if (head.Has(FrameHead.EndHeaders))
        {
            if (CountEmpty(fragment.Length, head.Has(FrameHead.EndStream)))
                OnBlock(head.Stream, head.Has(FrameHead.EndStream), fragment);
            return;
        }
        _blockHead = head;
        _continuations = 0;
        _block.Append(fragment);
        CountEmpty(fragment.Length, head.Has(FrameHead.EndStream));
    }

    private void TakeContinuation(in FrameHead head, ReadOnlySpan<byte> payload)
    {
        if (!CountEmpty(payload.Length, false))
            return;
        _block.Append(payload);

        // What no head of the allowed size needs, even uncompressed, is an attack (CVE-2024-27919 and kin).
        if (_block.Length > (2 * Options.HeadBytesMax) + (2 * FrameSizeMax) || ++_continuations > ContinuationsMax)
        {
            Fail(ErrorCode.EnhanceYourCalm, "http2.header_list_size_too_large");
            return;
        }
        if (!head.Has(FrameHead.EndHeaders))
            return;
        FrameHead first = _blockHead;
        _blockHead = default;
        OnBlock(first.Stream, first.Has(FrameHead.EndStream), _block.Span);
        _block.Release();
    }

    /// <summary>The stream whose HEADERS wait for CONTINUATION; 0 for none.</summary>
    protected uint BlockStream => _blockHead.Stream;

    /// <summary>Decodes a block; false ended the connection with COMPRESSION_ERROR.</summary>
    protected bool Decode(BlockKind kind, HeaderMap map, bool endStream, ReadOnlySpan<byte> block, RequestAcceptor? counts)
    {
        Builder.Begin(kind, map, counts);
        if (!Decoder.Decode(block, Builder))
        {
            Fail(ErrorCode.CompressionError, "codec_error");
            return false;
        }
        Builder.Finish(endStream);
        return true;
    }
}
