using System.Buffers;
using System.Text;
using Lateen.Proxy.Net;

namespace Lateen.Test.Unit.Proxy.Net;

/// <summary>A handler that remembers what it was told.</summary>
internal sealed class Probe : TransportHandler
{
    public Transport? Transport;
    public readonly ReceivedBytes Received = new();
    public bool Connected, Ended, KeepOpenAtEnd, Echo;
    public int Closings, Writables;
    public CloseReason? Reason;
    public Action<Transport>? WhenConnected;
    public Action<Transport, byte[]>? WhenData;

    public string Text => Encoding.ASCII.GetString(Received.ToArray());

    public override void OnConnected(Transport transport)
    {
        Transport = transport;
        Connected = true;
        WhenConnected?.Invoke(transport);
    }

    public override void OnData(Transport transport, ReadOnlySpan<byte> bytes)
    {
        Received.Write(bytes);
        if (Echo)
            transport.Send(bytes);
        WhenData?.Invoke(transport, bytes.ToArray());
    }

    public override void OnEnd(Transport transport)
    {
        Ended = true;
        if (!KeepOpenAtEnd)
            base.OnEnd(transport);
    }

    public override void OnWritable(Transport transport) => Writables++;

    public override void OnClosed(Transport transport, CloseReason reason)
    {
        Closings++;
        Reason = reason;
    }
}

/// <summary>Bytes in the order of their arrival.</summary>
internal sealed class ReceivedBytes
{
    private readonly ArrayBufferWriter<byte> _bytes = new();

    public long Length => _bytes.WrittenCount;

    public void Write(ReadOnlySpan<byte> bytes) => _bytes.Write(bytes);

    public void Clear() => _bytes.ResetWrittenCount();

    public byte[] ToArray() => _bytes.WrittenSpan.ToArray();
}

/// <summary>Gives every accepted connection a probe.</summary>
internal sealed class ProbeAcceptor(Func<Probe> make) : Acceptor
{
    public readonly List<Probe> Accepted = [];

    public override void OnAccepted(Transport transport)
    {
        Probe probe = make();
        probe.Transport = transport;
        transport.Handler = probe;
        Accepted.Add(probe);
    }
}

/// <summary>Sends back what comes, and allocates nothing for it.</summary>
internal sealed class Bouncing : TransportHandler
{
    public int Count;

    public override void OnData(Transport transport, ReadOnlySpan<byte> bytes)
    {
        Count++;
        transport.Send(bytes);
    }

    public override void OnClosed(Transport transport, CloseReason reason)
    {
    }
}

/// <summary>A letter from a closure, for tests.</summary>
internal sealed class Note(Action action) : Letter
{
    protected override void Deliver() => action();
}

/// <summary>A deadline from a closure, for tests.</summary>
internal sealed class Alarm(Action<long> action) : Deadline
{
    protected override void OnDue(long now) => action(now);
}
