using System.Text;
using Lateen.Proxy.Net;
using Lateen.Proxy.Tls.Certificates;

namespace Lateen.Proxy.Tls;

/// <summary>
/// TLS around a transport. <see cref="TransportHandler.OnConnected"/> tells that the handshake is complete, on both sides. What is sent
/// before that waits. Small writes of a turn become one record. A failed handshake ends with <see cref="CloseReason.Tls"/> and tells why in
/// <see cref="FailureReason"/>.
/// </summary>
public sealed unsafe partial class TlsTransport : Transport
{
    private readonly Transport _inner;
    private readonly TlsConnectOptions _options;
    private readonly Gathering _gathering;
    private readonly string _sni;
    private nint _ssl;
    private OutputQueue _plain;
    private OutputQueue _kept;
    private HandshakeClock? _clock;
    private Resumption? _resumption;
    private Verdict _verdict = Verdict.None;
    private CloseReason? _reason;
    private bool _complete, _reading = true, _ending, _endSent, _peerEnded, _closing;

    private TlsTransport(Transport inner, TlsContext context, TlsConnectOptions options)
    {
        _inner = inner;
        _options = options;
        _gathering = new Gathering(this);
        Context = context;
        _sni = options.Sni ?? context.Options.Sni;
        _ssl = context.NewSession();
        nint bio = OpenSsl.BIO_new(TlsScratch.Method);
        OpenSsl.BIO_set_init(bio, 1);
        OpenSsl.SSL_set_bio(_ssl, bio, bio);
        if (context.Options.IsServer)
            OpenSsl.SSL_set_accept_state(_ssl);
        else
            PrepareClient();
    }

    /// <summary>Its context.</summary>
    public TlsContext Context { get; }

    /// <summary>The other end; null until the handshake is complete.</summary>
    public Peer? Peer { get; private set; }

    /// <summary>Why TLS failed, in Envoy's words; empty where it did not.</summary>
    public string FailureReason { get; private set; } = "";

    /// <summary>What carries it.</summary>
    public Transport Inner => _inner;

    /// <inheritdoc/>
    public override string ConnectFailure => _inner.ConnectFailure;

    /// <inheritdoc/>
    public override EventLoop Loop => _inner.Loop;

    /// <inheritdoc/>
    public override Address Local => _inner.Local;

    /// <inheritdoc/>
    public override Address Remote => _inner.Remote;

    /// <inheritdoc/>
    public override Address OriginalDestination => _inner.OriginalDestination;

    /// <inheritdoc/>
    public override int PendingBytes => _inner.PendingBytes + _plain.Length;

    /// <inheritdoc/>
    public override int HighWatermark
    {
        get => _inner.HighWatermark;
        set => _inner.HighWatermark = value;
    }

    /// <inheritdoc/>
    public override bool IsAboveWatermark => _inner.IsAboveWatermark || _plain.Length > _inner.HighWatermark;

    /// <inheritdoc/>
    public override bool IsPeerLeaving => _inner.IsPeerLeaving;

    /// <inheritdoc/>
    public override bool IsClosed => _closing || _inner.IsClosed;

    /// <inheritdoc/>
    public override bool Reading
    {
        get => _reading;
        set
        {
            if (value == _reading)
                return;
            _reading = value;
            if (!_complete)
                return;
            // What was kept comes before anything new, so the socket waits until it has been shown.
            if (value && _kept.Length > 0)
                Loop.Defer(_resumption ??= new Resumption(this));
            else
                _inner.Reading = value;
        }
    }

    // Beginnings

    /// <summary>
    /// The accepting side, around a connection that is there already. The inner transport's handler is taken over: give it the bytes that a
    /// sniffer has read by <c>Inner.Handler.OnData</c>. Set <see cref="Transport.Handler"/> before that.
    /// </summary>
    public static TlsTransport Accept(Transport inner, TlsContext context, TlsConnectOptions? options = null)
    {
        var transport = new TlsTransport(inner, context, options ?? TlsConnectOptions.None);
        inner.Handler = new Under(transport);
        transport.StartClock();
        return transport;
    }

    /// <summary>The connecting side: connects and shakes hands. <paramref name="handler"/> hears when both are done, or that one
    /// failed.</summary>
    public static TlsTransport Connect(EventLoop loop, in ConnectOptions connect, TlsContext context, TlsConnectOptions options,
        TransportHandler handler)
    {
        var under = new Under(null);
        Transport inner = loop.Connect(connect, under);
        var transport = new TlsTransport(inner, context, options) { Handler = handler };
        under.Over = transport;
        return transport;
    }

    private void PrepareClient()
    {
        OpenSsl.SSL_set_connect_state(_ssl);
        // An address is no server name (RFC 6066 3).
        if (_sni.Length > 0 && !System.Net.IPAddress.TryParse(_sni, out _))
        {
            fixed (byte* name = Encoding.ASCII.GetBytes(_sni + '\0'))
                OpenSsl.SSL_ctrl(_ssl, OpenSsl.CtrlSetName, 0, name);
        }
        byte[] alpn = _options.Alpn is { } own ? TlsContext.Wire(own) : Context.AlpnWire;
        if (alpn.Length > 0)
        {
            fixed (byte* list = alpn)
                OpenSsl.SSL_set_alpn_protos(_ssl, list, (uint)alpn.Length);
        }
        // A resumed session is not verified again: a connection that asks for names of its own always verifies.
        nint session = Context.Options.Resumption && _options.Sans is null ? Context.TakeSession(_sni) : 0;
        if (session == 0)
            return;
        OpenSsl.SSL_set_session(_ssl, session);
        OpenSsl.SSL_SESSION_free(session);
    }

    private void StartClock()
    {
        if (_options.HandshakeMicros > 0)
            Loop.Arm(_clock = new HandshakeClock(this), _options.HandshakeMicros);
    }

    private void OnInnerConnected()
    {
        StartClock();
        TlsScratch scratch = TlsScratch.Enter(this);
        ShakeHands(scratch);
        scratch.Leave();
    }

    /// <summary>libssl asks for the judgement of the peer's certificates.</summary>
    internal bool Judge(nint context) =>
        Context.Verifier!.Judge(context, Context.Options.IsServer, Loop.WallClock, _options, out _verdict);

    /// <summary>libssl offers a session for resumption.</summary>
    internal bool KeepSession(nint session)
    {
        if (_options.Sans is not null)
            return false;
        Context.KeepSession(_sni, session);
        return true;
    }

    // Arriving

    private void OnInnerData(ReadOnlySpan<byte> bytes)
    {
        if (_closing || bytes.IsEmpty)
            return;
        int taken = _kept.Length > 0 || (_complete && !_reading) ? 0 : Take(bytes);
        if (taken < bytes.Length && !_closing)
            _kept.Append(bytes[taken..], Loop.Chunks);
    }

    /// <summary>Lets libssl work on ciphertext and shows what comes out. Returns how much was taken before the handler paused.</summary>
    private int Take(ReadOnlySpan<byte> bytes)
    {
        TlsScratch scratch = TlsScratch.Enter(this);
        try
        {
            fixed (byte* start = bytes)
            {
                scratch.Input = start;
                scratch.InputLength = bytes.Length;
                if (_complete || ShakeHands(scratch))
                    ReadRecords(scratch);
                return scratch.InputTaken;
            }
        }
        finally
        {
            scratch.Leave();
        }
    }

    /// <summary>One step of the handshake. True when it is complete.</summary>
    private bool ShakeHands(TlsScratch scratch)
    {
        OpenSsl.ERR_clear_error();
        int result = OpenSsl.SSL_do_handshake(_ssl);
        int error = result == 1 ? 0 : OpenSsl.SSL_get_error(_ssl, result);
        Forward(scratch);
        if (result != 1)
        {
            if (error is not (OpenSsl.WantRead or OpenSsl.WantWrite))
                Fail(TlsFailures.Take(_verdict.Detail));
            return false;
        }
        _complete = true;
        StopClock();
        bool judged = _verdict.Shown != PresentedChain.None;
        Peer = judged ? Peer.Of(_ssl, Context, _verdict.Shown, _verdict.Validated)
            : Peer.Of(_ssl, Context, Shown(),
                OpenSsl.SSL_session_reused(_ssl) == 1 && OpenSsl.SSL_get_verify_result(_ssl) == 0 && Context.Verifier is not null);
        _verdict = Verdict.None;
        if (Peer.Resumed && HasExpired(Peer))
        {
            Fail(TlsFailures.Resumed(TlsFailures.Chain(10, 0)));
            return false;
        }
        _inner.Reading = _reading;
        Handler.OnConnected(this);
        Loop.Defer(_gathering);
        return !IsClosed;
    }

    // Of a session that was resumed, or where nobody judges.
    private PresentedChain Shown()
    {
        nint leaf = OpenSsl.SSL_get0_peer_certificate(_ssl);
        if (leaf == 0)
            return PresentedChain.None;
        nint stack = OpenSsl.SSL_get_peer_cert_chain(_ssl);
        return Context.Verifier?.Find(leaf, stack) ?? PresentedChain.Of(leaf, stack);
    }

    // A ticket outlives neither the certificate that earned it nor the context (whose keys it needs).
    private bool HasExpired(Peer peer) => peer is { PeerPresented: true, PeerValidated: true }
        && Context.Options.Validation is { AllowExpired: false } && peer.PeerValidTo < Loop.WallClock / 1_000_000;

    private void ReadRecords(TlsScratch scratch)
    {
        for (bool more = true; more && _reading;)
        {
            int count = 0, result = 1;
            OpenSsl.ERR_clear_error();
            while (TlsScratch.PlainBytes - count >= TlsScratch.RecordMax
                && (result = OpenSsl.SSL_read(_ssl, scratch.Plain + count, TlsScratch.PlainBytes - count)) > 0)
                count += result;
            more = result > 0;
            int error = more ? 0 : OpenSsl.SSL_get_error(_ssl, result);
            Forward(scratch);
            if (count > 0)
                Show(new ReadOnlySpan<byte>(scratch.Plain, count));
            if (IsClosed)
                return;
            if (error == OpenSsl.ZeroReturn)
                EndOfPeer();
            else if (error is not (0 or OpenSsl.WantRead))
                Fail(TlsFailures.Take(""));
        }
    }

    /// <summary>What libssl wants to send goes on.</summary>
    private void Forward(TlsScratch scratch)
    {
        if (scratch.CipherLength == 0)
            return;
        _inner.Send(scratch.Output);
        scratch.CipherLength = 0;
    }

    private void TakeKept()
    {
        while (_kept.Head is { Length: > 0 } chunk && _reading && !IsClosed)
            _kept.Consume(Take(new ReadOnlySpan<byte>(chunk.Filled, chunk.Length)), Loop.Chunks);
        if (_kept.Length == 0 && !IsClosed)
            _inner.Reading = _reading;
    }

    private void EndOfPeer()
    {
        if (_peerEnded)
            return;
        _peerEnded = true;
        Handler.OnEnd(this);
    }

    private void OnInnerEnd()
    {
        if (_complete)
            EndOfPeer();
        else
            Fail(TlsFailures.PeerGone);
    }

    private void OnInnerClosed(CloseReason reason)
    {
        StopClock();
        bool inHandshake = !_complete && !_closing && _inner.Local.Kind != AddressKind.None
            && reason is CloseReason.Reset or CloseReason.Remote;
        if (inHandshake && FailureReason.Length == 0)
            FailureReason = TlsFailures.PeerGone;
        _closing = true;
        _plain.Clear(Loop.Chunks);
        _kept.Clear(Loop.Chunks);
        // A session whose connection was cut is as good as before (RFC 5246 7.2.1); libssl would forget it. What failed it has forgotten
        // already.
        if (_complete && FailureReason.Length == 0)
            OpenSsl.SSL_set_shutdown(_ssl, OpenSsl.ShutdownBoth);
        OpenSsl.SSL_free(_ssl);
        _ssl = 0;
        CloseReason told = _reason ?? (inHandshake ? CloseReason.Tls : reason);
        Handler?.OnClosed(this, told);
    }

    private void Fail(string reason)
    {
        if (_closing)
            return;
        FailureReason = reason;
        _reason = _complete ? CloseReason.Reset : CloseReason.Tls;
        _closing = true;
        StopClock();
        _inner.Close();
    }

    private void StopClock()
    {
        if (_clock is not null)
            Loop.Disarm(_clock);
    }

    // What carries it, its clock and its letters

    private sealed class Under(TlsTransport? over) : TransportHandler
    {
        public TlsTransport? Over { get; set; } = over;

        public override void OnConnected(Transport transport) => Over!.OnInnerConnected();

        public override void OnData(Transport transport, ReadOnlySpan<byte> bytes) => Over!.OnInnerData(bytes);

        public override void OnEnd(Transport transport) => Over!.OnInnerEnd();

        public override void OnWritable(Transport transport)
        {
            if (Over!._complete && !Over.IsClosed)
                Over.Handler.OnWritable(Over);
        }

        public override void OnClosed(Transport transport, CloseReason reason) => Over!.OnInnerClosed(reason);
    }

    private sealed class Resumption(TlsTransport transport) : Letter
    {
        protected internal override void Deliver() => transport.TakeKept();
    }

    private sealed class HandshakeClock(TlsTransport transport) : Deadline
    {
        protected internal override void OnDue(long now)
        {
            transport.FailureReason = TlsFailures.HandshakeTimeout;
            transport._reason = CloseReason.Timeout;
            transport._closing = true;
            transport._inner.Close();
        }
    }
}
