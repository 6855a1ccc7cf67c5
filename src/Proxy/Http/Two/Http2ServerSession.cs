using Lateen.Proxy.Http.Two.Blocks;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Http.Two;

/// <summary>The server's role: header blocks become requests.</summary>
internal sealed class Http2ServerSession(Transport transport, RequestAcceptor acceptor, CodecOptions options)
    : Http2Session(transport, options)
{
    // Rapid reset (CVE-2023-44487) and its kin (CVE-2025-8671): of 500 streams more than half ended young, by whichever side.
    private const int PrematureWindow = 500;
    private const long PrematureMicros = 1_000_000;

    private DelayedClose? _lingering;
    private HeaderMap? _ignored;

    // Streams that were answered whole while their requests went on: told with what else leaves behind the input.
    private readonly List<uint> _unread = [];
    private int _prefaceSeen;
    private uint _newStream;
    private long _closed, _premature;
    private bool _noticed, _final;

    public RequestAcceptor Acceptor => acceptor;

    protected override bool IsServer => true;

    // ---- Input ----

    /// <summary>Takes what arrived; the preface comes first (RFC 9113 3.4).</summary>
    public void ReceiveWithPreface(ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<byte> preface = ProtocolSniffer.Preface;
        if (_prefaceSeen < preface.Length && !Ended)
        {
            int n = Math.Min(preface.Length - _prefaceSeen, bytes.Length);
            if (!bytes[..n].SequenceEqual(preface.Slice(_prefaceSeen, n)))
            {
                Close("codec_error");
                return;
            }
            _prefaceSeen += n;
            bytes = bytes[n..];
            if (_prefaceSeen < preface.Length)
                return;
            SendSettings();
        }
        Receive(bytes);
    }

    protected override bool IsIdle(uint id) => id > LastPeerStream || (id & 1) == 0;

    protected override bool OnHeadersBegin(uint id)
    {
        _newStream = 0;
        if (Find(id) is { } stream)
        {
            if (!stream.RemoteEnded)
                return true;
            Close("codec_error");
            return false;
        }
        if ((id & 1) == 0)
        {
            Close("codec_error");
            return false;
        }
        if (id <= LastPeerStream)
            return true;
        if (Active >= Options.Two.ConcurrentStreamsMax)
        {
            Close("codec_error");
            return false;
        }
        LastPeerStream = _newStream = id;
        return true;
    }

    protected override void OnBlock(uint id, bool endStream, ReadOnlySpan<byte> block)
    {
        if (Find(id) is { } stream)
            OnTrailers(stream, endStream, block);
        else if (_newStream == id && !_final)
            OnRequest(id, endStream, block);
        else
            DecodeIgnored(id, endStream, block);
    }

    private void DecodeIgnored(uint id, bool endStream, ReadOnlySpan<byte> block)
    {
        Decode(BlockKind.Ignored, _ignored ??= new HeaderMap(), endStream, block, null);
        if (endStream)
            OnClosedEnd(id);
    }

    private void OnRequest(uint id, bool endStream, ReadOnlySpan<byte> block)
    {
        Http2ServerStream face = Accept(id);
        Http2Stream core = face.Core;
        HeaderMap head = face.Receiver.RequestHead;
        if (!Decode(BlockKind.Request, head, endStream, block, acceptor))
            return;
        core.HeadReceivedBytes = block.Length;
        if (Builder.Fault != BlockFault.None)
        {
            // Nothing of a refused head is shown.
            head.Clear();
            Refuse(core);
            return;
        }
        core.HeadReceived = true;
        core.RemoteEnded = endStream;
        (core.HasLength, core.Length) = (Builder.HasLength, Builder.Length);
        if (head.TryGet(KnownHeader.Protocol, out ReadOnlySpan<byte> protocol))
            ShowAsUpgrade(head, protocol, face);
        else
            face.Tunnel = head[KnownHeader.Method].SequenceEqual("CONNECT"u8);
        if (!Options.Proxy100Continue && HeaderRules.SameText(head[KnownHeader.Expect], "100-continue"u8))
        {
            head.Remove(KnownHeader.Expect);
            face.SendContinue();
        }
        face.Receiver.OnRequestHead(endStream);
    }

    private Http2ServerStream Accept(uint id)
    {
        Http2Stream core = TakeSpare();
        OpenStream(core, id);
        Http2ServerStream face = core.Server ??= new Http2ServerStream(this, core);
        face.Begin();
        face.Receiver = acceptor.OnRequest(face);
        return face;
    }

    // RFC 8441: inside the proxy an extended CONNECT looks like the HTTP/1 upgrade that it stands for.
    private static void ShowAsUpgrade(HeaderMap head, ReadOnlySpan<byte> protocol, Http2ServerStream face)
    {
        face.Extended = true;
        head.Add(KnownHeader.Upgrade, protocol);
        head.Add(KnownHeader.Connection, "upgrade"u8);
        head.Set(KnownHeader.Method, "GET"u8);
        head.Remove(KnownHeader.Protocol);
    }

    private void OnTrailers(Http2Stream core, bool endStream, ReadOnlySpan<byte> block)
    {
        RequestReceiver receiver = core.Server!.Receiver;
        if (!Decode(BlockKind.RequestTrailers, receiver.RequestTrailers, endStream, block, acceptor))
            return;
        core.HeadReceivedBytes += block.Length;
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
        core.RemoteEnded = true;
        acceptor.OnCodecEvent(CodecEvent.Trailers);
        receiver.OnRequestTrailers();
    }

    // A limit of ours costs the stream; a malformed message the connection, unless the options spare it.
    private void Refuse(Http2Stream core)
    {
        string detail = Builder.Detail;
        if (!Builder.IsMalformed)
        {
            StreamError(core, ErrorCode.InternalError, ResetReason.Overflow, detail);
            return;
        }
        OnEvent(CodecEvent.RxMessagingError);
        if (Options.Two.StreamErrorOnInvalidMessage ?? Options.StreamErrorOnInvalidMessage)
            StreamError(core, ErrorCode.ProtocolError, ResetReason.ProtocolError, detail);
        else
            Close(detail);
    }

    protected override void OnBody(Http2Stream stream, ReadOnlySpan<byte> body, bool end) =>
        stream.Server!.Receiver.OnRequestBody(body, end);

    // ---- Output ----

    public void SendContinue(Http2Stream core)
    {
        Encoder.Begin();
        Encoder.Add(KnownHeader.Status, "100"u8);
        SendBlock(core, false);
    }

    public void SendHead(Http2Stream core, HeaderMap head, bool end, bool extended)
    {
        ReadOnlySpan<byte> status = head[KnownHeader.Status];
        Encoder.Begin();
        Encoder.Add(KnownHeader.Status, extended && status.SequenceEqual("101"u8) ? "200"u8 : status);
        Http2Fields.Encode(head, Encoder);
        SendBlock(core, end);
        if (!end || core.Id == 0)
            return;
        core.LocalEnded = true;
        OnLocalEnd(core);
    }

    // RFC 9113 8.1: a client that still sends is told, without blame, that nobody reads it. While input is being taken its end may lie
    // behind the head that was answered: then there is nothing to tell.
    protected override void OnLocalEnd(Http2Stream stream)
    {
        Http2ServerStream face = stream.Server!;
        if (!stream.RemoteEnded && stream.Id != 0)
            _unread.Add(stream.Id);
        if (!IsReceiving)
            OnReceived();
        Release(stream, byReset: false);
        face.Receiver.OnStreamDone();
        Spare(stream);
        EndIfDrained();
    }

    protected override void OnClosedEnd(uint id) => _unread.Remove(id);

    protected override void OnReceived()
    {
        foreach (uint id in _unread)
            SendReset(id, ErrorCode.NoError);
        _unread.Clear();
    }

    /// <summary>We give the stream up.</summary>
    public void Reset(Http2Stream stream, ResetReason reason)
    {
        SendReset(stream.Id, reason switch
        {
            ResetReason.RemoteRefused => ErrorCode.RefusedStream,
            ResetReason.ProtocolError => ErrorCode.ProtocolError,
            ResetReason.ConnectError => ErrorCode.ConnectError,
            ResetReason.Overflow => ErrorCode.EnhanceYourCalm,
            _ => ErrorCode.InternalError,
        });
        Http2ServerStream face = stream.Server!;
        Release(stream, byReset: false);
        Spare(stream);
        EndIfDrained();
    }

    // ---- Ends of streams ----

    protected override void OnReset(Http2Stream stream, ErrorCode code)
    {
        Http2ServerStream face = stream.Server!;
        Release(stream, byReset: true);
        face.Receiver.OnRequestReset(code == ErrorCode.RefusedStream ? ResetReason.RemoteRefused : ResetReason.RemoteReset,
            "http2.remote_reset");
        Spare(stream);
        EndIfDrained();
    }

    protected override void OnStreamError(Http2Stream stream, ResetReason reason, string detail)
    {
        Http2ServerStream face = stream.Server!;
        Release(stream, byReset: true);
        face.Receiver.OnRequestReset(reason, detail);
        Spare(stream);
        EndIfDrained();
    }

    private void Release(Http2Stream stream, bool byReset)
    {
        bool young = Transport.Loop.Now - stream.OpenedAt < PrematureMicros;
        CloseStream(stream);
        _closed++;
        if (!byReset || !young)
            return;
        _premature++;

        // Half of the window is enough: whatever follows, more than half of it will have been bad.
        if (_premature <= PrematureWindow / 2 || _premature * 2 <= _closed || Ended)
            return;
        acceptor.OnCodecEvent(CodecEvent.TooManyPrematureResets);
        Close("too_many_premature_resets", FailureKind.Overloaded);
    }

    protected override void OnSendable(Http2Stream stream) => stream.Server!.Receiver.OnSendable();

    // ---- Ends of the connection ----

    /// <summary>GOAWAY with the largest number: the client shall go elsewhere with new requests, those on their way are still
    /// served.</summary>
    public void NoticeShutdown()
    {
        if (_noticed || Ended)
            return;
        _noticed = true;
        SendGoAway(int.MaxValue, ErrorCode.NoError);
    }

    /// <summary>GOAWAY with the last number: nothing behind it is served; the connection ends with the last stream.</summary>
    public void FinishDrain()
    {
        if (_final || Ended)
            return;
        _noticed = _final = true;
        SendGoAway(LastPeerStream, ErrorCode.NoError);
        EndIfDrained();
    }

    private void EndIfDrained()
    {
        if (!_final || Active > 0 || _lingering is not null)
            return;
        EndTransport();
    }

    // What the client still sends would turn our close into a RST, which can destroy what is on its way to it: so it is read on for a
    // while.
    protected override void EndTransport()
    {
        if (Options.DelayedCloseMicros == 0)
        {
            Transport.Close();
            return;
        }
        if (_lingering is not null)
            return;
        Transport.Flush();
        Transport.Loop.Arm(_lingering = new DelayedClose(this), Options.DelayedCloseMicros);
    }

    private void EndLingering()
    {
        acceptor.OnCodecEvent(CodecEvent.DelayedCloseTimeout);
        Transport.Close();
    }

    private sealed class DelayedClose(Http2ServerSession session) : Deadline
    {
        protected internal override void OnDue(long now) => session.EndLingering();
    }

    protected override void OnGoAway(uint lastStream, ErrorCode code)
    {
        // The client begins no more; what runs goes on.
    }

    protected override void OnFailure(string detail, FailureKind kind)
    {
        if (BlockStream != 0 && BlockStream == _newStream && Find(BlockStream) is null)
        {
            Http2ServerStream face = Accept(BlockStream);
            face.Receiver.RequestHead.Clear();
        }
        TellAll(ResetReason.ProtocolError, detail);
        acceptor.OnConnectionError(detail, kind);
    }

    /// <summary>The client is gone.</summary>
    public void Disconnected() => TellAll(ResetReason.ConnectionTerminated, "downstream_remote_disconnect");

    private void TellAll(ResetReason reason, string detail)
    {
        while (Active > 0)
        {
            foreach (Http2Stream stream in Streams.All())
            {
                if (stream.Id == 0)
                    continue;
                CloseStream(stream);
                stream.Server!.Receiver.OnRequestReset(reason, detail);
            }
        }
    }

    public override void OnClosed()
    {
        base.OnClosed();
        if (_lingering is { IsArmed: true } timer)
            Transport.Loop.Disarm(timer);
        Disconnected();
    }

    protected override void OnEvent(CodecEvent what) => acceptor.OnCodecEvent(what);
}

/// <summary>Which fields of a <see cref="HeaderMap"/> an HTTP/2 header block may have besides its pseudo-headers.</summary>
internal static class Http2Fields
{
    // Pseudo-headers, which have their place in front, and what belongs to an HTTP/1 connection (RFC 9113 8.2.2).
    private static readonly KnownHeaderSet Barred = KnownHeaderSet.Of(
        KnownHeader.Method, KnownHeader.Path, KnownHeader.Scheme, KnownHeader.Authority, KnownHeader.Protocol, KnownHeader.Status,
        KnownHeader.Connection, KnownHeader.KeepAlive, KnownHeader.ProxyConnection, KnownHeader.TransferEncoding, KnownHeader.Upgrade,
        KnownHeader.Http2Settings);

    /// <summary>Encodes the fields that an HTTP/2 header block has behind its pseudo-headers.</summary>
    public static void Encode(HeaderMap head, HpackEncoder encoder)
    {
        for (int i = 0; i < head.End; i++)
        {
            if (!head.At(i, out KnownHeader known, out ReadOnlySpan<byte> value) || Barred.Has(known))
                continue;
            if (known != KnownHeader.None)
                encoder.Add(known, value);
            else
                encoder.Add(known, head.NameAt(i), value);
        }
    }
}
