using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;

namespace Lateen.Test.Rigs.Codecs;

/// <summary>A loop of the in-memory network whose connects a test answers with transports of its own.</summary>
internal abstract class ConnectingLoop(MemoryLoop inner) : EventLoop
{
    public override long Now => inner.Now;

    public override long WallClock => inner.WallClock;

    public override Chance Chance => inner.Chance;

    public override ListeningSocket Listen(in ListenOptions options, Acceptor acceptor) => inner.Listen(options, acceptor);

    public override DatagramSocket OpenDatagram(in Address local) => inner.OpenDatagram(local);

    public override void Arm(Deadline deadline, long micros) => inner.Arm(deadline, micros);

    protected override void DisarmArmed(Deadline deadline) => inner.Disarm(deadline);

    public override void Post(Letter letter) => inner.Post(letter);

    public override void Defer(Letter letter) => inner.Defer(letter);
}
