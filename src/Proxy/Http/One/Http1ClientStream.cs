using Lateen.Proxy.Net;

namespace Lateen.Proxy.Http.One;

/// <summary>The request under way on a client connection: how it is sent. One object a connection, used again for each request.</summary>
internal sealed class Http1ClientStream(Http1ClientConnection connection) : UpstreamStream
{
    private enum BodyForm : byte
    {
        Raw,
        Chunks,

        /// <summary>An upgrade that is not agreed to yet: nothing may follow the head, or the upstream could take it for a second
        /// request.</summary>
        Early,
    }

    private readonly HeadWriter _writer = HeadWriter.OfThread;
    private long _headReceived, _bodyReceived, _headSent, _bodySent, _plainReceived, _plainSent;
    private InputHold _early;
    private BodyForm _form;
    private bool _over;

    /// <inheritdoc/>
    public override HttpVersion Version => HttpVersion.Http11;

    /// <inheritdoc/>
    public override Transport Transport => connection.Transport;

    /// <inheritdoc/>
    public override StreamBytes Bytes =>
        new(_headReceived, _bodyReceived, _headSent, _bodySent) { PlainReceived = _plainReceived, PlainSent = _plainSent };

    /// <inheritdoc/>
    public override bool CanSend => !connection.Transport.IsAboveWatermark && _early.Length < connection.Options.BufferLimit;

    /// <inheritdoc/>
    public override bool BodyPaused
    {
        get;
        set
        {
            field = value;
            if (!_over)
                connection.Transport.Reading = !value;
        }
    }

    /// <summary>The request was sent to its end.</summary>
    public bool RequestEnded { get; private set; }

    /// <summary>The request asked for an upgrade.</summary>
    public bool UpgradeAsked { get; private set; }

    /// <summary>The answer has no body whatever its head says.</summary>
    public bool IsHead { get; private set; }

    /// <summary>CONNECT: a 2xx answer opens a tunnel.</summary>
    public bool IsConnect { get; private set; }

    public void Begin()
    {
        (_headReceived, _bodyReceived, _headSent, _bodySent, _plainReceived, _plainSent) = (0, 0, 0, 0, 0, 0);
        _over = RequestEnded = UpgradeAsked = IsHead = IsConnect = false;
        if (BodyPaused)
            BodyPaused = false;
    }

    /// <summary>A head, and what of it is no header field.</summary>
    public void CountHead(int bytes, int plain)
    {
        _headReceived += bytes;
        _plainReceived += plain;
    }

    public void CountBody(int bytes) => _bodyReceived += bytes;

    public void OnWritable()
    {
        connection.Receiver?.OnSendable();
    }

    /// <inheritdoc/>
    public override void SendHead(HeaderMap head, bool end)
    {
        ReadOnlySpan<byte> method = head[KnownHeader.Method];
        IsHead = method.SequenceEqual("HEAD"u8);
        IsConnect = method.SequenceEqual("CONNECT"u8);
        UpgradeAsked = head.Has(KnownHeader.Upgrade) && HeaderRules.HasToken(head[KnownHeader.Connection], "upgrade"u8);
        bool proper = connection.Options.One.Spelling == HeaderSpelling.ProperCase && head.Case is null;
        _writer.Begin();
        _writer.PutRequestLine(head, connection.Options.One.SendFullUrl);
        _plainSent += _writer.Written.Length + 2;
        _writer.PutHeaders(head, connection.Options.One.Spelling);
        _form = BodyForm.Raw;
        if (UpgradeAsked || IsConnect)
        {
            _form = BodyForm.Early;
        }
        else if (!head.Has(KnownHeader.ContentLength))
        {
            // RFC 9110 8.6: a length of zero is said where the method could have a body.
            if (end && MayHaveBody(method))
                _writer.PutLine("content-length"u8, "0"u8, head.Case, proper);
            else if (!end)
                _writer.PutLine("transfer-encoding"u8, "chunked"u8, head.Case, proper);
            _form = end ? BodyForm.Raw : BodyForm.Chunks;
        }
        _writer.Put("\r\n"u8);
        SendWritten();
        if (end)
            End();
    }

    private static bool MayHaveBody(ReadOnlySpan<byte> method) =>
        !(method.SequenceEqual("GET"u8) || method.SequenceEqual("HEAD"u8) || method.SequenceEqual("DELETE"u8)
            || method.SequenceEqual("TRACE"u8));

    /// <inheritdoc/>
    public override void SendBody(ReadOnlySpan<byte> body, bool end)
    {
        if (_over || RequestEnded)
            return;
        if (_form != BodyForm.Chunks)
            _bodySent += body.Length;
        if (_form == BodyForm.Early)
        {
            _early.Append(body);
        }
        else if (_form == BodyForm.Chunks)
        {
            SendChunk(body, end);
        }
        else
        {
            connection.Transport.Send(body);
        }
        if (end)
            End();
    }

    private void SendChunk(ReadOnlySpan<byte> body, bool end)
    {
        _writer.Begin();
        if (!body.IsEmpty)
        {
            _writer.PutChunkLine(body.Length);
            _bodySent += _writer.Written.Length + body.Length + 2;
            if (body.Length > 4096)
            {
                connection.Transport.Send(_writer.Written);
                connection.Transport.Send(body);
                _writer.Begin();
            }
            else
            {
                _writer.Put(body);
            }
            _writer.Put("\r\n"u8);
        }
        if (end)
        {
            _bodySent += 5;
            _writer.Put("0\r\n\r\n"u8);
        }
        connection.Transport.Send(_writer.Written);
    }

    /// <inheritdoc/>
    public override void SendTrailers(HeaderMap trailers)
    {
        if (_over || RequestEnded)
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
        if (_over)
            return;
        _over = true;
        DropEarly();
        connection.OnStreamReset();
    }

    /// <summary>The response is complete: what is still sent of the request goes nowhere.</summary>
    public void OnResponseEnded()
    {
        _over = true;
        DropEarly();
    }

    /// <summary>The upstream agreed to the upgrade: what was held goes.</summary>
    public void OnUpgraded()
    {
        _form = BodyForm.Raw;
        if (_early.Length > 0)
            connection.Transport.Send(_early.Span);
        DropEarly();
        OnWritable();
    }

    /// <summary>What was held is of no use.</summary>
    public void DropEarly() => _early.Release();

    private void End() => RequestEnded = true;

    private void SendWritten()
    {
        _headSent += _writer.Written.Length;
        connection.Transport.Send(_writer.Written);
    }
}
