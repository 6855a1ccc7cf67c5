namespace Lateen.Proxy.Net.Memory;

/// <summary>A datagram socket of a <see cref="MemoryLoop"/>. Faults lose what on a connection they would break.</summary>
internal sealed class MemoryDatagram : DatagramSocket, IMemorySource
{
    private readonly MemoryLoop _loop;
    private readonly Queue<(Address From, byte[] Bytes)> _input = new();
    private bool _closed;

    public MemoryDatagram(MemoryLoop loop, in Address local)
    {
        _loop = loop;
        Address = local.Port == 0 ? local.WithPort(loop.Host.NextPort()) : local;
        loop.Host.Add(this);
    }

    /// <inheritdoc/>
    public override Address Address { get; }

    /// <inheritdoc/>
    public bool IsReady { get; set; }

    /// <inheritdoc/>
    public override void Send(in Address to, ReadOnlySpan<byte> datagram)
    {
        MemoryNetwork network = _loop.Network;
        MemoryHost? host = to.IsLoopback ? _loop.Host : network.HostOf(to);
        if (_closed || host is null || network.Chance.Hits(network.Faults.ResetPerMille, 1000))
            return;
        Address from = Address.IsAny ? _loop.Host.SourceFor(to).WithPort(Address.Port) : Address;
        network.Send(new Datagram(_loop.Host, host, from, to, datagram.ToArray()), 0);
    }

    /// <inheritdoc/>
    public bool OnReady()
    {
        IsReady = false;
        bool brings = _input.Count != 0;
        while (!_closed && _input.TryDequeue(out (Address From, byte[] Bytes) next))
            Received?.Invoke(next.From, next.Bytes);
        return brings;
    }

    /// <inheritdoc/>
    public override void Close()
    {
        _closed = true;
        _loop.Host.Remove(this);
    }

    private sealed class Datagram(MemoryHost from, MemoryHost to, Address source, Address destination, byte[] bytes) : Packet(from, to)
    {
        public override void Arrive()
        {
            if (To.DatagramFor(destination) is not { } socket)
                return;
            socket._input.Enqueue((source, bytes));
            socket._loop.AddReady(socket);
        }
    }
}
