using Lateen.Proxy.Net;

namespace Lateen.Proxy.Http.One;

/// <summary>
/// A connection to an HTTP/1 upstream: one request at a time. It serves another one only where both messages ended in order and the
/// upstream agrees; bytes that nobody asked for end it, so that a response can never be taken for another request's.
/// </summary>
public sealed class Http1ClientConnection : UpstreamConnection
{
    private enum Phase : byte
    {
        Idle,
        Head,
        Body,
        Trailers,
        Tunnel,
        Discard,
    }

    private readonly Transport _transport;
    private readonly UpstreamConnectionOwner _owner;
    private readonly CodecOptions _options;
    private readonly Http1ClientStream _stream;
    private readonly HeadParser _parser = HeadParser.OfThread;
    private InputHold _hold;
    private ResponseReceiver? _receiver;
    private BodyReader _body;
    private Phase _phase;
    private int _scanned;
    private bool _keepAlive, _draining, _told, _parsing, _begun;
    private string _detail = "";

    /// <summary>Takes over a connected transport (its TLS done), and makes itself its handler.</summary>
    public Http1ClientConnection(Transport transport, UpstreamConnectionOwner owner, CodecOptions options)
    {
        _transport = transport;
        _owner = owner;
        _options = options;
        transport.HighWatermark = options.BufferLimit;
        _stream = new Http1ClientStream(this);
        transport.Handler = new Listener(this);
    }

    /// <inheritdoc/>
    public override Transport Transport => _transport;

    /// <inheritdoc/>
    public override HttpVersion Version => HttpVersion.Http11;

    /// <inheritdoc/>
    public override int ActiveStreams => _receiver is null ? 0 : 1;

    /// <inheritdoc/>
    public override int FreeStreams => _phase == Phase.Idle && !_draining && !_transport.IsClosed ? 1 : 0;

    internal CodecOptions Options => _options;

    internal ResponseReceiver? Receiver => _receiver;

    /// <inheritdoc/>
    public override UpstreamStream Begin(ResponseReceiver receiver)
    {
        if (FreeStreams == 0)
            throw new InvariantException("a request was begun on a connection without a free stream");
        _receiver = receiver;
        _phase = Phase.Head;
        _begun = false;
        _stream.Begin();
        return _stream;
    }

    /// <inheritdoc/>
    public override void Drain()
    {
        _draining = true;
        if (_receiver is null)
            _transport.Close();
    }

    // ---- Input ----

    private void OnData(ReadOnlySpan<byte> bytes)
    {
        if (_phase == Phase.Idle)
        {
            End("http1.unexpected_data");
            return;
        }
        if (_hold.Length == 0)
        {
            _parsing = true;
            int used = Consume(bytes);
            _parsing = false;
            if (used < bytes.Length && _phase != Phase.Discard)
                _hold.Append(bytes[used..]);
        }
        else
        {
            _hold.Append(bytes);
            _parsing = true;
            int used = Consume(_hold.Span);
            _parsing = false;
            if (_phase == Phase.Discard)
                _hold.Release();
            else
                _hold.Drop(used);
        }
        Settle();
    }

    private int Consume(ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<byte> rest = bytes;
        while (!rest.IsEmpty && _phase != Phase.Idle)
        {
            int before = rest.Length;
            Phase phase = _phase;
            switch (phase)
            {
                case Phase.Head:
                    _begun = true;
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
                    _receiver!.OnResponseBody(rest, false);
                    rest = default;
                    break;
                default:
                    // Behind a complete response comes nothing that anyone asked for: the connection can't be trusted any more.
                    _keepAlive = false;
                    return bytes.Length;
            }
            if (rest.Length == before && _phase == phase)
                break;
        }
        return bytes.Length - rest.Length;
    }

    private void ReadHead(ref ReadOnlySpan<byte> rest)
    {
        bool complete = _scanned == 0 || _scanned > rest.Length || HeadScanner.IsComplete(rest, _scanned);
        int length = complete ? _parser.Scanner.Scan(rest) : 0;
        if (length == 0)
        {
            _scanned = rest.Length;
            if (!"HTTP/"u8.StartsWith(rest[..Math.Min(5, rest.Length)]) || rest.Length > _options.HeadBytesMax)
                Fail(ResetReason.ProtocolError, "http1.codec_error");
            return;
        }
        _scanned = 0;
        ReadOnlySpan<byte> head = rest[..length];
        rest = rest[length..];
        HeaderMap map = _receiver!.ResponseHead;
        map.Clear();
        HeadError error = length > _options.HeadBytesMax
            ? HeadError.TooLarge : _parser.ParseResponse(head, _options, map, out Framing framing) is { Happened: true } e
                ? e
                : Accept(map, framing, length, _parser.Scanner.PlainBytes);
        if (error.Happened)
            Fail(ResetReason.ProtocolError, error.Detail);
    }

    private HeadError Accept(HeaderMap map, in Framing framing, int length, int plain)
    {
        int status = HeaderRules.Status(map);
        _stream.CountHead(length, plain);
        if (status is >= 100 and < 200 and not 101)
        {
            // 100, 102, 103 and 104 go on; what else is informational means nothing to anyone.
            _begun = false;
            if (status is 100 or 102 or 103 or 104)
                _receiver!.OnInformational();
            return default;
        }
        _keepAlive = framing.KeepAlive;
        if (!_keepAlive)
            TellDraining();
        Follow(status, framing);
        return default;
    }

    private void Follow(int status, in Framing framing)
    {
        bool tunnel = framing.Upgrade && _stream.UpgradeAsked || (_stream.IsConnect && status is >= 200 and < 300);
        bool empty = _stream.IsHead || status is 101 or 204 or 304 || (framing.HasLength && framing.Length == 0);
        if (tunnel)
        {
            (_phase, _keepAlive) = (Phase.Tunnel, false);
            ResponseReceiver receiver = _receiver!;
            receiver.OnResponseHead(false);
            _stream.OnUpgraded();
            return;
        }
        _stream.DropEarly();
        if (empty)
        {
            Complete()?.OnResponseHead(true);
            return;
        }
        _phase = Phase.Body;
        _body = framing.Chunked ? BodyReader.OfChunks() : framing.HasLength ? BodyReader.OfLength(framing.Length) : BodyReader.OfRest();
        _keepAlive &= !_body.EndsWithConnection;
        _receiver!.OnResponseHead(false);
    }

    private void ReadBody(ref ReadOnlySpan<byte> rest)
    {
        if (!_body.TryTakeWhole(ref rest, out ReadOnlySpan<byte> body))
        {
            ReadParts(ref rest);
            return;
        }
        _stream.CountBody(body.Length);
        Complete()?.OnResponseBody(body, true);
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
                    Fail(ResetReason.ProtocolError, "http1.codec_error");
                    return;
            }
        }
    }

    private void Tell(ref GatheredParts parts)
    {
        if (!parts.All.IsEmpty)
            _receiver!.OnResponseBody(parts.All, false);
        parts.Clear();
    }

    private void ReadTrailers(ref ReadOnlySpan<byte> rest)
    {
        int length = _parser.Scanner.Scan(rest);
        if (length == 0)
        {
            if (rest.Length > _options.HeadBytesMax)
                Fail(ResetReason.ProtocolError, "http1.trailers_too_large");
            return;
        }
        ReadOnlySpan<byte> block = rest[..length];
        rest = rest[length..];
        _stream.CountBody(length);
        HeaderMap trailers = _receiver!.ResponseTrailers;
        trailers.Clear();
        HeadError error = _parser.ParseTrailers(block, _options, trailers, null);
        if (error.Happened)
            Fail(ResetReason.ProtocolError, error.Detail);
        else if (_options.One.Trailers && trailers.Count > 0)
            Complete()?.OnResponseTrailers();
        else
            Complete()?.OnResponseBody(default, true);
    }

    // The state is that of the time after the call that tells of the end: the receiver may begin the next request from inside it on another
    // connection only, for this one is offered to its owner by Settle.
    private ResponseReceiver? Complete()
    {
        ResponseReceiver? receiver = _receiver;
        _receiver = null;
        _phase = Phase.Discard;
        _stream.OnResponseEnded();
        return receiver;
    }

    private void Settle()
    {
        if (_receiver is not null || _phase == Phase.Idle || _transport.IsClosed)
            return;
        if (!_keepAlive || !_stream.RequestEnded || _draining || _hold.Length > 0)
        {
            End(_detail);
            return;
        }
        _phase = Phase.Idle;
        if (!_transport.Reading)
            _transport.Reading = true;
        _owner.OnFree(this);
    }

    // ---- Ends ----

    private void TellDraining()
    {
        if (_told)
            return;
        _told = _draining = true;
        _owner.OnDraining(this);
    }

    private void End(string detail)
    {
        _detail = detail;
        _phase = Phase.Discard;
        _transport.Close();
    }

    private void Fail(ResetReason reason, string detail)
    {
        ResponseReceiver? receiver = _receiver;
        _receiver = null;
        _keepAlive = false;
        End(detail);
        receiver?.OnResponseReset(reason, detail);
    }

    internal void OnStreamReset()
    {
        _receiver = null;
        _keepAlive = false;
        _phase = Phase.Discard;
        if (!_parsing)
            End("local_reset");
    }


    private void OnEnd()
    {
        if (_phase == Phase.Body && _body.EndsWithConnection)
        {
            Complete()?.OnResponseBody(default, true);
            _transport.Close();
            return;
        }
        if (_receiver is not null)
            Fail(Broken(), BrokenDetail());
        else
            _transport.Close();
    }

    // Before the first byte of an answer the connection ended; behind it the upstream broke the protocol, as Envoy sees it. A tunnel has no
    // protocol to break.
    private ResetReason Broken() => _begun && _phase != Phase.Tunnel ? ResetReason.ProtocolError : ResetReason.ConnectionTerminated;

    private string BrokenDetail() => Broken() == ResetReason.ProtocolError ? "protocol_error" : "connection_termination";

    private void OnClosed(CloseReason reason)
    {
        ResponseReceiver? receiver = _receiver;
        (ResetReason why, string detail) = (Broken(), BrokenDetail());
        bool untilClose = _phase == Phase.Body && _body.EndsWithConnection && reason == CloseReason.Remote;
        _receiver = null;
        _phase = Phase.Discard;
        _hold.Release();
        _stream.DropEarly();
        if (untilClose)
            receiver?.OnResponseBody(default, true);
        else
            receiver?.OnResponseReset(why, detail);
        _owner.OnClosed(this, reason, _detail);
    }

    private sealed class Listener(Http1ClientConnection connection) : TransportHandler
    {
        public override void OnData(Transport transport, ReadOnlySpan<byte> bytes) => connection.OnData(bytes);

        public override void OnEnd(Transport transport) => connection.OnEnd();

        public override void OnWritable(Transport transport) => connection._stream.OnWritable();

        public override void OnClosed(Transport transport, CloseReason reason) => connection.OnClosed(reason);
    }
}
