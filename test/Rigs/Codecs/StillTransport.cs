using Lateen.Proxy.Net;

namespace Lateen.Test.Rigs.Codecs;

/// <summary>A transport without a network, whose clock stands: what a codec does and costs alone. It takes everything; what is sent to a
/// peer that does not read only waits.</summary>
internal sealed class StillTransport : Transport
{
    private readonly StillLoop _loop = new();
    private readonly List<byte> _sent = [];
    private bool _closed, _told;

    /// <summary>Bytes that were sent are kept.</summary>
    public bool Keeps { get; init; }

    /// <summary>The peer reads.</summary>
    public bool Reads { get; set; } = true;

    /// <summary>What was sent, where it is kept.</summary>
    public IReadOnlyList<byte> Sent => _sent;

    /// <summary>How much was sent.</summary>
    public long SentBytes { get; private set; }

    public override EventLoop Loop => _loop;

    public override Address Local => default;

    public override Address Remote => default;

    public override Address OriginalDestination => default;

    public override int PendingBytes => Reads ? 0 : (int)SentBytes;

    public override bool IsAboveWatermark => false;

    public override bool Reading { get; set; } = true;

    public override bool IsClosed => _closed;

    public override void Send(ReadOnlySpan<byte> bytes)
    {
        if (_closed)
            return;
        SentBytes += bytes.Length;
        if (Keeps)
            _sent.AddRange(bytes);
    }

    public override void Flush()
    {
    }

    public override void EndSend()
    {
    }

    public override void Close(bool abort = false) => _closed = true;

    /// <summary>Shows a piece; false where the connection is over.</summary>
    public bool Show(byte[] piece)
    {
        if (!_closed)
            Handler.OnData(this, piece);
        return !_closed;
    }

    /// <summary>The peer ends its direction, then the connection is over.</summary>
    public void Finish(bool inOrder)
    {
        if (inOrder && !_closed)
            Handler.OnEnd(this);
        TellClosed();
    }

    /// <summary>Tells the handler what a real transport would tell on a later turn.</summary>
    public void TellClosed()
    {
        if (_told)
            return;
        _told = _closed = true;
        Handler.OnClosed(this, CloseReason.Local);
    }

    private sealed class StillLoop : EventLoop
    {
        public override long Now => 5_000_000;

        public override long WallClock => 0;

        public override Chance Chance { get; } = new(3);

        public override ListeningSocket Listen(in ListenOptions options, Acceptor acceptor) => throw new NotSupportedException();

        public override Transport Connect(in ConnectOptions options, TransportHandler handler) => throw new NotSupportedException();

        public override DatagramSocket OpenDatagram(in Address local) => throw new NotSupportedException();

        public override void Arm(Deadline deadline, long micros)
        {
        }

        protected override void DisarmArmed(Deadline deadline)
        {
        }

        public override void Post(Letter letter)
        {
        }

        public override void Defer(Letter letter)
        {
        }
    }
}
