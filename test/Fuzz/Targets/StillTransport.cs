using Lateen.Proxy.Net;

namespace Lateen.Test.Fuzz.Targets;

/// <summary>A transport without a network: it keeps what was sent, and its clock stands.</summary>
internal sealed class StillTransport : Transport
{
    private readonly StillLoop _loop = new();
    private readonly List<byte> _sent = [];
    private bool _closed, _told;

    public IReadOnlyList<byte> Sent => _sent;

    public override EventLoop Loop => _loop;

    public override Address Local => default;

    public override Address Remote => default;

    public override Address OriginalDestination => default;

    public override int PendingBytes => 0;

    public override bool IsAboveWatermark => false;

    public override bool Reading { get; set; } = true;

    public override bool IsClosed => _closed;

    public override void Send(ReadOnlySpan<byte> bytes)
    {
        if (!_closed)
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
