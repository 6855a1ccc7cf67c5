using System.Buffers.Text;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;

namespace Lateen.Proxy.Filters.ExtProc;

/// <summary>
/// One direction of an exchange: head, body, trailers, each shown to the server as the mode says and held until it is answered. A buffered
/// body is gathered while the head's answer is awaited; the head goes on with it.
/// </summary>
internal sealed class ProcDirection(ProcSlot slot, bool isRequest)
{
    private readonly ByteBuffer _whole = new(0);
    private HeaderMap _head = null!;
    private DirectionMode _mode;
    private byte[]? _replacement;
    private Stage _stage;
    private bool _gathered, _ended, _sent, _trailersSent;

    private enum Stage : byte
    {
        /// <summary>Nothing is awaited; what comes is looked at.</summary>
        Open,

        /// <summary>The head's answer is awaited.</summary>
        Head,

        /// <summary>The body is gathered.</summary>
        Gathering,

        /// <summary>The body's answer is awaited.</summary>
        Body,

        /// <summary>The trailers' answer is awaited.</summary>
        Trailers,

        /// <summary>What comes is dropped: the server gave another body.</summary>
        Dropping,

        /// <summary>The head's answer is awaited, and the body goes to the server meanwhile.</summary>
        DuplexHead,

        /// <summary>What comes goes to the server, what the server sends goes on.</summary>
        Duplex,

        /// <summary>Everything goes on unseen.</summary>
        Passing,
    }

    public bool IsWaiting => _stage is Stage.Head or Stage.DuplexHead or Stage.Body or Stage.Trailers;

    /// <summary>Bytes that came are with the server alone.</summary>
    public bool IsDuplex => _stage is Stage.Duplex || (_stage == Stage.DuplexHead && _sent);

    private bool Observes => slot.Config.Observes;

    private ReadOnlySpan<byte> Held => isRequest ? slot.HeldRequest : slot.HeldResponse;

    private bool HoldsTrailers => isRequest ? slot.HoldsRequestTrailers : slot.HoldsResponseTrailers;

    private HeaderMap Trailers => isRequest ? slot.Exchange.RequestTrailers : slot.Exchange.ResponseTrailers!;

    /// <summary>The server changed the mode; what has begun goes on as it began.</summary>
    public void Adopt(DirectionMode mode) => _mode = _stage is Stage.Open or Stage.Head ? mode : _mode;

    public bool Expects(ProcessingStep step) => step switch
    {
        ProcessingStep.RequestHead or ProcessingStep.ResponseHead => _stage is Stage.Head or Stage.DuplexHead,
        ProcessingStep.RequestBody or ProcessingStep.ResponseBody => _stage is Stage.Body or Stage.Duplex,
        _ => _stage == Stage.Trailers || (_stage == Stage.Duplex && _trailersSent),
    };

    public FilterVerdict OnHead(HeaderMap head, DirectionMode mode, bool end)
    {
        _head = head;
        _mode = end ? mode with { Body = BodyMode.None, Trailers = false } : mode;
        _stage = Stage.Open;
        _gathered = false;
        _ended = end;
        _sent = _trailersSent = false;
        _replacement = null;
        if (_mode.Body is BodyMode.Streamed or BodyMode.Duplex && !Observes)
            head.Remove(KnownHeader.ContentLength);
        if (_mode.Body == BodyMode.Duplex && !Observes)
        {
            _stage = mode.Head ? Stage.DuplexHead : Stage.Duplex;
            if (!mode.Head)
                return FilterVerdict.Continue;
            slot.SendHead(isRequest, head, end);
            return FilterVerdict.Buffer;
        }
        if (mode.Head)
        {
            slot.SendHead(isRequest, head, end);
            if (Observes)
                return FilterVerdict.Continue;
            _stage = Stage.Head;
            return _mode.Body == BodyMode.Buffered ? FilterVerdict.Buffer : FilterVerdict.Stop;
        }
        if (_mode.Body != BodyMode.Buffered || Observes)
            return FilterVerdict.Continue;
        _stage = Stage.Gathering;
        return FilterVerdict.Buffer;
    }

    public FilterVerdict OnBody(ref ReadOnlySpan<byte> body, bool end)
    {
        switch (_stage)
        {
            case Stage.Head:
                _gathered = end;
                return end ? FilterVerdict.Stop : FilterVerdict.Buffer;
            case Stage.Gathering when !end:
                return FilterVerdict.Buffer;
            case Stage.Gathering:
                _whole.Clear();
                _whole.Append(Held);
                _whole.Append(body);
                Ask(_whole.Written, end: true);
                return FilterVerdict.Stop;
            case Stage.Open when _mode.Body == BodyMode.Streamed || (_mode.Body == BodyMode.Buffered && Observes):
                Ask(body, end);
                return Observes ? FilterVerdict.Continue : FilterVerdict.Stop;
            case Stage.Duplex or Stage.DuplexHead:
                slot.SendBody(isRequest, body, end, timed: false);
                GiveAway(ref body, end);
                return FilterVerdict.Buffer;
            case Stage.Open when _mode.Body == BodyMode.Duplex:
                Ask(body, end);
                return FilterVerdict.Continue;
            case Stage.Dropping:
                body = end ? _replacement : default;
                return end ? FilterVerdict.Continue : FilterVerdict.Buffer;
            default:
                return IsWaiting ? FilterVerdict.Stop : FilterVerdict.Continue;
        }
    }

    // Until the server has answered the head, what it was sent is kept, within the limit, where the exchange may go on without it.
    private void GiveAway(ref ReadOnlySpan<byte> body, bool end)
    {
        if (_stage == Stage.DuplexHead && !_sent && slot.FailureModeAllow
            && !(isRequest ? slot.RequestOverflows(body.Length, end) : slot.ResponseOverflows(body.Length, end)))
            return;
        if (!_sent)
            ReplaceHeld([]);
        _sent = true;
        body = default;
    }

    private void Ask(ReadOnlySpan<byte> body, bool end)
    {
        slot.SendBody(isRequest, body, end);
        if (!Observes)
            _stage = Stage.Body;
    }

    public FilterVerdict OnTrailers()
    {
        switch (_stage)
        {
            case Stage.Head:
                _gathered = true;
                return FilterVerdict.Stop;
            case Stage.Gathering:
                Ask(Held, end: false);
                return FilterVerdict.Stop;
            case Stage.Duplex or Stage.DuplexHead:
                _trailersSent = true;
                slot.SendTrailers(isRequest, Trailers, timed: false);
                return FilterVerdict.Buffer;
            case Stage.Open when _mode.Trailers:
                slot.SendTrailers(isRequest, Trailers);
                if (Observes)
                    return FilterVerdict.Continue;
                _stage = Stage.Trailers;
                return FilterVerdict.Stop;
            default:
                return IsWaiting ? FilterVerdict.Stop : FilterVerdict.Continue;
        }
    }

    public void OnAnswer(ProcessingAnswer answer)
    {
        Stage stage = _stage;
        bool isTrailers = answer.Step is ProcessingStep.RequestTrailers or ProcessingStep.ResponseTrailers;
        HeaderMap target = isTrailers ? Trailers : _head;
        bool headIsHere = stage is Stage.Head or Stage.DuplexHead || isTrailers || (stage == Stage.Body && _mode.Body == BodyMode.Buffered);
        if (headIsHere && !slot.Edit(target, answer))
        {
            slot.Fail(500, "ext_proc_error_header_mutation_rejected");
            return;
        }
        if (isRequest && !isTrailers)
            slot.Refresh(answer);
        switch (stage)
        {
            case Stage.Head:
                AfterHead(answer);
                break;
            case Stage.Body:
                AfterBody(answer);
                break;
            case Stage.DuplexHead:
                _stage = Stage.Duplex;
                ReleaseHead();
                break;
            case Stage.Duplex when !isTrailers:
                Inject(answer);
                break;
            default:
                _stage = Stage.Passing;
                Resume();
                break;
        }
    }

    private void ReleaseHead()
    {
        _sent = true;
        if (isRequest)
        {
            slot.ReleaseRequestHead();
        }
        else
        {
            slot.ReleaseResponseHead();
        }
    }

    private void Inject(ProcessingAnswer answer)
    {
        if (!answer.IsStreamed)
        {
            slot.Fail(500, "ext_proc_error_spurious_message");
            return;
        }
        if (answer.EndsStream)
            _stage = Stage.Passing;
        if (isRequest)
            slot.InjectRequest(answer.Body, answer.EndsStream);
        else
            slot.InjectResponse(answer.Body, answer.EndsStream);
    }

    private void AfterHead(ProcessingAnswer answer)
    {
        if (answer.ReplacesAll)
        {
            ReplaceAll(answer.Body ?? []);
            return;
        }
        if (_mode.Body != BodyMode.Buffered)
        {
            _stage = Stage.Open;
            Resume();
        }
        else if (_gathered)
        {
            Ask(Held, end: !HoldsTrailers);
        }
        else
        {
            _stage = Stage.Gathering;
            Buffer();
        }
    }

    private void ReplaceAll(byte[] body)
    {
        SetLength(body.Length);
        if (_gathered || _ended)
        {
            _stage = Stage.Passing;
            ReplaceHeld(body);
            Resume();
            return;
        }
        _replacement = body;
        _stage = Stage.Dropping;
        ReplaceHeld([]);
        Buffer();
    }

    private void AfterBody(ProcessingAnswer answer)
    {
        if (answer.Body is { } body)
        {
            if (_mode.Body == BodyMode.Buffered)
            {
                SetLength(body.Length);
                ReplaceHeld(body);
            }
            else if (isRequest)
            {
                slot.ReplaceShownRequest(body);
            }
            else
            {
                slot.ReplaceShownResponse(body);
            }
        }
        if (_mode.Trailers && HoldsTrailers)
        {
            slot.SendTrailers(isRequest, Trailers);
            _stage = Stage.Trailers;
            return;
        }
        _stage = _mode.Body == BodyMode.Buffered ? Stage.Passing : Stage.Open;
        Resume();
    }

    private void SetLength(int length)
    {
        if (!_head.Has(KnownHeader.ContentLength))
            return;
        Span<byte> text = stackalloc byte[11];
        Utf8Formatter.TryFormat(length, text, out int n);
        _head.Set(KnownHeader.ContentLength, text[..n]);
    }

    private void ReplaceHeld(byte[] body)
    {
        if (isRequest)
            slot.ReplaceHeldRequest(body);
        else
            slot.ReplaceHeldResponse(body);
    }

    private void Buffer()
    {
        if (isRequest)
            slot.BufferRequest();
        else
            slot.BufferResponse();
    }

    private void Resume()
    {
        if (isRequest)
            slot.ResumeRequest();
        else
            slot.ResumeResponse();
    }

    /// <summary>The server is gone: what is held goes on.</summary>
    public void Release()
    {
        bool held = _stage is not (Stage.Open or Stage.Passing);
        _stage = Stage.Passing;
        if (held)
            Resume();
    }

    public void Reset()
    {
        _stage = Stage.Passing;
        _replacement = null;
        _whole.Clear();
    }
}
