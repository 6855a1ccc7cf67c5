using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Listeners;
using Lateen.Proxy.Upstream;

namespace Lateen.Proxy.Tcp;

/// <summary>Serves a chain's connections by network filters and a TCP proxy, or, where there is none, by what follows the
/// filters.</summary>
public sealed class TcpChainHandler : ChainHandler
{
    private readonly Place?[] _places;

    /// <summary>For a chain that ends in a TCP proxy.</summary>
    public TcpChainHandler(Upstreams upstreams, TcpOptions options, IReadOnlyList<NetworkFilterFactory> filters, int workers)
    {
        Upstreams = upstreams;
        Options = options;
        Filters = filters;
        _places = new Place?[workers];
    }

    /// <summary>For filters in front of something else (HTTP): it takes the connection over when all filters are content. Null: the filters
    /// answer all by themselves.</summary>
    public TcpChainHandler(IReadOnlyList<NetworkFilterFactory> filters, ChainHandler? next, TcpOptions options, int workers)
    {
        Next = next;
        Options = options;
        Filters = filters;
        _places = new Place?[workers];
    }

    /// <summary>The proxy's settings; its logs and counters also where something else follows.</summary>
    public TcpOptions Options { get; }

    /// <summary>Before the proxy, in order.</summary>
    public IReadOnlyList<NetworkFilterFactory> Filters { get; }

    /// <summary>What follows in place of a proxy.</summary>
    public ChainHandler? Next { get; }

    /// <summary>Where hosts come from; null where nothing is proxied.</summary>
    internal Upstreams? Upstreams { get; }

    /// <summary>A worker's live sessions, linked through themselves.</summary>
    internal sealed class Place(TcpCounters.Row counters)
    {
        public TcpCounters.Row Counters { get; } = counters;

        public TcpSession? First { get; set; }

        public void Add(TcpSession session)
        {
            session.Following = First;
            if (First is not null)
                First.Preceding = session;
            First = session;
        }

        public void Remove(TcpSession session)
        {
            if (session.Preceding is { } before)
                before.Following = session.Following;
            else
                First = session.Following;
            if (session.Following is { } after)
                after.Preceding = session.Preceding;
            session.Following = session.Preceding = null;
        }
    }

    /// <inheritdoc/>
    public override void Serve(AcceptedConnection connection, ReadOnlySpan<byte> early)
    {
        int worker = connection.Worker.Index;
        Place place = _places[worker] ??= new Place(Options.Counters.Of(worker));
        var session = new TcpSession(this, place, connection);
        place.Add(session);
        session.Begin(early);
    }

    /// <inheritdoc/>
    public override ChainHandler Last => Next?.Last ?? this;

    /// <inheritdoc/>
    public override void HandOver(Worker worker, ListenerChain gone, Listener successor) => Next?.HandOver(worker, gone, successor);

    /// <inheritdoc/>
    public override void Continue(Worker worker, ChainHandler former)
    {
        if (former == this || former is not TcpChainHandler before)
            return;
        _places[worker.Index] ??= before._places[worker.Index];
        if (before.Next is { } next)
            Next?.Continue(worker, next);
    }

    /// <inheritdoc/>
    public override void Drain(Worker worker, DrainPace pace)
    {
        for (TcpSession? session = _places[worker.Index]?.First; session is not null; session = session.Following)
            session.Drain(pace.Micros);
        Next?.Drain(worker, pace);
    }
}
