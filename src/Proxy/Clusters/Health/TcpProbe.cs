using Lateen.Proxy.Net;

namespace Lateen.Proxy.Clusters.Health;

/// <summary>Connects; where something is to be sent, sends it and waits for the expected blocks, in order, with anything between
/// them.</summary>
internal sealed class TcpProbe : Probe
{
    private readonly HostCheck _check;
    private readonly List<byte> _received = [];
    private Transport? _transport;
    private bool _connected, _closed;

    public TcpProbe(HostCheck check) => _check = check;

    /// <inheritdoc/>
    public override bool IsUsable => !_closed;

    /// <inheritdoc/>
    public override void Send()
    {
        _received.Clear();
        if (_connected)
        {
            Ask();
            return;
        }
        var options = new ConnectOptions(_check.Target);
        var handler = new Handler(this);
        _transport = _check.Host.Security is { } security
            ? security.Connect(_check.Loop, options, default, handler) : _check.Loop.Connect(options, handler);
    }

    /// <inheritdoc/>
    public override void Close()
    {
        _closed = true;
        _transport?.Close();
    }

    private void Ask()
    {
        if (_check.Options.Send.Length > 0)
            _transport!.Send(_check.Options.Send);
        if (_check.Options.Receive.Count > 0)
            return;
        _check.OnOutcome(ProbeOutcome.Success);

        // Only the connect was asked for: each probe makes its own.
        if (_check.Options.Send.Length == 0)
            Close();
    }

    private void OnData(ReadOnlySpan<byte> bytes)
    {
        if (_received.Count + bytes.Length > 64 * 1024)
            return;
        _received.AddRange(bytes);
        ReadOnlySpan<byte> rest = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_received);
        foreach (byte[] block in _check.Options.Receive)
        {
            int at = rest.IndexOf(block);
            if (at < 0)
                return;
            rest = rest[(at + block.Length)..];
        }
        _check.OnOutcome(ProbeOutcome.Success);
    }

    private void OnClosed()
    {
        if (_closed)
            return;
        _closed = true;
        _check.OnOutcome(ProbeOutcome.Weak);
    }

    private sealed class Handler(TcpProbe probe) : TransportHandler
    {
        public override void OnConnected(Transport transport)
        {
            if (probe._closed)
                return;
            probe._connected = true;
            probe._transport = transport;
            probe.Ask();
        }

        public override void OnData(Transport transport, ReadOnlySpan<byte> bytes)
        {
            if (!probe._closed)
                probe.OnData(bytes);
        }

        public override void OnClosed(Transport transport, CloseReason reason) => probe.OnClosed();
    }
}
