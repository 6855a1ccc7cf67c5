using Lateen.Proxy.Net;

namespace Lateen.Bench.Micro;

/// <summary>A transport that takes everything at once and a loop in which nothing happens: what is measured is the codec.</summary>
internal sealed class QuietTransport : Transport
{
    private readonly QuietLoop _loop = new();

    public override EventLoop Loop => _loop;

    public override Address Local => default;

    public override Address Remote => default;

    public override Address OriginalDestination => default;

    public override int PendingBytes => 0;

    public override bool IsAboveWatermark => false;

    public override bool Reading { get; set; } = true;

    public override bool IsClosed => false;

    public override void Send(ReadOnlySpan<byte> bytes)
    {
    }

    public override void Flush()
    {
    }

    public override void EndSend()
    {
    }

    public override void Close(bool abort = false) => throw new InvalidOperationException("the codec closed the connection");

    private sealed class QuietLoop : EventLoop
    {
        public override long Now => 0;

        public override long WallClock => 0;

        public override Chance Chance { get; } = new(1);

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
