using Lateen.Proxy.Net;

namespace Lateen.Proxy.Http.One;

/// <summary>The request under way on a server connection: how it is answered. One object a connection, used again for each
/// request.</summary>
internal sealed class Http1ServerStream(Http1ServerConnection connection) : DownstreamStream
{
    private enum BodyForm : byte
    {
        /// <summary>No body may follow: HEAD, 204, 304, 1xx.</summary>
        None,
        Length,
        Chunks,

        /// <summary>Bytes until the connection ends: HTTP/1.0, and tunnels.</summary>
        Raw,
    }

    private readonly HeadWriter _writer = HeadWriter.OfThread;
    private long _headReceived, _bodyReceived, _headSent, _bodySent, _plainReceived, _plainSent;
    private int _minor = 1;
    private bool _keepAliveAsked, _isHead, _upgrade, _connect, _ended, _announced;
    private BodyForm _form;

    /// <inheritdoc/>
    public override HttpVersion Version => _minor == 0 ? HttpVersion.Http10 : HttpVersion.Http11;

    /// <inheritdoc/>
    public override Transport Transport => connection.Transport;

    /// <inheritdoc/>
    public override StreamBytes Bytes =>
        new(_headReceived, _bodyReceived, _headSent, _bodySent) { PlainReceived = _plainReceived, PlainSent = _plainSent };

    /// <inheritdoc/>
    public override bool CanSend => !connection.Transport.IsAboveWatermark;

    /// <inheritdoc/>
    public override bool BodyPaused
    {
        get;
        set
        {
            field = value;
            connection.PauseBody(value);
        }
    }

    /// <summary>The final head went.</summary>
    public bool HeadSent { get; private set; }

    /// <summary>The connection ends with this response.</summary>
    public bool Closing { get; private set; }

    public void Begin(int headBytes)
    {
        (_headReceived, _bodyReceived, _headSent, _bodySent, _plainReceived, _plainSent) = (headBytes, 0, 0, 0, 0, 0);
        _minor = 1;
        _keepAliveAsked = _isHead = _upgrade = _connect = Informed = _ended = _announced = HeadSent = Closing = false;
        if (BodyPaused)
            BodyPaused = false;
    }

    public void Note(HeaderMap head, in Framing framing)
    {
        _minor = framing.Minor;
        _keepAliveAsked = framing.KeepAlive;
        Closing |= !framing.KeepAlive;
        _upgrade = framing.Upgrade;
        ReadOnlySpan<byte> method = head[KnownHeader.Method];
        _isHead = method.SequenceEqual("HEAD"u8);
        _connect = method.SequenceEqual("CONNECT"u8);
    }

    /// <summary>Bytes of the head that are no header field.</summary>
    public void CountPlain(int bytes) => _plainReceived += bytes;

    public void CountBody(int bytes) => _bodyReceived += bytes;

    public void OnWritable()
    {
        connection.Receiver?.OnSendable();
    }

    public void SendContinue()
    {
        Informed = true;
        connection.Transport.Send(_minor == 0 ? "HTTP/1.0 100 Continue\r\n\r\n"u8 : "HTTP/1.1 100 Continue\r\n\r\n"u8);
    }

    /// <inheritdoc/>
    public override void SendInformational(HeaderMap head)
    {
        if (Informed || HeadSent || _ended)
            return;
        Informed = true;
        _writer.Begin();
        _writer.PutStatusLine(head, _minor);
        _writer.PutHeaders(head, connection.Options.One.Spelling);
        _writer.Put("\r\n"u8);
        SendWritten();
    }

    /// <inheritdoc/>
    public override void SendHead(HeaderMap head, bool end)
    {
        if (_ended || HeadSent)
            return;
        HeadSent = true;
        int status = HeaderRules.Status(head);
        bool tunnel = _upgrade && !end && (status == 101 || (_connect && status is >= 200 and < 300));
        bool counted = head.Has(KnownHeader.ContentLength);
        _form = FormOf(status, end, counted, tunnel);

        // A request that isn't read to its end, or a body that only the end of the connection ends, costs the connection.
        Closing |= connection.GoingAway || (!tunnel && (!connection.RequestComplete || (_form == BodyForm.Raw && !end)));
        if (head.TryGet(KnownHeader.Connection, out ReadOnlySpan<byte> asked))
            Closing |= HeaderRules.HasToken(asked, "close"u8);
        Write(head, status, end, counted, tunnel);
        if (end)
            End();
    }

    private BodyForm FormOf(int status, bool end, bool counted, bool tunnel)
    {
        if (tunnel)
            return BodyForm.Raw;
        if (_isHead || status is < 200 or 204 or 304)
            return BodyForm.None;
        if (counted)
            return BodyForm.Length;
        return end ? BodyForm.None : _minor == 0 ? BodyForm.Raw : BodyForm.Chunks;
    }

    private void Write(HeaderMap head, int status, bool end, bool counted, bool tunnel)
    {
        HeaderSpelling spelling = connection.Options.One.Spelling;
        bool proper = spelling == HeaderSpelling.ProperCase;
        _writer.Begin();
        _writer.PutStatusLine(head, _minor);
        _plainSent += _writer.Written.Length + 2;
        _writer.PutHeaders(head, spelling, closing: Closing || _announced || (_minor == 0 && _keepAliveAsked && !tunnel));
        if (Closing || _announced)
            _writer.PutLine("connection"u8, "close"u8, null, proper);
        else if (_minor == 0 && _keepAliveAsked && !tunnel)
            _writer.PutLine("connection"u8, "keep-alive"u8, null, proper);
        if (!counted && !tunnel)
            WriteFraming(status, end, proper);
        _writer.Put("\r\n"u8);
        SendWritten();
    }

    // RFC 9112 6: what has no length is chunked; an empty answer says so; 1xx and 204 have no framing at all. HEAD answers tell what GET
    // would have.
    private void WriteFraming(int status, bool end, bool proper)
    {
        if (status is < 200 or 204)
            return;
        if (end && !_isHead && status == 304)
            return;
        if (end && !_isHead)
            _writer.PutLine("content-length"u8, "0"u8, null, proper);
        else if (_minor == 1)
            _writer.PutLine("transfer-encoding"u8, "chunked"u8, null, proper);
    }

    /// <inheritdoc/>
    public override void SendBody(ReadOnlySpan<byte> body, bool end)
    {
        if (_ended || !HeadSent)
            return;
        if (!body.IsEmpty && _form != BodyForm.None)
        {
            if (_form == BodyForm.Chunks)
            {
                SendChunk(body, end);
            }
            else
            {
                _bodySent += body.Length;
                connection.Transport.Send(body);
            }
        }
        else if (end && _form == BodyForm.Chunks)
        {
            _bodySent += 5;
            connection.Transport.Send("0\r\n\r\n"u8);
        }
        if (end)
            End();
    }

    private void SendChunk(ReadOnlySpan<byte> body, bool end)
    {
        _writer.Begin();
        _writer.PutChunkLine(body.Length);
        _bodySent += _writer.Written.Length + body.Length + (end ? 7 : 2);
        if (body.Length > 4096)
        {
            connection.Transport.Send(_writer.Written);
            connection.Transport.Send(body);
            connection.Transport.Send(end ? "\r\n0\r\n\r\n"u8 : "\r\n"u8);
            return;
        }
        _writer.Put(body);
        _writer.Put(end ? "\r\n0\r\n\r\n"u8 : "\r\n"u8);
        connection.Transport.Send(_writer.Written);
    }

    /// <inheritdoc/>
    public override void SendTrailers(HeaderMap trailers)
    {
        if (_ended || !HeadSent)
            return;
        if (_form == BodyForm.Chunks)
        {
            _writer.Begin();
            _writer.Put("0\r\n"u8);
            if (connection.Options.One.Trailers)
                _writer.PutHeaders(trailers, connection.Options.One.Spelling);
            _writer.Put("\r\n"u8);
            SendWritten();
        }
        End();
    }

    /// <inheritdoc/>
    public override void Reset(ResetReason reason)
    {
        if (_ended)
            return;
        _ended = true;
        connection.OnStreamReset();
    }

    /// <inheritdoc/>
    public override void CloseAfterResponse() => Closing = true;

    /// <inheritdoc/>
    public override void AnnounceClose() => _announced = true;

    private void End()
    {
        _ended = true;
        connection.OnResponseEnded();
    }

    private void SendWritten()
    {
        _headSent += _writer.Written.Length;
        connection.Transport.Send(_writer.Written);
    }
}
