namespace Lateen.Proxy.Tcp;

/// <summary>What a network filter wants.</summary>
public enum NetworkVerdict : byte
{
    /// <summary>The next one.</summary>
    Continue,

    /// <summary>Nothing more until <see cref="TcpSession.Resume"/>; the client is not read meanwhile.</summary>
    Wait,

    /// <summary>The connection ends (the filter has said why by <see cref="TcpSession.Deny"/>).</summary>
    Close,
}

/// <summary>Makes a filter for each connection. Published; shared by all workers.</summary>
public abstract class NetworkFilterFactory
{
    /// <summary>A filter for a connection, or null where it has nothing to do there.</summary>
    public abstract NetworkFilter? Create(TcpSession session);
}

/// <summary>Looks at one connection on its way: policies, limits, metadata. Filters are asked in order; the proxy comes last.</summary>
public abstract class NetworkFilter
{
    /// <summary>The connection is there (its TLS done).</summary>
    public virtual NetworkVerdict OnConnection(TcpSession session) => NetworkVerdict.Continue;

    /// <summary>Bytes of the client, each time; the filter may cut off what is its own. Shown again from here on after a
    /// <see cref="NetworkVerdict.Wait"/>.</summary>
    public virtual NetworkVerdict OnData(TcpSession session, ref ReadOnlySpan<byte> bytes) => NetworkVerdict.Continue;

    /// <summary>The upstream is connected, before any byte goes to it.</summary>
    public virtual void OnUpstream(TcpSession session)
    {
    }

    /// <summary>Bytes of the upstream on their way to the client; they pass whatever the filter makes of them.</summary>
    public virtual void OnUpstreamData(TcpSession session, ReadOnlySpan<byte> bytes)
    {
    }

    /// <summary>It is over; all numbers are final.</summary>
    public virtual void OnEnd(TcpSession session)
    {
    }
}
