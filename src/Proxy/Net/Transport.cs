namespace Lateen.Proxy.Net;

/// <summary>How a transport came to its end.</summary>
public enum CloseReason : byte
{
    /// <summary>We closed it while the peer's direction was open.</summary>
    Local,

    /// <summary>The peer ended its direction in order, and ours has ended after it.</summary>
    Remote,

    /// <summary>The peer, or the network, broke it (RST and the like).</summary>
    Reset,

    /// <summary>A connect was refused.</summary>
    Refused,

    /// <summary>A connect took too long, or a peer stayed silent past a limit.</summary>
    Timeout,

    /// <summary>No route, no descriptor, no memory: the environment.</summary>
    Environment,

    /// <summary>The TLS handshake failed, or the peer's certificate did not satisfy.</summary>
    Tls,
}

/// <summary>
/// A connection's bytes, both ways. It belongs to one <see cref="EventLoop"/> and is used on that loop's turns only. Bytes that arrive are
/// shown to the <see cref="Handler"/> in the worker's one receive buffer: what the handler wants to keep, it copies. Bytes to send are
/// taken at once: what the kernel does not take is kept in pooled buffers, and <see cref="PendingBytes"/> tells how much; small writes of a
/// turn are gathered and leave together when the turn ends.
/// TLS is a transport around a transport.
/// </summary>
public abstract class Transport
{
    /// <summary>Who is told what happens. Set before the first event; a sniffing handler may hand over to the next one.</summary>
    public TransportHandler Handler { get; set; } = null!;

    /// <summary>The loop it belongs to.</summary>
    public abstract EventLoop Loop { get; }

    /// <summary>Our end.</summary>
    public abstract Address Local { get; }

    /// <summary>The peer's end.</summary>
    public abstract Address Remote { get; }

    /// <summary>The address that the application meant before a REDIRECT or TPROXY rule turned the connection to us;
    /// <see cref="AddressKind.None"/> where nothing was redirected.</summary>
    public abstract Address OriginalDestination { get; }

    /// <summary>Bytes accepted by <see cref="Send"/> that have not left yet.</summary>
    public abstract int PendingBytes { get; }

    /// <summary>Bytes of pending output above which <see cref="IsAboveWatermark"/> is set; writing may go on when half of it is left.
    /// Default 1 MiB.</summary>
    public virtual int HighWatermark { get; set; } = 1 << 20;

    /// <summary>True from when pending output exceeded <see cref="HighWatermark"/> until <see cref="TransportHandler.OnWritable"/>. Advice
    /// only: <see cref="Send"/> takes bytes all the same.</summary>
    public abstract bool IsAboveWatermark { get; }

    /// <summary>False stops reading (back-pressure); arriving bytes stay in the kernel.</summary>
    public abstract bool Reading { get; set; }

    /// <summary>Bytes that were shown to the handler so far.</summary>
    public long BytesIn { get; private set; }

    /// <summary>Bytes that were taken to be sent so far.</summary>
    public long BytesOut { get; private protected set; }

    /// <summary>Shows bytes that arrived to the handler.</summary>
    private protected void Show(ReadOnlySpan<byte> bytes)
    {
        BytesIn += bytes.Length;
        Handler.OnData(this, bytes);
    }

    /// <summary>The other end has said that nothing more will come, though not all that came before may have been read yet.</summary>
    public virtual bool IsPeerLeaving => false;

    /// <summary>True from the moment of <see cref="Close"/> or of the end.</summary>
    public abstract bool IsClosed { get; }

    /// <summary>Why a connect failed, in Envoy's words; empty where it did not, or where the ground has no words.</summary>
    public virtual string ConnectFailure => "";

    /// <summary>Takes all of <paramref name="bytes"/>. Never fails: a broken peer shows in <see cref="TransportHandler.OnClosed"/>. Ignored
    /// after the close.</summary>
    public abstract void Send(ReadOnlySpan<byte> bytes);

    /// <summary>Takes two pieces that follow each other, a frame's head and what is in it: as two calls of
    /// <see cref="Send(ReadOnlySpan{byte})"/>.</summary>
    public virtual void Send(ReadOnlySpan<byte> head, ReadOnlySpan<byte> rest)
    {
        Send(head);
        if (!rest.IsEmpty)
            Send(rest);
    }

    /// <summary>Lets what was gathered leave now rather than at the end of the turn.</summary>
    public abstract void Flush();

    /// <summary>Ends our direction (FIN, or close_notify and FIN) when all pending bytes have left; reading goes on.</summary>
    public abstract void EndSend();

    /// <summary>Ends the connection: with <paramref name="abort"/> at once with RST, else after the pending bytes.
    /// <see cref="TransportHandler.OnClosed"/> follows on this or a later turn, once, never inside this call.</summary>
    public abstract void Close(bool abort = false);
}

/// <summary>What a connection's owner is told. Every call comes on the loop's turn. After <see cref="OnClosed"/> nothing follows.</summary>
public abstract class TransportHandler
{
    /// <summary>A connect (and, for TLS, its handshake) succeeded. Not called for accepted plain connections.</summary>
    public virtual void OnConnected(Transport transport)
    {
    }

    /// <summary>Bytes arrived. The span lives for this call only; all of it is the handler's to take.</summary>
    public abstract void OnData(Transport transport, ReadOnlySpan<byte> bytes);

    /// <summary>The peer ended its direction; ours still works. The default answers by ending ours, too.</summary>
    public virtual void OnEnd(Transport transport) => transport.Close();

    /// <summary>Pending output fell to half of the high watermark or below after having been above it: writing may go on.</summary>
    public virtual void OnWritable(Transport transport)
    {
    }

    /// <summary>It is over; called exactly once.</summary>
    public abstract void OnClosed(Transport transport, CloseReason reason);
}
