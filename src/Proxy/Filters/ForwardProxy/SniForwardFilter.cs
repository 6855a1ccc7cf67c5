using Lateen.Proxy.Clusters.Resolution;
using Lateen.Proxy.Tcp;
using Lateen.Proxy.Upstream;

namespace Lateen.Proxy.Filters.ForwardProxy;

/// <summary>Resolves the server name that a client's TLS asks for, so that a dynamic forward proxy cluster can take the connection there
/// (sni_dynamic_forward_proxy).</summary>
public sealed class SniForwardFilter(NameCacheOptions cache, int port, Upstreams upstreams) : NetworkFilterFactory
{
    private readonly string _port = port.ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <inheritdoc/>
    public override NetworkFilter? Create(TcpSession session)
    {
        if (session.Connection.Facts.ServerName.Length == 0)
            return null;
        if (session.Facts.FilterState(ForwardTarget.PortKey) is null)
            session.Facts.SetFilterState(ForwardTarget.PortKey, _port);
        return new Looking(cache, upstreams);
    }

    // Whatever came of it, the connection goes on: the cluster has a host for the name or it has none.
    private sealed class Looking(NameCacheOptions cache, Upstreams upstreams) : NetworkFilter
    {
        private Waiting? _waiting;

        public override NetworkVerdict OnConnection(TcpSession session)
        {
            _waiting = new Waiting(session);
            NameState state = upstreams[session.Connection.Worker].Names.Load(cache, session.Connection.Facts.ServerName, _waiting).State;
            if (state is NameState.Full or NameState.Crowded)
                return NetworkVerdict.Close;
            return state == NameState.Pending ? NetworkVerdict.Wait : NetworkVerdict.Continue;
        }

        public override void OnEnd(TcpSession session) => _waiting?.Cancel();
    }

    private sealed class Waiting(TcpSession session) : NameWaiter
    {
        public override void OnResolved(CachedName name) => session.Resume();
    }
}
