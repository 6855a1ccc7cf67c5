using Lateen.Proxy.Net;

namespace Lateen.Agent.Discovery;

/// <summary>Serves the proxy's xDS socket: each connection is joined to one of its own to the control plane, and ends with it.</summary>
/// <param name="door">The way out.</param>
/// <param name="isReady">False while there is nothing to show at the door; connections wait until <see cref="Retry"/>.</param>
public sealed class XdsRelay(ControlPlaneDoor door, Func<bool> isReady) : Acceptor
{
    private readonly List<Joint> _waiting = [];

    /// <summary>Begins to listen. On the loop.</summary>
    /// <exception cref="ListenException">The socket cannot be made.</exception>
    public void Listen(EventLoop loop, Address at) => loop.Listen(new ListenOptions(at, ReusePort: false), this);

    /// <summary>Something may be there to show now.</summary>
    public void Retry()
    {
        if (!isReady()) return;
        Joint[] ready = [.. _waiting];
        _waiting.Clear();
        foreach (Joint joint in ready) joint.Open(door);
    }

    /// <inheritdoc/>
    public override void OnAccepted(Transport transport)
    {
        var joint = new Joint(this, transport);
        if (isReady()) joint.Open(door);
        else _waiting.Add(joint);
    }

    // Both sides of one stream. Nothing is read from the proxy before the control plane is there, and nothing from either faster than the
    // other takes it.
    private sealed class Joint : TransportHandler
    {
        private readonly XdsRelay _relay;
        private readonly Transport _proxy;
        private readonly Outside _outside;
        private Transport? _upstream;

        public Joint(XdsRelay relay, Transport proxy)
        {
            (_relay, _proxy, _outside) = (relay, proxy, new Outside(this));
            proxy.Handler = this;
            proxy.Reading = false;
        }

        public void Open(ControlPlaneDoor door) => door.Connect(_outside);

        public override void OnData(Transport transport, ReadOnlySpan<byte> bytes) => Pass(bytes, transport, _upstream!);

        public override void OnWritable(Transport transport) => _upstream!.Reading = true;

        public override void OnClosed(Transport transport, CloseReason reason)
        {
            _relay._waiting.Remove(this);
            _upstream?.Close();
        }

        private static void Pass(ReadOnlySpan<byte> bytes, Transport from, Transport to)
        {
            to.Send(bytes);
            if (to.IsAboveWatermark) from.Reading = false;
        }

        private sealed class Outside(Joint joint) : TransportHandler
        {
            public override void OnConnected(Transport transport)
            {
                if (joint._proxy.IsClosed)
                {
                    transport.Close();
                    return;
                }
                joint._upstream = transport;
                joint._proxy.Reading = true;
            }

            public override void OnData(Transport transport, ReadOnlySpan<byte> bytes) => Pass(bytes, transport, joint._proxy);

            public override void OnWritable(Transport transport) => joint._proxy.Reading = true;

            // No control plane: the proxy sees a closed connection and asks again, after a while of its own.
            public override void OnClosed(Transport transport, CloseReason reason) => joint._proxy.Close();
        }
    }
}
