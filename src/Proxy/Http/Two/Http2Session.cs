using System.Buffers.Binary;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Http.Two;

/// <summary>
/// One HTTP/2 connection below the messages: takes frames apart, keeps settings and the guards against floods, and hands header blocks and bodies to its role.
/// Which errors say GOAWAY before the close follows Envoy: those of framing and compression do, those of a frame's meaning end the connection without a word.
/// </summary>
internal abstract partial class Http2Session
{
    public const int FrameSizeMax = 16384;
    private const int WindowMax = int.MaxValue;
    private const int SettingsPerFrameMax = 32;
    private const int ContinuationsMax = 256;

    private const int SparesMax = 64;

    private Http2Stream? _spare;
    private int _spares;
    private InputHold _hold, _block;
    private FrameHead _blockHead;
    private Http2Stream? _dataStream;
    private int _dataLeft, _padLeft, _continuations, _emptyFrames, _settingsUnanswered;
    private long _priorityFrames, _windowUpdates, _dataFramesSent, _streamsOpened;
    private bool _inData, _dataEnds, _settingsSeen;

    protected Http2Session(Transport transport, CodecOptions options)
    {
        Transport = transport;
        Options = options;
        transport.HighWatermark = options.BufferLimit;
        Decoder = new HpackDecoder(options.Two.HeaderTableSize);
        Encoder = new HpackEncoder(options.Two.HeaderTableSize);
        Builder = new HeadBuilder(options);
        _receiveWindow = Math.Max(FirstWindow, options.Two.ConnectionWindow);
        _keepAlive = new KeepAlive(this);
    }

    public Transport Transport { get; }

    public CodecOptions Options { get; }

    /// <summary>The connection is over or about to be: nothing is read any more.</summary>
    public bool Ended { get; private set; }

    /// <summary>The highest stream number that the peer began.</summary>
    public uint LastPeerStream { get; protected set; }

    /// <summary>Open streams.</summary>
    public int Active => Streams.Count;

    protected HpackDecoder Decoder { get; }

    protected HpackEncoder Encoder { get; }

    protected HeadBuilder Builder { get; }

    /// <summary>How many streams the peer allows at once.</summary>
    protected uint PeerStreamsMax { get; private set; } = uint.MaxValue;

    // ---- What the roles do ----

    /// <summary>A header block is complete. <paramref name="id"/> is a valid number of the peer's or our own.</summary>
    protected abstract void OnBlock(uint id, bool endStream, ReadOnlySpan<byte> block);

    /// <summary>HEADERS begin for this stream: false ended the connection.</summary>
    protected abstract bool OnHeadersBegin(uint id);

    protected abstract void OnBody(Http2Stream stream, ReadOnlySpan<byte> body, bool end);

    protected abstract void OnReset(Http2Stream stream, ErrorCode code);

    /// <summary>The peer broke the rules on this stream; RST_STREAM is on its way.</summary>
    protected abstract void OnStreamError(Http2Stream stream, ResetReason reason, string detail);

    protected abstract void OnSendable(Http2Stream stream);

    /// <summary>Our last frame of this stream went.</summary>
    protected abstract void OnLocalEnd(Http2Stream stream);

    protected abstract void OnGoAway(uint lastStream, ErrorCode code);

    /// <summary>The connection ends because of an error: streams are told, counters count.</summary>
    protected abstract void OnFailure(string detail, FailureKind kind);

    protected abstract void OnEvent(CodecEvent what);

    protected virtual void OnPeerSettings()
    {
    }

    /// <summary>True for a stream number that nobody used yet.</summary>
    protected abstract bool IsIdle(uint id);

    /// <summary>True for the role that takes PUSH_PROMISE and SETTINGS_ENABLE_PUSH as errors in its own way.</summary>
    protected abstract bool IsServer { get; }

    // ---- Streams ----

    /// <summary>A stream that is not open, the one used last if there is one: it is the warmest.</summary>
    protected Http2Stream TakeSpare()
    {
        if (_spare is not { } stream)
            return new Http2Stream();
        _spare = stream.NextInSlot;
        _spares--;
        stream.NextInSlot = null;
        return stream;
    }

    /// <summary>Keeps a closed stream, which nobody holds any more, for reuse. One that stands in the queue is found there as closed and thrown away.</summary>
    protected void Spare(Http2Stream stream)
    {
        if (stream.Queued || _spares == SparesMax || Ended)
            return;
        stream.NextInSlot = _spare;
        _spare = stream;
        _spares++;
    }

    protected void OpenStream(Http2Stream stream, uint id)
    {
        // Until the peer has answered our SETTINGS it may count with the protocol's own window.
        int window = _settingsUnanswered > 0 ? Math.Max(FirstWindow, Options.Two.StreamWindow) : Options.Two.StreamWindow;
        stream.Open(id, _peerInitialWindow, window, Transport.Loop.Now);
        Streams.Add(stream);
        _streamsOpened++;
    }

    protected Http2Stream? Find(uint id) => Streams.Find(id);

    /// <summary>Takes the stream out of the table. Whoever still holds it finds the number 0.</summary>
    protected void CloseStream(Http2Stream stream)
    {
        if (stream.Id == 0 || !Streams.Remove(stream))
            return;
        ReturnConnectionBytes(stream);
        if (_dataStream == stream)
            _dataStream = null;
        stream.Id = 0;
        stream.Pending.Release();
    }

    protected StreamTable Streams { get; } = new();

    // ---- Input ----

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

    // ---- The other frames ----

    private void TakePriority(in FrameHead head)
    {
        if (head.Length != 5)
            Fail(ErrorCode.FrameSizeError, "codec_error");
        else if (head.Stream == 0)
            Close("codec_error");
        else if (++_priorityFrames > Options.Two.PriorityFramesMax * (1 + _streamsOpened))
            Flood(CodecEvent.InboundPriorityFramesFlood, "http2.inbound_priority_frames_flood");
    }

    private void TakeReset(in FrameHead head, ReadOnlySpan<byte> payload)
    {
        if (payload.Length != 4)
        {
            Fail(ErrorCode.FrameSizeError, "codec_error");
            return;
        }
        if (head.Stream == 0 || IsIdle(head.Stream))
        {
            Close("codec_error");
            return;
        }
        if (Find(head.Stream) is not { } stream)
            return;
        OnEvent(CodecEvent.RxReset);
        OnReset(stream, (ErrorCode)BinaryPrimitives.ReadUInt32BigEndian(payload));
    }

    private void TakeSettings(in FrameHead head, ReadOnlySpan<byte> payload)
    {
        if (head.Stream != 0 || (head.Has(FrameHead.Ack) && _settingsUnanswered == 0))
        {
            Close("codec_error");
            return;
        }
        if (payload.Length % 6 != 0 || (head.Has(FrameHead.Ack) && payload.Length > 0))
        {
            Fail(ErrorCode.FrameSizeError, "codec_error");
            return;
        }
        if (payload.Length / 6 > SettingsPerFrameMax)
        {
            Fail(ErrorCode.EnhanceYourCalm, "codec_error");
            return;
        }
        _settingsSeen = true;
        if (head.Has(FrameHead.Ack))
        {
            _settingsUnanswered--;
            return;
        }
        for (; !payload.IsEmpty; payload = payload[6..])
        {
            var setting = (Setting)BinaryPrimitives.ReadUInt16BigEndian(payload);
            if (Apply(setting, BinaryPrimitives.ReadUInt32BigEndian(payload[2..])))
                continue;
            Close("codec_error");
            return;
        }
        SendControl(FrameType.Settings, FrameHead.Ack, 0, default);
        SendOverflowResets();
        OpenConnectionWindow();
        OnPeerSettings();
        Pump();
    }

    private bool Apply(Setting setting, uint value)
    {
        switch (setting)
        {
            case Setting.HeaderTableSize:
                Encoder.SetPeerMax(value);
                return true;
            case Setting.EnablePush:
                return value == 0 || (value == 1 && IsServer);
            case Setting.ConcurrentStreamsMax:
                PeerStreamsMax = value;
                return true;
            case Setting.InitialWindow:
                return value <= WindowMax && SetInitialWindow((int)value);
            case Setting.FrameSizeMax:
                return value is >= FrameSizeMax and <= 0xffffff;
            case Setting.EnableConnect:
                return value <= 1;
            default:
                return true;
        }
    }

    private void TakePing(in FrameHead head, ReadOnlySpan<byte> payload)
    {
        if (payload.Length != 8)
            Fail(ErrorCode.FrameSizeError, "codec_error");
        else if (head.Stream != 0)
            Close("codec_error");
        else if (head.Has(FrameHead.Ack))
            OnPong(BinaryPrimitives.ReadUInt64BigEndian(payload));
        else
            SendControl(FrameType.Ping, FrameHead.Ack, 0, payload);
    }

    private void TakeGoAway(in FrameHead head, ReadOnlySpan<byte> payload)
    {
        if (payload.Length < 8)
            Fail(ErrorCode.FrameSizeError, "codec_error");
        else if (head.Stream != 0)
            Close("codec_error");
        else
            OnGoAway(BinaryPrimitives.ReadUInt32BigEndian(payload) & WindowMax, (ErrorCode)BinaryPrimitives.ReadUInt32BigEndian(payload[4..]));
    }

    private void TakeWindowUpdate(in FrameHead head, ReadOnlySpan<byte> payload)
    {
        if (payload.Length != 4)
        {
            Fail(ErrorCode.FrameSizeError, "codec_error");
            return;
        }
        if (++_windowUpdates > 5 + (2 * (_streamsOpened + (Options.Two.WindowUpdatesPerDataFrame * _dataFramesSent))))
        {
            Flood(CodecEvent.InboundWindowUpdateFramesFlood, "http2.inbound_window_update_frames_flood");
            return;
        }
        int increment = (int)(BinaryPrimitives.ReadUInt32BigEndian(payload) & WindowMax);
        bool sound = increment > 0 && (head.Stream == 0 ? WidenConnection(increment) : !IsIdle(head.Stream) && WidenStream(head.Stream, increment));
        if (!sound)
            Close("codec_error");
    }

    // ---- Ends ----

    /// <summary>The peer broke framing or compression: GOAWAY, then the end.</summary>
    protected void Fail(ErrorCode code, string detail)
    {
        if (Ended)
            return;
        SendGoAway(LastPeerStream, code);
        Close(detail);
    }

    private void Flood(CodecEvent what, string detail)
    {
        OnEvent(what);
        Close(detail);
    }

    /// <summary>The peer broke the protocol: the end, without a word.</summary>
    protected void Close(string detail, FailureKind kind = FailureKind.ProtocolError)
    {
        if (Ended)
            return;
        Ended = true;
        OnFailure(detail, kind);
        EndTransport();
    }

    /// <summary>Nothing more is said: the transport may go.</summary>
    protected virtual void EndTransport() => Transport.Close();

    /// <summary>The transport is over.</summary>
    public virtual void OnClosed()
    {
        Ended = true;
        _hold.Release();
        _block.Release();
        if (_keepAlive.IsArmed)
            Transport.Loop.Disarm(_keepAlive);
    }

    /// <summary>One stream's error of the peer's making: RST_STREAM, and its owner is told.</summary>
    protected void StreamError(Http2Stream stream, ErrorCode code, ResetReason reason, string detail)
    {
        SendReset(stream.Id, code);
        OnStreamError(stream, reason, detail);
    }
}
