// Listeners (stations 1 to 4): from an accepted socket to the filter chain that serves it. A Listener is published configuration; each
// worker has its own sockets for it. The chain is decided as a value by a pure function over ConnectionFacts, which the inspectors have
// gathered from the first bytes; simulation and `lateen explain` call the same function without sockets. State of an accepted connection
// that is still being looked at lives in Accepting; once the chain is found, its handler owns the connection. Nothing here reads HTTP
// beyond the first line, and no chain is left for a less specific one once it was chosen (as Envoy: no backtracking).
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Listeners;

/// <summary>What is known of a connection when its filter chain is chosen.</summary>
public sealed class ConnectionFacts
{
    /// <summary>The address that the client meant: restored by redirection, else the socket's own.</summary>
    public Address Local { get; set; }

    /// <summary>True where <see cref="Local"/> was restored.</summary>
    public bool LocalRestored { get; set; }

    /// <summary>The socket's own address.</summary>
    public Address DirectLocal { get; set; }

    /// <summary>The client, after PROXY protocol.</summary>
    public Address Remote { get; set; }

    /// <summary>The socket's peer.</summary>
    public Address DirectRemote { get; set; }

    /// <summary>SNI in lower case; empty for none.</summary>
    public string ServerName { get; set; } = "";

    /// <summary><c>tls</c> or <c>raw_buffer</c>, as the inspectors found.</summary>
    public string TransportProtocol { get; set; } = "raw_buffer";

    /// <summary>ALPN of the client's hello, or what the HTTP inspector found (<c>http/1.1</c>, <c>h2c</c>).</summary>
    public IReadOnlyList<string> ApplicationProtocols { get; set; } = [];

    /// <summary>What the tls_inspector's look at plain text is called in logs; empty where it saw TLS or did not look.</summary>
    public string TransportFailure { get; set; } = "";

    /// <summary>The PROXY protocol header that came first; null for none.</summary>
    public ProxyHeader? ProxyHeader { get; set; }

    /// <summary>Values of that header that may be told to upstreams.</summary>
    public IReadOnlyList<(byte Type, byte[] Value)> PassedValues { get; set; } = [];

    /// <summary>Metadata that inspectors have set: texts by namespace and key; null for none.</summary>
    public Dictionary<string, Dictionary<string, string>>? Metadata { get; set; }

    /// <summary>The name of the chain that was chosen; empty before.</summary>
    public string FilterChain { get; set; } = "";

    /// <summary>When it was accepted, microseconds of the loop.</summary>
    public long AcceptedAt { get; init; }
}
