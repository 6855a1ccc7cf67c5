using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Http.One;
using Lateen.Proxy.Http.Two;
using Lateen.Proxy.Listeners;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Server;

/// <summary>Serves a chain's connections as HTTP: picks the codec by configuration, ALPN or the first bytes, and keeps the live connections
/// so that they can be drained.</summary>
public sealed class HttpChainHandler : ChainHandler
{
    private readonly HttpOptions _options;
    private readonly Place?[] _places;

    /// <summary>A handler for one connection manager.</summary>
    public HttpChainHandler(HttpOptions options, int workers)
    {
        _options = options;
        _places = new Place?[workers];
    }

    /// <summary>The connection manager.</summary>
    public HttpOptions Options => _options;

    /// <summary>True while every answer shall end its connection (a failed health check). Null for never.</summary>
    public Func<bool>? Failing { get; init; }

    /// <summary>What a worker keeps of this chain.</summary>
    private sealed class Place
    {
        private readonly Worker _worker;

        public Place(Worker worker, HttpOptions options, Func<bool>? failing)
        {
            _worker = worker;
            Pool = new ExchangePool(worker, options) { ShallEnd = failing is null ? ShallEnd : () => ShallEnd() || failing() };
        }

        public ExchangePool Pool { get; }

        public Dictionary<HttpConnection, Served> Live { get; } = [];

        private long _drainBegin, _drainEnd;
        private bool _gradual;
        private Ending? _ending;

        public bool IsDraining => _drainEnd != 0;

        public void Drain(DrainPace pace)
        {
            (_drainBegin, _gradual) = (_worker.Loop.Now, pace.Gradual);
            _drainEnd = _drainBegin + Math.Max(1, pace.Micros);
            _worker.Loop.Arm(_ending ??= new Ending(this), Math.Max(1, pace.Micros));
        }

        // Gradually: the share of answers that end their connection grows from none to all.
        public bool ShallEnd() => _drainEnd != 0
            && (!_gradual || _worker.Loop.Now >= _drainEnd
                || (long)(_worker.Loop.Chance.NextULong() % (ulong)(_drainEnd - _drainBegin)) < _worker.Loop.Now - _drainBegin);

        public void End()
        {
            foreach (HttpConnection connection in Live.Keys.ToArray())
                connection.Drain();
        }
    }

    /// <summary>A connection that is served: what it was chosen by, and where it is known.</summary>
    private sealed class Served(AcceptedConnection connection, Place first)
    {
        private Place _now = first;
        private List<Place>? _draining;

        public AcceptedConnection Connection => connection;

        public ConnectionFacts Facts => connection.Facts;

        private bool ShallEnd()
        {
            foreach (Place place in _draining!)
            {
                if (place.ShallEnd())
                    return true;
            }
            return false;
        }

        // The end of a drain is heard of where it began.
        public void Move(HttpConnection http, Place to, bool drains)
        {
            if (_now == to)
                return;
            if (drains || _now.IsDraining)
            {
                (_draining ??= []).Add(_now);
                http.ShallEndToo = ShallEnd;
            }
            else
                _now.Live.Remove(http);
            _now = to;
            to.Live[http] = this;
            http.ContinueBy(to.Pool);
        }

        public void Forget(HttpConnection http)
        {
            _now.Live.Remove(http);
            _draining?.ForEach(place => place.Live.Remove(http));
        }
    }

    private sealed class Ending(Place place) : Deadline
    {
        protected internal override void OnDue(long now) => place.End();
    }

    /// <inheritdoc/>
    public override void Serve(AcceptedConnection connection, ReadOnlySpan<byte> early)
    {
        Place place = PlaceOf(connection.Worker);
        var served = new Served(connection, place);
        var http = new HttpConnection(place.Pool, Context(connection))
        {
            Transport = connection.Transport,
            Closed = ended =>
            {
                served.Forget(ended);
                connection.Ended();
            },
        };
        place.Live.Add(http, served);
        HttpVersion? version = _options.OnlyVersion ?? connection.Alpn switch
        {
            "h2" => HttpVersion.Http2,
            "http/1.1" or "http/1.0" => HttpVersion.Http11,
            _ => null,
        };
        if (version is { } known)
            Begin(http, connection.Transport, known, early);
        else
            new Deciding(this, http, connection.Transport).Look(early);
    }

    /// <inheritdoc/>
    public override void HandOver(Worker worker, ListenerChain gone, Listener successor)
    {
        if (_places[worker.Index] is not { } place)
            return;
        foreach ((HttpConnection connection, Served served) in place.Live)
        {
            if (successor.Chains.Find(served.Facts) is not { } chain || chain.FrontFingerprint != gone.FrontFingerprint
                || chain.Handler.Last is not HttpChainHandler next || next == this)
                continue;
            served.Move(connection, next.PlaceOf(worker), drains: true);
        }
    }

    /// <inheritdoc/>
    public override void Continue(Worker worker, ChainHandler former)
    {
        if (former == this || former is not HttpChainHandler before || before._places[worker.Index] is not { } place)
            return;
        foreach ((HttpConnection connection, Served served) in place.Live.ToArray())
            served.Move(connection, PlaceOf(worker), drains: false);
    }

    /// <inheritdoc/>
    public override void Release(ListenerSet listeners)
    {
        if (_places[listeners.Worker.Index] is not { } place)
            return;
        foreach ((HttpConnection http, Served served) in place.Live.ToArray())
        {
            bool atRest = served.Connection.Transport.Handler switch
            {
                Http1ServerConnection codec => codec.IsAtRest,
                Deciding deciding => deciding.IsAtRest,
                _ => false,
            };
            if (!atRest || !listeners.Takes(served.Connection))
                continue;
            http.Leave();
            listeners.BeginAnew(served.Connection);
        }
    }

    /// <inheritdoc/>
    public override void Drain(Worker worker, DrainPace pace) => _places[worker.Index]?.Drain(pace);

    private Place PlaceOf(Worker worker) => _places[worker.Index] ??= new Place(worker, _options, Failing);

    private void Begin(HttpConnection http, Transport transport, HttpVersion version, ReadOnlySpan<byte> early)
    {
        DownstreamConnection codec = version == HttpVersion.Http2
            ? new Http2ServerConnection(transport, http, _options.Codec)
            : new Http1ServerConnection(transport, http, _options.Codec);
        transport.Handler = codec;
        http.Attach(codec);
        if (!early.IsEmpty)
            codec.OnData(transport, early);
    }

    private static ConnectionContext Context(AcceptedConnection connection)
    {
        ConnectionFacts facts = connection.Facts;
        return new ConnectionContext
        {
            Id = connection.Id,
            Remote = facts.Remote,
            DirectRemote = facts.DirectRemote,
            Local = facts.Local,
            DirectLocal = facts.DirectLocal,
            LocalRestored = facts.LocalRestored,
            ServerName = facts.ServerName,
            Tls = connection.Tls,
            Listener = connection.Listener.Name,
            FilterChain = connection.Chain.Name,
            ChainOrigin = connection.Chain.Origin,
            ListenerMetadata = connection.Listener.Metadata,
            IsInbound = connection.Listener.IsInbound,
            GivesWay = !connection.Listener.BypassesOverload,
            AcceptedAt = connection.AcceptedAt,
            HandshakeAt = connection.HandshakeAt,
            FilterState = connection.FilterState,
        };
    }

    /// <summary>Waits until the first bytes tell HTTP/2's preface from a request line.</summary>
    private sealed class Deciding(HttpChainHandler owner, HttpConnection http, Transport transport) : TransportHandler
    {
        private ByteBuffer? _held;

        public bool IsAtRest => _held is null && !transport.IsClosed;

        public void Look(ReadOnlySpan<byte> early)
        {
            transport.Handler = this;
            if (!early.IsEmpty)
                OnData(transport, early);
        }

        public override void OnData(Transport from, ReadOnlySpan<byte> bytes)
        {
            if (_held is not null)
            {
                _held.Append(bytes);
                bytes = _held.Written;
            }
            SniffedProtocol protocol = ProtocolSniffer.PickCodec(bytes);
            if (protocol != SniffedProtocol.Undecided)
            {
                owner.Begin(http, transport, protocol == SniffedProtocol.Http2 ? HttpVersion.Http2 : HttpVersion.Http11, bytes);
                return;
            }
            if (_held is null)
            {
                _held = new ByteBuffer(32);
                _held.Append(bytes);
            }
        }

        public override void OnClosed(Transport from, CloseReason reason) => http.OnConnectionClosed(null!, reason);
    }
}
