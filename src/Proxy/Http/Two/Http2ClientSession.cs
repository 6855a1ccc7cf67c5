using Lateen.Proxy.Http.Two.Blocks;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Http.Two;

/// <summary>The client's role: header blocks become responses.</summary>
internal sealed class Http2ClientSession(Http2ClientConnection connection, Transport transport, UpstreamConnectionOwner owner,
    CodecOptions options)
    : Http2Session(transport, options)
{
    private HeaderMap? _ignored;
    private uint _nextId = 1;
    private int _begun;
    private string _detail = "";
    private bool _draining, _told;

    /// <summary>Requests begun and not over.</summary>
    public int InFlight => Active + _begun;

    /// <summary>How many more may begin.</summary>
    public int Free => _draining || Ended || Transport.IsClosed || _nextId > int.MaxValue
        ? 0
        : (int)Math.Max(0, Math.Min(PeerStreamsMax, Options.Two.ConcurrentStreamsMax) - (long)InFlight);

    protected override bool IsServer => false;

    /// <summary>Preface, SETTINGS and the connection's window.</summary>
    public void Start()
    {
        Transport.Send(ProtocolSniffer.Preface);
        SendSettings();
        OpenConnectionWindow();
    }

    // ---- Requests ----

    public UpstreamStream Begin(ResponseReceiver receiver)
    {
        if (Free == 0)
            throw new InvariantException("a request was begun on a connection without a free stream");
        Http2Stream core = TakeSpare();
        core.ForgetCounts();
        Http2ClientStream face = core.Client ??= new Http2ClientStream(this, core);
        face.Begin(receiver);
        _begun++;
        PingIfSilent();
        return face;
    }

    // Numbers are given in the order in which heads leave (RFC 9113 5.1.1).
    public void SendHead(Http2ClientStream face, HeaderMap head, bool end)
    {
        _begun--;
        if (Ended)
        {
            ResponseReceiver receiver = face.Receiver!;
            face.Receiver = null;
            receiver.OnResponseReset(ResetReason.ConnectionTerminated, "connection_termination");
            return;
        }
        Http2Stream core = face.Core;
        OpenStream(core, _nextId);
        _nextId += 2;
        core.Paused = face.BodyPaused;
        face.IsHead = head[KnownHeader.Method].SequenceEqual("HEAD"u8);
        face.Extended = head.Has(KnownHeader.Upgrade) && HeaderRules.HasToken(head[KnownHeader.Connection], "upgrade"u8);
        if (face.Extended)
            face.Protocol = head[KnownHeader.Upgrade].ToArray();
        EncodeHead(face, head);
        SendBlock(core, end);
        core.LocalEnded = end;
    }

    private void EncodeHead(Http2ClientStream face, HeaderMap head)
    {
        ReadOnlySpan<byte> method = face.Extended ? "CONNECT"u8 : head[KnownHeader.Method];
        bool tunnel = !face.Extended && method.SequenceEqual("CONNECT"u8);
        Encoder.Begin();
        Encoder.Add(KnownHeader.Method, method);
        if (face.Extended)
            Encoder.Add(KnownHeader.Protocol, head[KnownHeader.Upgrade]);
        if (!tunnel)
        {
            Encoder.Add(KnownHeader.Scheme, head.TryGet(KnownHeader.Scheme, out ReadOnlySpan<byte> scheme) ? scheme : "http"u8);
            Encoder.Add(KnownHeader.Path, head[KnownHeader.Path]);
        }
        if (head.TryGet(KnownHeader.Authority, out ReadOnlySpan<byte> authority))
            Encoder.Add(KnownHeader.Authority, authority);
        Http2Fields.Encode(head, Encoder);
    }

    // ---- Responses ----

    protected override bool IsIdle(uint id) => id >= _nextId || (id & 1) == 0;

    protected override bool OnHeadersBegin(uint id)
    {
        if (!IsIdle(id))
            return true;
        Close("codec_error");
        return false;
    }

    protected override void OnBlock(uint id, bool endStream, ReadOnlySpan<byte> block)
    {
        if (Find(id) is not { RemoteEnded: false } core)
        {
            Decode(BlockKind.Ignored, _ignored ??= new HeaderMap(), endStream, block, null);
            return;
        }
        core.HeadReceivedBytes += block.Length;
        if (core.HeadReceived)
            OnTrailers(core, endStream, block);
        else
            OnHead(core, endStream, block);
    }

    private void OnHead(Http2Stream core, bool endStream, ReadOnlySpan<byte> block)
    {
        Http2ClientStream face = core.Client!;
        HeaderMap head = face.Receiver!.ResponseHead;
        if (!Decode(BlockKind.Response, head, endStream, block, null))
            return;
        int status = HeaderRules.Status(head);
        if (Builder.Fault != BlockFault.None || (status < 200 && (endStream || status == 101)))
        {
            Refuse(core);
            return;
        }
        if (status < 200)
        {
            if (status is 100 or 102 or 103 or 104)
                face.Receiver.OnInformational();
            return;
        }
        bool bodiless = face.IsHead || status is 204 or 304;
        core.HeadReceived = true;
        (core.HasLength, core.Length) = (Builder.HasLength && !bodiless, Builder.Length);
        if (endStream && core.HasLength && core.Length > 0)
        {
            StreamError(core, ErrorCode.ProtocolError, ResetReason.ProtocolError, "http2.violation.of.messaging.rule");
            return;
        }
        if (face.Extended && status == 200 && !endStream)
            ShowAsUpgrade(head, face);
        if (!endStream)
        {
            face.Receiver.OnResponseHead(false);
            return;
        }
        Complete(core);
        face.Receiver.OnResponseHead(true);
        Finish(face);
    }

    private static void ShowAsUpgrade(HeaderMap head, Http2ClientStream face)
    {
        head.Set(KnownHeader.Status, "101"u8);
        head.Set(KnownHeader.Connection, "upgrade"u8);
        head.Set(KnownHeader.Upgrade, face.Protocol);
    }

    private void OnTrailers(Http2Stream core, bool endStream, ReadOnlySpan<byte> block)
    {
        Http2ClientStream face = core.Client!;
        if (!Decode(BlockKind.ResponseTrailers, face.Receiver!.ResponseTrailers, endStream, block, null))
            return;
        if (Builder.Fault != BlockFault.None)
        {
            Refuse(core);
            return;
        }
        if (core.HasLength && core.Received != core.Length)
        {
            StreamError(core, ErrorCode.ProtocolError, ResetReason.ProtocolError, "http2.remote_reset");
            return;
        }
        Complete(core);
        face.Receiver.OnResponseTrailers();
        Finish(face);
    }

    private void Refuse(Http2Stream core)
    {
        string detail = Builder.Fault == BlockFault.None ? "http2.violation.of.messaging.rule" : Builder.Detail;
        if (Builder.Fault is BlockFault.TooLarge or BlockFault.TooMany)
            StreamError(core, ErrorCode.InternalError, ResetReason.RemoteReset, detail);
        else if (Options.Two.StreamErrorOnInvalidMessage ?? Options.StreamErrorOnInvalidMessage)
            StreamError(core, ErrorCode.ProtocolError, ResetReason.ProtocolError, detail);
        else
            Close(detail);
    }

    protected override void OnBody(Http2Stream stream, ReadOnlySpan<byte> body, bool end)
    {
        Http2ClientStream face = stream.Client!;
        if (!end)
        {
            face.Receiver!.OnResponseBody(body, false);
            return;
        }
        Complete(stream);
        face.Receiver!.OnResponseBody(body, true);
        Finish(face);
    }

    // ---- Ends of streams ----

    // The response is whole; where the request isn't, the upstream is told that the rest won't come. The receiver hears of the end between
    // Complete and Finish, so that the counts still stand, and before anyone can be given the stream again.
    private Http2ClientStream Complete(Http2Stream core)
    {
        core.RemoteEnded = true;
        if (!core.PendingEnd || core.LocalEnded)
        {
            if (!core.LocalEnded)
                SendReset(core.Id, ErrorCode.InternalError);
            return Unlink(core);
        }

        // All of the request is here and waits for a window: it may still leave.
        core.Orphan = true;
        return core.Client!;
    }

    private Http2ClientStream Unlink(Http2Stream core)
    {
        CloseStream(core);
        return core.Client!;
    }

    private void Finish(Http2ClientStream face)
    {
        face.Receiver = null;
        if (face.Core.Id == 0)
            Spare(face.Core);
        Settle();
    }

    private void EndByReset(Http2Stream core, ResetReason reason, string detail)
    {
        Http2ClientStream face = Unlink(core);
        face.Receiver!.OnResponseReset(reason, detail);
        Finish(face);
    }

    private void Settle()
    {
        if (_draining && InFlight == 0)
            Transport.Close();
        else if (!_draining && !Ended)
            owner.OnFree(connection);
    }

    protected override void OnLocalEnd(Http2Stream stream)
    {
        // The stream lives until its response ends, or until now where that was earlier.
        if (stream.Orphan)
            CloseOrphan(stream);
    }

    private void CloseOrphan(Http2Stream stream)
    {
        CloseStream(stream);
        Spare(stream);
    }

    public void Reset(Http2ClientStream face, ResetReason reason)
    {
        if (!face.HeadSent)
        {
            _begun--;
            Finish(face);
            return;
        }
        Http2Stream core = face.Core;
        if (core.Id == 0)
            return;
        SendReset(core.Id, reason switch
        {
            ResetReason.ProtocolError => ErrorCode.ProtocolError,
            ResetReason.ConnectError => ErrorCode.ConnectError,
            // Envoy's code for a request that is given up, whatever the reason.
            _ => ErrorCode.InternalError,
        });
        Finish(Unlink(core));
    }

    protected override void OnReset(Http2Stream stream, ErrorCode code)
    {
        if (stream.Orphan)
        {
            CloseOrphan(stream);
            return;
        }
        ResetReason reason = code switch
        {
            ErrorCode.RefusedStream => ResetReason.RemoteRefused,
            ErrorCode.ConnectError => ResetReason.ConnectError,
            _ => ResetReason.RemoteReset,
        };
        EndByReset(stream, reason, "http2.remote_reset");
    }

    protected override void OnStreamError(Http2Stream stream, ResetReason reason, string detail) 
    {
        if (stream.Orphan)
            CloseOrphan(stream);
        else
            EndByReset(stream, reason, detail);
    }

    protected override void OnSendable(Http2Stream stream) => stream.Client!.Receiver?.OnSendable();

    // ---- Ends of the connection ----

    public void Drain()
    {
        _draining = _told = true;
        if (InFlight == 0)
            Transport.Close();
    }

    protected override void OnPeerSettings()
    {
        if (Free > 0)
            owner.OnFree(connection);
    }

    // RFC 9113 6.8: what lies behind the last number was not touched and may be tried elsewhere.
    protected override void OnGoAway(uint lastStream, ErrorCode code)
    {
        _draining = true;
        if (!_told)
        {
            _told = true;
            owner.OnDraining(connection);
        }
        foreach (Http2Stream stream in Streams.All())
        {
            if (stream.Id > lastStream)
                OnStreamError(stream, ResetReason.RemoteRefused, "http2.goaway");
        }
        if (InFlight == 0)
            Transport.Close();
    }

    protected override void OnFailure(string detail, FailureKind kind)
    {
        _detail = detail;
        bool broken = kind != FailureKind.ConnectionTerminated;
        TellAll(broken ? ResetReason.ProtocolError : ResetReason.ConnectionTerminated, broken ? detail : "connection_termination");
    }

    /// <summary>The transport is over.</summary>
    public void OnTransportClosed(CloseReason reason)
    {
        OnClosed();
        TellAll(ResetReason.ConnectionTerminated, "connection_termination");
        owner.OnClosed(connection, reason, _detail);
    }

    private void TellAll(ResetReason reason, string detail)
    {
        _draining = true;
        while (Active > 0)
        {
            foreach (Http2Stream stream in Streams.All())
            {
                if (stream.Id == 0)
                    continue;
                Http2ClientStream face = Unlink(stream);
                face.Receiver?.OnResponseReset(reason, detail);
                face.Receiver = null;
            }
        }
    }

    protected override void OnEvent(CodecEvent what) => owner.OnCodecEvent(what);
}
