using Lateen.Proxy.Net;

namespace Lateen.Proxy.Listeners;

/// <summary>Where a connection comes from, as a criterion.</summary>
public enum SourceType : byte
{
    Any,
    SameIpOrLoopback,
    External,
}

/// <summary>Which connections a chain serves (envoy.config.listener.v3.FilterChainMatch); an empty list asks nothing.</summary>
public sealed record ChainMatch
{
    /// <summary>Asks nothing.</summary>
    public static readonly ChainMatch Any = new();

    /// <summary>The port that the client meant; 0 asks nothing.</summary>
    public int DestinationPort { get; init; }

    /// <summary>Ranges of the address that the client meant.</summary>
    public IReadOnlyList<Prefix> DestinationPrefixes { get; init; } = [];

    /// <summary>SNI: exact, or <c>*.suffix</c>.</summary>
    public IReadOnlyList<string> ServerNames { get; init; } = [];

    /// <summary><c>tls</c>, <c>raw_buffer</c>, or empty.</summary>
    public string TransportProtocol { get; init; } = "";

    /// <summary>ALPN or sniffed protocols.</summary>
    public IReadOnlyList<string> ApplicationProtocols { get; init; } = [];

    /// <summary>Ranges of the socket's peer.</summary>
    public IReadOnlyList<Prefix> DirectSourcePrefixes { get; init; } = [];

    /// <summary>Local or not.</summary>
    public SourceType SourceType { get; init; }

    /// <summary>Ranges of the client.</summary>
    public IReadOnlyList<Prefix> SourcePrefixes { get; init; } = [];

    /// <summary>Ports of the client.</summary>
    public IReadOnlyList<int> SourcePorts { get; init; } = [];
}

/// <summary>A filter chain of a listener: when, with which TLS, and who serves it. Published; shared by all workers.</summary>
public sealed class ListenerChain
{
    /// <summary>Its name; may be empty.</summary>
    public required string Name { get; init; }

    /// <summary>Which connections it serves.</summary>
    public ChainMatch Match { get; init; } = ChainMatch.Any;

    /// <summary>TLS of the client's side; null for plain text.</summary>
    public DownstreamSecurity? Security { get; init; }

    /// <summary>Limit of the handshake, in microseconds; 0 for none.</summary>
    public long HandshakeMicros { get; init; }

    /// <summary>Serves its connections.</summary>
    public required ChainHandler Handler { get; init; }

    /// <summary>The chain's metadata.</summary>
    public Metadata Metadata { get; init; } = Metadata.Empty;

    /// <summary>The resource that asked for it, as the control plane names it; empty where none did.</summary>
    public string Origin { get; init; } = "";

    /// <summary>Stands for the chain in comparisons of updates: the same key, the same chain.</summary>
    public string Fingerprint { get; init; } = "";

    /// <summary>The same of its network filters in front of the last.</summary>
    public string FrontFingerprint { get; init; } = "";
}

/// <summary>TLS of accepted connections as a chain refers to it. Tls implements it; plain text is null.</summary>
public abstract class DownstreamSecurity
{
    /// <summary>Shakes hands on an accepted transport whose first bytes (already read) are <paramref name="early"/>; the handler hears
    /// OnConnected when done, OnClosed where it failed.</summary>
    public abstract Transport Accept(Transport transport, ReadOnlySpan<byte> early, TransportHandler handler);

    /// <summary>The protocol agreed on by ALPN; empty for none.</summary>
    public abstract string AgreedProtocol(Transport transport);

    /// <summary>What logs and policies may ask about the session.</summary>
    public abstract Formats.TlsFacts? FactsOf(Transport transport);

    /// <summary>False where the session must not be served though its handshake succeeded (no server name where one is required).</summary>
    public virtual bool Permits(Transport transport) => true;

    /// <summary>Why the handshake failed, in Envoy's words; empty where it did not.</summary>
    public abstract string FailureOf(Transport transport);
}

/// <summary>Serves the connections of one chain: HTTP, TCP, or a network filter that answers.</summary>
public abstract class ChainHandler
{
    /// <summary>Takes over an accepted connection (its TLS done). Bytes that were read while it was looked at are given once, at
    /// once.</summary>
    public abstract void Serve(AcceptedConnection connection, ReadOnlySpan<byte> early);

    /// <summary>What follows network filters that serve no connection themselves; else this.</summary>
    public virtual ChainHandler Last => this;

    /// <summary>The listener's configuration has changed: requests that connections of this chain bring from now on are served as the new
    /// one says, where the filters in front are the same.</summary>
    /// <remarks>Envoy answers such requests by the old configuration for as long as connections drain: a policy that was just applied would
    /// not hold for clients that stay connected. Who takes Envoy's place gets Envoy's manner, sidecars ask for this one.</remarks>
    public virtual void HandOver(Worker worker, ListenerChain gone, Listener successor)
    {
    }

    /// <summary>The chain stayed as it is under a listener that has changed: connections of its former handler are this one's from now on,
    /// so that the next change finds them.</summary>
    public virtual void Continue(Worker worker, ChainHandler former)
    {
    }

    /// <summary>The listener was taken away: connections on which nothing is under way may begin anew with who takes their traffic
    /// now.</summary>
    public virtual void Release(ListenerSet listeners)
    {
    }

    /// <summary>The chain serves no new connections: those it has end in order, at this pace.</summary>
    public virtual void Drain(Worker worker, DrainPace pace)
    {
    }
}

/// <summary>How connections of what is drained end.</summary>
/// <param name="Micros">When all are asked to be over, from now.</param>
/// <param name="Gradual">Until then more and more of them are told to go, so that clients do not come back all at once; else all are told
/// with their next answer.</param>
public readonly record struct DrainPace(long Micros, bool Gradual)
{
    /// <summary>Envoy's own: ten minutes, gradually.</summary>
    public static DrainPace Default => new(600_000_000, true);
}

/// <summary>An accepted connection with all that was found out about it.</summary>
public sealed class AcceptedConnection
{
    /// <summary>The worker that owns it.</summary>
    public required Worker Worker { get; init; }

    /// <summary>Its bytes (TLS inside).</summary>
    public required Transport Transport { get; init; }

    /// <summary>What was found out.</summary>
    public required ConnectionFacts Facts { get; init; }

    /// <summary>The listener that serves it: the one it was handed to, where it was.</summary>
    public required Listener Listener { get; init; }

    /// <summary>The listener whose socket it came by.</summary>
    public required Listener Door { get; init; }

    /// <summary>The chain that serves it.</summary>
    public required ListenerChain Chain { get; init; }

    /// <summary>Number in this process.</summary>
    public required long Id { get; init; }

    /// <summary>When it was accepted, microseconds of the loop.</summary>
    public required long AcceptedAt { get; init; }

    /// <summary>When its TLS was ready; 0 for plain text.</summary>
    public long HandshakeAt { get; init; }

    /// <summary>Its TLS; null for plain text.</summary>
    public Formats.TlsFacts? Tls { get; init; }

    /// <summary>The protocol agreed on by ALPN; empty for none.</summary>
    public string Alpn { get; init; } = "";

    /// <summary>The chain's handler says so when the transport has closed: once.</summary>
    public void Ended()
    {
        // Its place is given back where it was accepted; another listener may have served it.
        Door.Counters.Of(Worker.Index).Ended++;
        Listener.Counters.Of(Worker.Index).ServedEnded++;
        Listener.Counters.Lasting.Of(Worker.Index).Record(0, (Transport.Loop.Now - AcceptedAt) / 1000);
        Over?.Invoke();
        Listener.Recorder?.OnEnded(this);
    }

    /// <summary>The connection as logs see it, where its handler keeps such a record of the whole connection; null where not.</summary>
    public Formats.IStreamFacts? Stream { get; set; }

    /// <summary>Filter state that network filters have set before the handler; null for none.</summary>
    public Dictionary<string, object>? FilterState { get; set; }

    /// <summary>Told by <see cref="Ended"/>: for what came before the handler and wants to know of the end.</summary>
    public Action? Over { get; set; }
}
