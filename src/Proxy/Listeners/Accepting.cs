using Lateen.Proxy.Exchanges.Heads;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Listeners;

/// <summary>A connection from its accept to its chain: restores what the client meant, looks at its first bytes, chooses the chain, shakes
/// hands, and gives it over.</summary>
internal sealed class Accepting : TransportHandler
{
    private const int EarlyBytesMax = 64 * 1024;

    // By SniffedProtocol, in the words of filter chain matches.
    private static readonly string[][] Protocols = [[], ["h2c"], ["http/1.1"], ["http/1.0"], []];

    private readonly ListenerSet _set;
    private readonly Listener _door;
    private readonly Transport _transport;
    private readonly ConnectionFacts _facts;
    private readonly long _acceptedAt;
    private readonly ListenerCounters.Row _counters;
    private Listener _listener;
    private ListenerChain? _chain;
    private Patience? _patience;
    private Inspector[] _pending = [];
    private ByteBuffer? _early;
    private int _at, _consumed;
    private bool _over, _shaking, _handed, _inspecting;

    public Accepting(ListenerSet set, Listener listener, Transport transport)
    {
        _set = set;
        _door = _listener = listener;
        _transport = transport;
        _acceptedAt = transport.Loop.Now;
        _facts = new ConnectionFacts { AcceptedAt = _acceptedAt };
        _counters = listener.Counters.Of(set.Worker.Index);
        transport.Handler = this;
    }

    private Worker Worker => _set.Worker;

    public void Begin()
    {
        _facts.DirectLocal = _facts.Local = _transport.Local;
        _facts.DirectRemote = _facts.Remote = _transport.Remote;
        Enter(default);
    }

    /// <summary>A listener begins to look; the bytes are what has been read already.</summary>
    private void Enter(ReadOnlySpan<byte> early)
    {
        Restore();
        _at = 0;
        _pending = _listener.Inspectors.Count == 0 ? [] : Wanted();
        if (_pending.Length == 0 || (!early.IsEmpty && Inspect(early)))
        {
            Decide(early);
            return;
        }
        if (_listener.InspectMicros > 0 && !_over)
            Wait(_listener.InspectMicros);
        if (_early is null && !early.IsEmpty)
            Keep(early);
        if (_inspecting || _over)
            return;
        _inspecting = true;
        _counters.Inspected++;
        _counters.InspectedNow++;
    }

    private Inspector[] Wanted() =>
        [.. _listener.Inspectors.Where(i => i.Kind != InspectorKind.OriginalDestination && !i.IsDisabled(_facts.Local.Port))];

    private void Wait(long micros) => _transport.Loop.Arm(_patience ??= new Patience(this), micros);

    private void EndWait()
    {
        if (_patience is not null)
            _transport.Loop.Disarm(_patience);
    }

    private void EndInspection()
    {
        if (_inspecting)
            _counters.InspectedNow--;
        _inspecting = false;
    }

    // All of this listener's inspectors are through: perhaps the connection is meant for another one (once, so that nothing goes round in
    // circles).
    private void Decide(ReadOnlySpan<byte> early)
    {
        if (_over)
            return;
        EndWait();
        if (_listener.HandsOver && !_handed && _facts.LocalRestored && _set.ForDestination(_facts.Local) is { } other
            && !ReferenceEquals(other, _listener))
        {
            _handed = true;
            _listener = other;
            Enter(early);
            return;
        }
        Choose(early);
    }

    private void Restore()
    {
        if (_facts.LocalRestored)
            return;
        bool wanted = _listener.HandsOver || _listener.Inspectors.Any(i => i.Kind == InspectorKind.OriginalDestination);
        if (wanted && _transport is PairTransport { Passed: { } passed })
            RestoreFrom(passed);
        if (!wanted || _transport.OriginalDestination.Kind == AddressKind.None)
            return;
        _facts.Local = _transport.OriginalDestination;
        _facts.LocalRestored = _facts.Local != _facts.DirectLocal;
    }

    // An internal connection has no address of the kernel's: the endpoint's metadata say what was meant (as Istio's tunnels do it).
    private void RestoreFrom(Metadata passed)
    {
        const string ns = "envoy.filters.listener.original_dst";
        if (passed.Text(ns, "local") is { } local && IpText.TryParse(local, out Address to))
        {
            _facts.Local = to;
            _facts.LocalRestored = true;
        }
        if (passed.Text(ns, "remote") is { } remote && IpText.TryParse(remote, out Address from))
            _facts.Remote = from;
    }

    public override void OnData(Transport transport, ReadOnlySpan<byte> bytes)
    {
        if (_over || _shaking)
            return;
        if (_early is null && Inspect(bytes))
        {
            Decide(bytes);
            return;
        }
        if (_early is null)
        {
            Keep(bytes);
            return;
        }
        _early.Append(bytes);
        if (Inspect(_early.Written) || _early.Length > EarlyBytesMax)
            Decide(_early.Written);
    }

    private void Keep(ReadOnlySpan<byte> bytes)
    {
        _early = new ByteBuffer(Math.Max(1024, bytes.Length * 2));
        _early.Append(bytes);
    }

    // True when every inspector has come to a result.
    private bool Inspect(ReadOnlySpan<byte> bytes)
    {
        for (; _at < _pending.Length; _at++)
        {
            Inspection result = Look(_pending[_at], bytes[_consumed..]);
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
                else if (tls == Inspection.NotIt)
                {
                    _facts.TransportFailure = Tls.TlsFailures.Inspected(bytes);
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
            case InspectorKind.ProxyProtocol:
                return ReadProxyHeader(inspector, bytes);
            default:
                return Inspection.NotIt;
        }
    }

    private Inspection ReadProxyHeader(Inspector inspector, ReadOnlySpan<byte> bytes)
    {
        const int without = 4;
        if (bytes.IsEmpty)
            return Inspection.NeedMore;
        Inspection result = ProxyHeader.Inspect(bytes, out ProxyHeader? header, out int taken);
        bool refused = result switch
        {
            Inspection.NeedMore => false,
            Inspection.NotIt => (inspector.Allow & without) == 0,
            // Bit 0 is version 1, bit 1 is version 2.
            _ => header is null || (inspector.Allow & header.Version) == 0,
        };
        if (refused)
            Refuse(new Failure(Station.Sniff, Side.Downstream, FailureKind.Malformed), "", abort: false);
        else if (header is not null)
            Believe(inspector, header, taken);
        return result;
    }

    private void Believe(Inspector inspector, ProxyHeader header, int taken)
    {
        _consumed += taken;
        _facts.ProxyHeader = header;
        if (inspector.PassedTypes is { } passed)
            _facts.PassedValues = [.. header.Values.Where(v => passed.Count == 0 || passed.Contains(v.Type))];
        foreach ((int type, string ns, string key) in inspector.Values ?? [])
        {
            int at = header.Values.ToList().FindIndex(v => v.Type == type);
            if (at < 0)
                continue;
            _facts.Metadata ??= new Dictionary<string, Dictionary<string, string>>(StringComparer.Ordinal);
            if (!_facts.Metadata.TryGetValue(ns, out Dictionary<string, string>? values))
                _facts.Metadata[ns] = values = new Dictionary<string, string>(StringComparer.Ordinal);
            values[key] = System.Text.Encoding.UTF8.GetString(header.Values[at].Value);
        }
        if (header.Source.Kind == AddressKind.None)
            return;
        _facts.Remote = header.Source;
        _facts.Local = header.Destination;
        _facts.LocalRestored = true;
    }

    private void Choose(ReadOnlySpan<byte> early = default)
    {
        if (_over)
            return;
        EndInspection();
        EndWait();
        // It may have changed, or gone, while the client said nothing.
        if (_set.Now(_listener) is { } now)
        {
            _listener = now;
        }
        else if (_set.Heir(_door, _facts) is { } heir)
        {
            _listener = heir;
            Enter(early);
            return;
        }
        early = early[Math.Min(_consumed, early.Length)..];
        _chain = _listener.Chains.Find(_facts);
        if (_chain is null)
        {
            _counters.NoChain++;
            Refuse(new Failure(Station.Sniff, Side.Proxy, FailureKind.NoFilterChain), "filter_chain_not_found", abort: early.Length > 0);
            return;
        }
        _facts.FilterChain = _chain.Name;
        _listener.Counters.Of(Worker.Index).Served++;
        if (_chain.Security is { } security)
        {
            _shaking = true;
            if (_chain.HandshakeMicros > 0)
                Wait(_set.Overload.Micros(Exchanges.Heads.OverloadTimer.Handshake, _chain.HandshakeMicros));
            security.Accept(_transport, early, new Handshake(this, security));
            return;
        }
        Serve(_transport, early, null, "");
    }

    private void Serve(Transport transport, ReadOnlySpan<byte> early, TlsFacts? tls, string alpn)
    {
        _over = true;
        EndWait();
        Listener? now = _set.Now(_listener);
        if (now is not null && !ReferenceEquals(now, _listener) && SameChain(now) is { } same)
            (_listener, _chain) = (now, same);
        var connection = new AcceptedConnection
        {
            Worker = Worker,
            Transport = transport,
            Facts = _facts,
            Listener = _listener,
            Door = _door,
            Chain = _chain!,
            // Numbers of one worker never meet those of another.
            Id = ((long)Worker.Index << 48) | ++_set.Connections,
            AcceptedAt = _acceptedAt,
            HandshakeAt = tls is null ? 0 : transport.Loop.Now,
            Tls = tls,
            Alpn = alpn,
        };
        ListenerChain chain = _chain!;
        chain.Handler.Serve(connection, early);
        if (!ReferenceEquals(now, _listener))
            _set.Retire(chain, now);
    }

    // The chain may have gone, or have got another handler, while hands were shaken.
    private ListenerChain? SameChain(Listener now) =>
        ListenerSet.ChainsOf(now).FirstOrDefault(chain => chain.Fingerprint == _chain!.Fingerprint);

    private void Refuse(Failure failure, string details, bool abort)
    {
        if (_over)
            return;
        _over = true;
        if (_inspecting && failure.Kind == FailureKind.ConnectionTerminated)
            _counters.LeftEarly++;
        EndInspection();
        if (_shaking)
            _listener.Counters.Of(Worker.Index).ServedEnded++;
        EndWait();
        _listener.Recorder?.OnRefused(Worker, _listener, _facts, failure, details);
        _transport.Close(abort);
    }

    public override void OnEnd(Transport transport)
    {
        // What is undecided when the client ends stays so: no chain is chosen by half of what it needs (as Envoy).
        if (!_over && !_shaking)
            Refuse(new Failure(Station.Sniff, Side.Downstream, FailureKind.ConnectionTerminated), "", abort: false);
    }

    public override void OnClosed(Transport transport, CloseReason reason)
    {
        _counters.Ended++;
        Refuse(new Failure(Station.Sniff, Side.Downstream, FailureKind.ConnectionTerminated), "", abort: false);
    }

    private void OnImpatient()
    {
        if (_over)
            return;
        if (_shaking)
        {
            _counters.HandshakeTimeouts++;
            Refuse(new Failure(Station.Secure, Side.Downstream, FailureKind.ConnectTimeout), Tls.TlsFailures.HandshakeTimeout,
                abort: false);
            return;
        }
        _counters.InspectTimeouts++;
        if (_listener.GoOnAfterTimeout)
            Decide(_early is null ? default : _early.Written);
        else
            Refuse(new Failure(Station.Sniff, Side.Downstream, FailureKind.InspectTimeout), "", abort: false);
    }

    private sealed class Patience(Accepting accepting) : Deadline
    {
        protected internal override void OnDue(long now) => accepting.OnImpatient();
    }

    private sealed class Handshake(Accepting accepting, DownstreamSecurity security) : TransportHandler
    {
        public override void OnConnected(Transport transport)
        {
            if (!security.Permits(transport))
            {
                accepting._counters.HandshakeFailures++;
                accepting.Refuse(new Failure(Station.Secure, Side.Downstream, FailureKind.BadPeer), "server_name_required", abort: false);
                return;
            }
            accepting._counters.Handshakes++;
            accepting._listener.Counters.Tls?.Succeeded(accepting.Worker, security.FactsOf(transport));
            accepting.Serve(transport, default, security.FactsOf(transport), security.AgreedProtocol(transport));
        }

        public override void OnData(Transport transport, ReadOnlySpan<byte> bytes)
        {
        }

        public override void OnClosed(Transport transport, CloseReason reason)
        {
            accepting._counters.HandshakeFailures++;
            accepting._counters.Ended++;
            accepting._facts.TransportFailure = security.FailureOf(transport);
            accepting._listener.Counters.Tls?.Failed(accepting.Worker, accepting._facts.TransportFailure);
            accepting.Refuse(new Failure(Station.Secure, Side.Downstream, FailureKind.TlsFailure), "", abort: false);
        }
    }
}
