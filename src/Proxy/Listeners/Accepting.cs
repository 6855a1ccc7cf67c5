using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Listeners;

/// <summary>A connection from its accept to its chain: restores what the client meant, looks at its first bytes, chooses the chain, shakes hands, and gives it over.</summary>
internal sealed class Accepting : TransportHandler
{
    private const int EarlyBytesMax = 64 * 1024;

    // By SniffedProtocol, in the words of filter chain matches.
    private static readonly string[][] Protocols = [[], ["h2c"], ["http/1.1"], ["http/1.0"], []];


    private readonly ListenerSet _set;
    private readonly Transport _transport;
    private readonly ConnectionFacts _facts = new();
    private readonly Patience _patience;
    private readonly long _acceptedAt;
    private readonly ListenerCounters.Row _counters;
    private Listener _listener;
    private ListenerChain? _chain;
    private Inspector[] _pending = [];
    private ByteBuffer? _early;
    private int _at;
    private bool _over, _shaking;

    public Accepting(ListenerSet set, Listener listener, Transport transport)
    {
        _set = set;
        _listener = listener;
        _transport = transport;
        _patience = new Patience(this);
        _acceptedAt = transport.Loop.Now;
        _counters = listener.Counters.Of(set.Worker.Index);
        transport.Handler = this;
    }

    private Worker Worker => _set.Worker;

    public void Begin()
    {
        _facts.DirectLocal = _facts.Local = _transport.Local;
        _facts.DirectRemote = _facts.Remote = _transport.Remote;
        Restore();
        if (_listener.HandsOver && _facts.LocalRestored && _set.ForDestination(_facts.Local) is { } other && !ReferenceEquals(other, _listener))
            _listener = other;
        _pending = [.. _listener.Inspectors.Where(i => i.Kind != InspectorKind.OriginalDestination && !i.IsDisabled(_facts.Local.Port))];
        if (_pending.Length == 0)
        {
            Choose();
            return;
        }
        if (_listener.InspectMicros > 0)
            _transport.Loop.Arm(_patience, _listener.InspectMicros);
    }

    private void Restore()
    {
        bool wanted = _listener.HandsOver || _listener.Inspectors.Any(i => i.Kind == InspectorKind.OriginalDestination);
        if (!wanted || _transport.OriginalDestination.Kind == AddressKind.None)
            return;
        _facts.Local = _transport.OriginalDestination;
        _facts.LocalRestored = _facts.Local != _facts.DirectLocal;
    }

    public override void OnData(Transport transport, ReadOnlySpan<byte> bytes)
    {
        if (_over || _shaking)
            return;
        if (_early is null && Inspect(bytes))
        {
            Choose(bytes);
            return;
        }
        if (_early is null)
        {
            _early = new ByteBuffer(Math.Max(1024, bytes.Length * 2));
            _early.Append(bytes);
            return;
        }
        _early.Append(bytes);
        if (Inspect(_early.Written) || _early.Length > EarlyBytesMax)
            Choose(_early.Written);
    }

    // True when every inspector has come to a result.
    private bool Inspect(ReadOnlySpan<byte> bytes)
    {
        for (; _at < _pending.Length; _at++)
        {
            Inspection result = Look(_pending[_at], bytes);
            if (result == Inspection.NeedMore)
                return false;
            if (_over)
                return true;
        }
        return true;
    }

    private Inspection Look(Inspector inspector, ReadOnlySpan<byte> bytes)
    {
        switch (inspector.Kind)
        {
            case InspectorKind.Tls:
                Inspection tls = ClientHello.Inspect(bytes, out string name, out IReadOnlyList<string> protocols);
                if (tls == Inspection.Found)
                {
                    _facts.TransportProtocol = "tls";
                    _facts.ServerName = name;
                    _facts.ApplicationProtocols = protocols;
                }
                return tls;
            case InspectorKind.Http when _facts.TransportProtocol == "tls":
                return Inspection.NotIt;
            case InspectorKind.Http:
                SniffedProtocol http = ProtocolSniffer.Inspect(bytes);
                if (http is SniffedProtocol.Undecided)
                    return Inspection.NeedMore;
                if (http is not SniffedProtocol.Other)
                    _facts.ApplicationProtocols = Protocols[(int)http];
                return http is SniffedProtocol.Other ? Inspection.NotIt : Inspection.Found;
            default:
                return Inspection.NotIt;
        }
    }

    private void Choose(ReadOnlySpan<byte> early = default)
    {
        if (_over)
            return;
        _transport.Loop.Disarm(_patience);
        _chain = _listener.Chains.Find(_facts);
        if (_chain is null)
        {
            _counters.NoChain++;
            Refuse(new Failure(Station.Sniff, Side.Proxy, FailureKind.NoFilterChain), "filter_chain_not_found", abort: false);
            return;
        }
        if (_chain.Security is { } security)
        {
            _shaking = true;
            if (_chain.HandshakeMicros > 0)
                _transport.Loop.Arm(_patience, _chain.HandshakeMicros);
            security.Accept(_transport, early, new Handshake(this, security));
            return;
        }
        Serve(_transport, early, null, "");
    }

    private void Serve(Transport transport, ReadOnlySpan<byte> early, TlsFacts? tls, string alpn)
    {
        _over = true;
        _transport.Loop.Disarm(_patience);
        var connection = new AcceptedConnection
        {
            Worker = Worker,
            Transport = transport,
            Facts = _facts,
            Listener = _listener,
            Chain = _chain!,
            // Numbers of one worker never meet those of another.
            Id = ((long)Worker.Index << 48) | ++_set.Connections,
            AcceptedAt = _acceptedAt,
            HandshakeAt = tls is null ? 0 : transport.Loop.Now,
            Tls = tls,
            Alpn = alpn,
        };
        _chain!.Handler.Serve(connection, early);
    }

    private void Refuse(Failure failure, string details, bool abort)
    {
        if (_over)
            return;
        _over = true;
        _transport.Loop.Disarm(_patience);
        _listener.Recorder?.OnRefused(Worker, _listener, _facts, failure, details);
        _transport.Close(abort);
    }

    public override void OnEnd(Transport transport)
    {
        // A client that says nothing more can still be served by what it has said.
        if (_over || _shaking)
            return;
        if (_early is { Length: > 0 })
            Choose(_early.Written);
        else
            Refuse(new Failure(Station.Sniff, Side.Downstream, FailureKind.ConnectionTerminated), "downstream_remote_disconnect", abort: false);
    }

    public override void OnClosed(Transport transport, CloseReason reason)
    {
        _counters.Ended++;
        _over = true;
        _transport.Loop.Disarm(_patience);
    }

    private void OnImpatient()
    {
        if (_over)
            return;
        if (_shaking)
        {
            Refuse(new Failure(Station.Secure, Side.Downstream, FailureKind.ConnectTimeout), "transport_socket_timeout", abort: false);
            return;
        }
        _counters.InspectTimeouts++;
        if (_listener.GoOnAfterTimeout)
            Choose(_early is null ? default : _early.Written);
        else
            Refuse(new Failure(Station.Sniff, Side.Downstream, FailureKind.InspectTimeout), "listener_filter_timeout", abort: false);
    }

    private sealed class Patience(Accepting accepting) : Deadline
    {
        protected internal override void OnDue(long now) => accepting.OnImpatient();
    }

    private sealed class Handshake(Accepting accepting, DownstreamSecurity security) : TransportHandler
    {
        public override void OnConnected(Transport transport)
        {
            accepting._counters.Handshakes++;
            accepting.Serve(transport, default, security.FactsOf(transport), security.AgreedProtocol(transport));
        }

        public override void OnData(Transport transport, ReadOnlySpan<byte> bytes)
        {
        }

        public override void OnClosed(Transport transport, CloseReason reason)
        {
            accepting._counters.HandshakeFailures++;
            accepting.Refuse(new Failure(Station.Secure, Side.Downstream, FailureKind.TlsFailure), security.FailureOf(transport), abort: false);
        }
    }
}
