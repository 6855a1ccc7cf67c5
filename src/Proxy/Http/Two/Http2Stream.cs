namespace Lateen.Proxy.Http.Two;

/// <summary>What both roles know of one stream: its windows, what waits for them, and which directions have ended.</summary>
internal sealed class Http2Stream
{
    /// <summary>Its number; 0 where the object is spare.</summary>
    public uint Id;

    /// <summary>The server's view of it, for life; null for a client's stream.</summary>
    public Http2ServerStream? Server;

    /// <summary>The client's view of it, for life; null for a server's stream.</summary>
    public Http2ClientStream? Client;

    /// <summary>The next behind it in its slot of the table, or among the spare ones.</summary>
    public Http2Stream? NextInSlot;

    /// <summary>A client's stream whose response is complete: it lives on until its request has left, and nobody cares.</summary>
    public bool Orphan;

    /// <summary>What the peer lets us send; below zero after a SETTINGS that took back.</summary>
    public long SendWindow;

    /// <summary>What we let the peer send.</summary>
    public long ReceiveWindow;

    /// <summary>Bytes received that were not given back yet: below the threshold, or the receiver is paused.</summary>
    public int Unreturned;

    /// <summary>Those of <see cref="Unreturned"/> that the connection's window has back already.</summary>
    public int Credited;

    /// <summary>Body bytes that wait for a window.</summary>
    public InputHold Pending;

    /// <summary>Trailers that wait behind the body.</summary>
    public HeaderMap? PendingTrailers;

    /// <summary>The end waits behind the body.</summary>
    public bool PendingEnd;

    /// <summary>It stands in the queue of those that can send.</summary>
    public bool Queued;

    /// <summary>The next in that queue.</summary>
    public Http2Stream? NextQueued;

    /// <summary>Its owner was told to wait.</summary>
    public bool Blocked;

    /// <summary>The receiver takes no more for now.</summary>
    public bool Paused;

    /// <summary>END_STREAM came.</summary>
    public bool RemoteEnded;

    /// <summary>END_STREAM went.</summary>
    public bool LocalEnded;

    /// <summary>The final head came (client) or the request's head (server).</summary>
    public bool HeadReceived;

    /// <summary>There is a Content-Length to keep to.</summary>
    public bool HasLength;

    /// <summary>That length.</summary>
    public ulong Length;

    /// <summary>Body bytes that came.</summary>
    public ulong Received;

    /// <summary>Bytes of header blocks that came and went, of bodies that went.</summary>
    public long HeadReceivedBytes, HeadSentBytes, BodySentBytes;

    /// <summary>When it was opened.</summary>
    public long OpenedAt;

    /// <summary>For logs.</summary>
    public StreamBytes Bytes => new(HeadReceivedBytes, (long)Received, HeadSentBytes, BodySentBytes);

    /// <summary>Nothing came and nothing went: for a stream that is taken and not opened yet.</summary>
    public void ForgetCounts()
    {
        Received = 0;
        HeadReceivedBytes = HeadSentBytes = BodySentBytes = 0;
    }

    /// <summary>Starts a new life.</summary>
    public void Open(uint id, long sendWindow, long receiveWindow, long now)
    {
        Id = id;
        SendWindow = sendWindow;
        ReceiveWindow = receiveWindow;
        Unreturned = Credited = 0;
        PendingEnd = Orphan = Queued = Blocked = Paused = RemoteEnded = LocalEnded = HeadReceived = HasLength = false;
        PendingTrailers = null;
        Length = Received = 0;
        HeadReceivedBytes = HeadSentBytes = BodySentBytes = 0;
        OpenedAt = now;
    }
}
