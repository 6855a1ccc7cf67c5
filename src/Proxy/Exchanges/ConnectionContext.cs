using System.Diagnostics.CodeAnalysis;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Exchanges;

/// <summary>What the accepting side knows of a client's connection, and every exchange on it may ask. Immutable.</summary>
public sealed class ConnectionContext
{
    // Few connections have any.
    private Dictionary<string, object>? _filterState;

    /// <summary>Number of the connection in this process.</summary>
    public long Id { get; init; }

    /// <summary>The direct peer, after PROXY protocol.</summary>
    public Address Remote { get; init; }

    /// <summary>The peer of the socket itself.</summary>
    public Address DirectRemote { get; init; }

    /// <summary>What the client meant (restored by redirection).</summary>
    public Address Local { get; init; }

    /// <summary>The socket's own address.</summary>
    public Address DirectLocal { get; init; }

    /// <summary>True where <see cref="Local"/> was restored.</summary>
    public bool LocalRestored { get; init; }

    /// <summary>SNI; empty for none.</summary>
    public string ServerName { get; init; } = "";

    /// <summary>TLS with the client; null for plain text.</summary>
    public TlsFacts? Tls { get; init; }

    /// <summary>The listener's name.</summary>
    public string Listener { get; init; } = "";

    /// <summary>The filter chain's name.</summary>
    public string FilterChain { get; init; } = "";

    /// <summary>The resource that asked for the chain, as the control plane names it; empty where none did.</summary>
    public string ChainOrigin { get; init; } = "";

    /// <summary>The listener's metadata.</summary>
    public Metadata? ListenerMetadata { get; init; }

    /// <summary>True for traffic towards the workload, false for traffic from it or of a gateway.</summary>
    public bool IsInbound { get; init; }

    /// <summary>False where the listener's requests are served however far the worker is behind (bypass_overload_manager).</summary>
    public bool GivesWay { get; init; } = true;

    /// <summary>When it was accepted, and its handshake complete: microseconds of the loop.</summary>
    public long AcceptedAt { get; init; }

    /// <summary>When its TLS handshake was complete; 0 for plain text.</summary>
    public long HandshakeAt { get; init; }

    /// <summary>Filter state of the connection, shared by its exchanges.</summary>
    [AllowNull]
    public Dictionary<string, object> FilterState
    {
        get => _filterState ??= new(StringComparer.Ordinal);
        init => _filterState = value;
    }

    /// <summary>An object of the filter state; null where there is none.</summary>
    public object? FindState(string key) => _filterState?.GetValueOrDefault(key);
}
