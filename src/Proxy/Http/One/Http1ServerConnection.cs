using Lateen.Proxy.Net;

namespace Lateen.Proxy.Http.One;

/// <summary>
/// A client's HTTP/1 connection: requests in, one after another, responses out. A pipelined request waits in the hold until the answer
/// before it has left.
/// What ends badly ends the connection: the answer says Connection: close, then FIN, then input is thrown away until the client's FIN or
/// the delayed close.
/// </summary>
public sealed class Http1ServerConnection : DownstreamConnection
{
    private enum Phase : byte
    {
        Head,
        Body,
        Trailers,

        /// <summary>The request is complete; what comes now is the next one's.</summary>
        Waiting,

        /// <summary>Upgrade or CONNECT: bytes are body until the end.</summary>
        Tunnel,

        /// <summary>Input is of no interest any more.</summary>
        Discard,
    }

    private readonly Transport _transport;
    private readonly RequestAcceptor _acceptor;
    private readonly CodecOptions _options;
    private readonly Http1ServerStream _stream;
    private readonly HeadParser _parser = HeadParser.OfThread;
    private Timer? _timer;
    private Resume? _resume;
    private InputHold _hold;
    private RequestReceiver? _receiver;
    private BodyReader _body;
    private Phase _phase;
    private int _scanned;
    private bool _parsing, _goingAway, _lingering, _pausedByBody;

    /// <summary>Takes over an accepted transport (its TLS done), and makes itself its handler.</summary>
    public Http1ServerConnection(Transport transport, RequestAcceptor acceptor, CodecOptions options)
    {
        _transport = transport;
        _acceptor = acceptor;
        _options = options;
        transport.HighWatermark = options.BufferLimit;
        _stream = new Http1ServerStream(this);
        transport.Handler = this;
    }

    /// <inheritdoc/>
    public override Transport Transport => _transport;

    /// <inheritdoc/>
    public override HttpVersion Version => HttpVersion.Http11;

    /// <inheritdoc/>
    public override int ActiveStreams => _receiver is null ? 0 : 1;

    internal CodecOptions Options => _options;

    internal RequestReceiver? Receiver => _receiver;

    internal bool RequestComplete => _phase is Phase.Waiting;

    internal bool GoingAway => _goingAway;

    /// <summary>True between two requests, when of the next one nothing has come and of the last one all has left.</summary>
    internal bool IsAtRest => _phase == Phase.Head && _receiver is null && _hold.Length == 0 && !_parsing && !_goingAway
        && !_transport.IsClosed && _transport.PendingBytes == 0;

    /// <inheritdoc/>
    public override void NoticeShutdown()
    {
    }

    /// <inheritdoc/>
    public override void GoAway()
    {
        _goingAway = true;
        if (_receiver is null && !_lingering)
            _transport.Close();
    }

    /// <inheritdoc/>
    public override void Close() => _transport.Close();

    // ---- Input ----

    /// <inheritdoc/>
    public override void OnData(Transport transport, ReadOnlySpan<byte> bytes)
    {
        if (_phase == Phase.Discard)
            return;
        if (_hold.Length > 0)
        {
            _hold.Append(bytes);
            ConsumeHold();
            return;
        }
        _parsing = true;
        int used = Consume(bytes);
        _parsing = false;
        if (used < bytes.Length && _phase != Phase.Discard)
            Keep(bytes[used..]);
    }

    private void Keep(ReadOnlySpan<byte> rest)
    {
        _hold.Append(rest);
        if (_phase == Phase.Waiting)
            _transport.Reading = false;
        else if (_phase == Phase.Head && _options.HeadTimeoutMicros > 0 && _timer is not { IsArmed: true })
            _transport.Loop.Arm(_timer ??= new Timer(this), _options.HeadTimeoutMicros);
    }

    private void ConsumeHold()
    {
        if (_parsing)
            return;
        _parsing = true;
        int used = Consume(_hold.Span);
        _parsing = false;
        if (_phase == Phase.Discard)
            _hold.Release();
        else if (used > 0)
            _hold.Drop(used);
        if (_phase == Phase.Waiting && _hold.Length > 0)
            _transport.Reading = false;
        else if (!_pausedByBody && !_transport.IsClosed)
            _transport.Reading = true;
    }

    // Returns how many bytes were used; the rest waits.
    private int Consume(ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<byte> rest = bytes;
        while (!rest.IsEmpty)
        {
            int before = rest.Length;
            Phase phase = _phase;
            switch (phase)
            {
                case Phase.Head:
                    ReadHead(ref rest);
                    break;
                case Phase.Body:
                    ReadBody(ref rest);
                    break;
                case Phase.Trailers:
                    ReadTrailers(ref rest);
                    break;
                case Phase.Tunnel:
                    _stream.CountBody(rest.Length);
                    _receiver!.OnRequestBody(rest, false);
                    rest = default;
                    break;
                case Phase.Waiting:
                    return bytes.Length - rest.Length;
                default:
                    return bytes.Length;
            }
            if (rest.Length == before && _phase == phase)
                break;
        }
        return bytes.Length - rest.Length;
    }

    private void ReadHead(ref ReadOnlySpan<byte> rest)
    {
        // RFC 9112 2.2: empty lines in front of a request are skipped.
        if (rest[0] is (byte)'\r' or (byte)'\n')
        {
            int start = rest.IndexOfAnyExcept((byte)'\r', (byte)'\n');
            rest = start < 0 ? default : rest[start..];
            if (rest.IsEmpty)
                return;
        }
        if (_scanned > 0 && _scanned <= rest.Length && !HeadScanner.IsComplete(rest, _scanned))
        {
            Partial(rest);
            return;
        }
        int length = _parser.Scanner.Scan(rest);
        if (length == 0)
        {
            Partial(rest);
            return;
        }
        _scanned = 0;
        if (_timer is { IsArmed: true } timer)
            _transport.Loop.Disarm(timer);
        ReadOnlySpan<byte> head = rest[..length];
        rest = rest[length..];
        Accept(head);
    }

    private void Partial(ReadOnlySpan<byte> start)
    {
        bool seen = _scanned > 0 && start[..Math.Min(_scanned, start.Length)].Contains((byte)'\n');
        if (!seen || start.Length > _options.HeadBytesMax)
        {
            HeadError error = HeadParser.Early(start, _options);
            if (error.Happened)
            {
                Refuse(error);
                return;
            }
        }

        // With its first line a request exists: clocks run and logs tell of it, though its head never ends.
        if (_receiver is null && start.Contains((byte)'\n'))
            Open(0);
        _scanned = start.Length;
    }

    private RequestReceiver Open(int headBytes)
    {
        _stream.Begin(headBytes);
        RequestReceiver receiver = _receiver ??= _acceptor.OnRequest(_stream);
        receiver.RequestHead.Clear();
        return receiver;
    }

    private void Accept(ReadOnlySpan<byte> head)
    {
        RequestReceiver receiver = Open(head.Length);
        HeaderMap map = receiver.RequestHead;
        Framing framing = default;
        HeadError error = head.Length > _options.HeadBytesMax
            ? HeadParser.Early(head, _options)
            : _parser.ParseRequest(head, _options, map, _acceptor, out framing);
        if (error.Happened)
        {
            // Nothing of a refused head is shown: whatever it says may be a lie of its framing.
            map.Clear();
            Refuse(error);
            return;
        }
        // A header field counts with one byte of its line's end.
        _stream.CountPlain(_parser.Scanner.PlainBytes);
        _stream.Note(map, framing);
        AnswerContinue(map, framing);
        bool end = !framing.Upgrade && !framing.Chunked && framing.Length == 0;
        if (framing.Upgrade)
            _phase = Phase.Tunnel;
        else if (end)
            _phase = Phase.Waiting;
        else
            (_phase, _body) = (Phase.Body, framing.Chunked ? BodyReader.OfChunks() : BodyReader.OfLength(framing.Length));
        receiver.OnRequestHead(end);
    }

    private void AnswerContinue(HeaderMap map, in Framing framing)
    {
        if (_options.Proxy100Continue || framing.Upgrade || !HeaderRules.SameText(map[KnownHeader.Expect], "100-continue"u8))
            return;
        map.Remove(KnownHeader.Expect);
        _stream.SendContinue();
    }

    private void ReadBody(ref ReadOnlySpan<byte> rest)
    {
        if (!_body.TryTakeWhole(ref rest, out ReadOnlySpan<byte> body))
        {
            ReadParts(ref rest);
            return;
        }
        _stream.CountBody(body.Length);
        _phase = Phase.Waiting;
        _receiver!.OnRequestBody(body, true);
    }

    private void ReadParts(ref ReadOnlySpan<byte> rest)
    {
        var parts = new GatheredParts();
        ReadOnlySpan<byte> part = default;
        while (_phase == Phase.Body)
        {
            int before = rest.Length;
            BodyStep step = _body.Next(ref rest, out part);
            _stream.CountBody(before - rest.Length);
            switch (step)
            {
                case BodyStep.NeedMore:
                    Tell(ref parts);
                    return;
                case BodyStep.Part:
                    parts.Add(part);
                    break;
                case BodyStep.Trailers:
                    Tell(ref parts);
                    if (_phase == Phase.Body)
                        _phase = Phase.Trailers;
                    return;
                default:
                    // What lies in front of a malformed chunk is not told (as Envoy), unless the body was whole.
                    if (_body.IsAtLastChunk)
                        Tell(ref parts);
                    parts.Clear();
                    Refuse(HeadError.Codec);
                    return;
            }
        }
    }

    private void Tell(ref GatheredParts parts)
    {
        if (!parts.All.IsEmpty)
            _receiver!.OnRequestBody(parts.All, false);
        parts.Clear();
    }

    private void ReadTrailers(ref ReadOnlySpan<byte> rest)
    {
        int length = _parser.Scanner.Scan(rest);
        if ((length == 0 ? rest.Length : length) > _options.HeadBytesMax)
        {
            Refuse(new HeadError(431, "http1.trailers_too_large", FailureKind.TooLarge));
            return;
        }
        if (length == 0)
            return;
        ReadOnlySpan<byte> block = rest[..length];
        rest = rest[length..];
        _stream.CountBody(length);
        RequestReceiver receiver = _receiver!;
        receiver.RequestTrailers.Clear();
        HeadError error = _parser.ParseTrailers(block, _options, receiver.RequestTrailers, _acceptor);
        if (error.Happened)
        {
            Refuse(error);
            return;
        }
        _phase = Phase.Waiting;
        if (_options.One.Trailers && receiver.RequestTrailers.Count > 0)
            receiver.OnRequestTrailers();
        else
            receiver.OnRequestBody(default, true);
    }

    // A malformed request: answered where no answer has begun, else cut.
    private void Refuse(in HeadError error)
    {
        if (_timer is { IsArmed: true } timer)
            _transport.Loop.Disarm(timer);
        RequestReceiver receiver = _receiver ?? Open(0);
        _phase = Phase.Discard;
        _stream.CloseAfterResponse();
        if (_stream.HeadSent)
            Abandon(ResetReason.ProtocolError, error.Detail);
        else
            receiver.OnBadRequest(error.Status, error.Detail, error.Kind);
    }

    // ---- The end of a response, of the connection ----

    internal void OnResponseEnded()
    {
        RequestReceiver receiver = _receiver!;
        _receiver = null;
        bool complete = _phase == Phase.Waiting;
        if (!complete || _stream.Closing || _goingAway)
        {
            _phase = Phase.Discard;
            receiver.OnStreamDone();
            if (!_transport.IsClosed)
                CloseInOrder(complete && _hold.Length == 0 && !_parsing);
            return;
        }
        _phase = Phase.Head;
        _pausedByBody = false;
        receiver.OnStreamDone();
        if (_transport.IsClosed)
            return;
        if (_hold.Length == 0)
            _transport.Reading = true;
        else if (!_parsing)
            _transport.Loop.Defer(_resume ??= new Resume(this));
    }

    // Unread input would turn our close into a RST, which can destroy the answer on its way: so it is read on for a while, until the client
    // has closed (observed of Envoy's delayed close).
    private void CloseInOrder(bool nothingUnread)
    {
        _pausedByBody = false;
        if (nothingUnread || _options.DelayedCloseMicros == 0)
        {
            _transport.Close();
            return;
        }
        _lingering = true;
        _hold.Release();
        _transport.Reading = true;
        _transport.Flush();
        _transport.Loop.Arm(_timer ??= new Timer(this), _options.DelayedCloseMicros);
    }

    internal void OnStreamReset()
    {
        _receiver = null;
        _phase = Phase.Discard;
        CloseInOrder(false);
    }

    internal void PauseBody(bool pause)
    {
        _pausedByBody = pause;
        if (_phase is Phase.Body or Phase.Trailers or Phase.Tunnel)
            _transport.Reading = !pause;
    }

    private void Abandon(ResetReason reason, string detail)
    {
        RequestReceiver? receiver = _receiver;
        _receiver = null;
        _phase = Phase.Discard;
        receiver?.OnRequestReset(reason, detail);
        _transport.Close();
    }

    /// <inheritdoc/>
    public override void OnEnd(Transport transport)
    {
        // A client that ends its direction is gone, as for Envoy: its request ends with it, a tunnel, too.
        Abandon(ResetReason.ConnectionTerminated, "downstream_remote_disconnect");
    }

    /// <inheritdoc/>
    public override void OnWritable(Transport transport) => _stream.OnWritable();

    /// <inheritdoc/>
    public override void OnClosed(Transport transport, CloseReason reason)
    {
        RequestReceiver? receiver = _receiver;
        _receiver = null;
        _phase = Phase.Discard;
        _hold.Release();
        if (_timer is { IsArmed: true } timer)
            transport.Loop.Disarm(timer);
        receiver?.OnRequestReset(ResetReason.ConnectionTerminated, "downstream_remote_disconnect");
        _acceptor.OnConnectionClosed(this, reason);
    }

    private void OnTimer()
    {
        if (_lingering)
        {
            _acceptor.OnCodecEvent(CodecEvent.DelayedCloseTimeout);
            _transport.Close();
        }
        else if (_phase == Phase.Head && _hold.Length > 0)
            Refuse(new HeadError(408, "request_header_timeout", FailureKind.RequestTimeout));
    }

    private sealed class Timer(Http1ServerConnection connection) : Deadline
    {
        protected internal override void OnDue(long now) => connection.OnTimer();
    }

    private sealed class Resume(Http1ServerConnection connection) : Letter
    {
        protected internal override void Deliver()
        {
            if (!connection._transport.IsClosed)
                connection.ConsumeHold();
        }
    }
}
