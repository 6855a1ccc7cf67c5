using System.Net;
using System.Net.Sockets;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Epoll;

namespace Lateen.Agent.Loopback;

/// <summary>An event loop whose sockets are where a <see cref="LoopbackMap"/> says.</summary>
internal sealed class LoopbackLoop(EpollLoop loop, LoopbackMap map) : EventLoop
{
    private const int Backlog = 1024;

    /// <summary>The loop that does the work.</summary>
    public EpollLoop Inner => loop;

    public override long Now => loop.Now;

    public override long WallClock => loop.WallClock;

    public override Chance Chance => loop.Chance;

    public override ListeningSocket Listen(in ListenOptions options, Acceptor acceptor)
    {
        Address asked = options.Address;
        ListeningSocket main = loop.Listen(options with { Address = map.Listening(asked) }, acceptor);
        if (map.Own.Kind != AddressKind.V4 || asked.Kind != AddressKind.V4 || asked.Port != LoopbackMap.InboundCapturePort) return main;
        return new Several(main, [.. map.Ports.Select(port => Meet(port, acceptor))]);
    }

    public override Transport Connect(in ConnectOptions options, TransportHandler handler) =>
        loop.Connect(map.Connecting(options), handler);

    public override DatagramSocket OpenDatagram(in Address local) => loop.OpenDatagram(local);

    public override void Arm(Deadline deadline, long micros) => loop.Arm(deadline, micros);

    protected override void DisarmArmed(Deadline deadline) => loop.Disarm(deadline);

    public override void Post(Letter letter) => loop.Post(letter);

    public override void Defer(Letter letter) => loop.Defer(letter);

    private ListeningSocket Meet(int port, Acceptor acceptor)
    {
        var at = new IPEndPoint(map.Own.ToIPAddress(), LoopbackMap.Meeting(port));
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
            socket.Bind(at);
            socket.Listen(Backlog);
        }
        catch (SocketException taken)
        {
            socket.Dispose();
            throw new ListenException($"cannot listen on {at}: {taken.Message}");
        }
        int descriptor = (int)socket.SafeHandle.DangerousGetHandle();
        // From here on the loop owns the descriptor.
        socket.SafeHandle.SetHandleAsInvalid();
        return loop.Adopt(descriptor, acceptor, transparent: false, stated: map.Own.WithPort(port));
    }

    private sealed class Several(ListeningSocket main, ListeningSocket[] others) : ListeningSocket
    {
        public override Address Address => main.Address;

        public override bool Accepting
        {
            get => main.Accepting;
            set
            {
                main.Accepting = value;
                foreach (ListeningSocket other in others) other.Accepting = value;
            }
        }

        public override void Close()
        {
            main.Close();
            foreach (ListeningSocket other in others) other.Close();
        }
    }
}
