using Lateen.Proxy.Net;

namespace Lateen.Test.Unit.Proxy.Http;

/// <summary>A transport that takes everything and keeps nothing: what a codec costs alone. One whose peer does not read only counts what waits.</summary>
internal sealed class SinkTransport : Transport
{
    private readonly StillLoop _loop = new();
    private bool _closed;

    public long Sent;
    public bool Told;
    public bool Reads = true;

    public override EventLoop Loop => _loop;

    public override Address Local => default;

    public override Address Remote => default;

    public override Address OriginalDestination => default;

    public override int PendingBytes => Reads ? 0 : (int)Sent;

    public override bool IsAboveWatermark => false;

    public override bool Reading { get; set; } = true;

    public override bool IsClosed => _closed;

    public override void Send(ReadOnlySpan<byte> bytes) => Sent += _closed ? 0 : bytes.Length;

    public override void Flush()
    {
    }

    public override void EndSend()
    {
    }

    public override void Close(bool abort = false) => _closed = true;

    /// <summary>Tells the handler what a real transport would tell on a later turn.</summary>
    public void TellClosed()
    {
        if (Told)
            return;
        Told = _closed = true;
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
