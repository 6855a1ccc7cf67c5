using Lateen.Proxy.Http.Two.Blocks;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Http.Two;

/// <summary>
/// One HTTP/2 connection below the messages: takes frames apart, keeps settings and the guards against floods, and hands header blocks and
/// bodies to its role.
/// Which errors say GOAWAY before the close follows Envoy: those of framing and compression do, those of a frame's meaning end the
/// connection without a word.
/// </summary>
internal abstract partial class Http2Session
{
    public const int FrameSizeMax = 16384;
    private const int WindowMax = int.MaxValue;
    private const int SparesMax = 64;

    private Http2Stream? _spare;
    private int _spares;
    private long _streamsOpened;

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

    /// <summary>Keeps a closed stream, which nobody holds any more, for reuse. One that stands in the queue is found there as closed and
    /// thrown away.</summary>
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
        Transport.Loop.Waiting.Add(-stream.Pending.Length);
        stream.Pending.Release();
    }

    protected StreamTable Streams { get; } = new();

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
