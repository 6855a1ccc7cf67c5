using Lateen.Proxy.Clusters;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Net;
using Lateen.Proxy.Upstream;

namespace Lateen.Proxy.Tcp.Redis;

/// <summary>Hears one answer.</summary>
internal abstract class RedisWaiter
{
    /// <summary>A whole value, or an error of the proxy's own.</summary>
    public abstract void OnAnswer(ReadOnlySpan<byte> value);
}

/// <summary>One worker's connection to one host: requests go out as they come, answers come back in their order.</summary>
internal sealed class RedisUpstream : TransportHandler
{
    private static readonly byte[] Failure = Resp.Error("upstream failure"), Broken = Resp.Error("upstream protocol error");

    private readonly Queue<RedisWaiter> _waiting = new();
    private readonly ByteBuffer _input = new(0);
    private readonly Transport _transport;
    private readonly Clock _clock;
    private readonly long _timeout;
    private bool _connected;

    public RedisUpstream(Worker worker, WorkerCluster cluster, Host host, long timeoutMicros)
    {
        _timeout = timeoutMicros;
        _clock = new Clock(this);
        ConnectOptions options = cluster.Cluster.Bind.To(host.Address, cluster.Cluster.ConnectTimeoutMicros);
        _transport = host.Security is { } security
            ? security.Connect(worker.Loop, options, new SecurityWishes(null, null, null, HostName: host.Endpoint.Hostname), this)
            : worker.Loop.Connect(options, this);
        if (cluster.Cluster.RedisLogin is { } login)
            Send(login, new Ignored());
    }

    /// <summary>It is over; another must be made.</summary>
    public bool IsOver { get; private set; }

    public void Send(byte[] request, RedisWaiter waiter)
    {
        _waiting.Enqueue(waiter);
        _transport.Send(request);
        if (_connected && !_clock.IsArmed && _timeout > 0)
            _transport.Loop.Arm(_clock, _timeout);
    }

    public override void OnConnected(Transport transport)
    {
        _connected = true;
        if (_waiting.Count > 0 && _timeout > 0)
            transport.Loop.Arm(_clock, _timeout);
    }

    public override void OnData(Transport transport, ReadOnlySpan<byte> bytes)
    {
        _input.Append(bytes);
        int at = 0;
        while (at < _input.Length && !IsOver)
        {
            RespOutcome outcome = Resp.Measure(_input.Written[at..], out int length);
            if (outcome == RespOutcome.More)
                break;
            if (outcome == RespOutcome.Broken || !_waiting.TryDequeue(out RedisWaiter? waiter))
            {
                End(Broken);
                _transport.Close(abort: true);
                return;
            }
            waiter.OnAnswer(_input.Written.Slice(at, length));
            at += length;
        }
        byte[] rest = _input.Written[at..].ToArray();
        _input.Clear();
        _input.Append(rest);
        _transport.Loop.Disarm(_clock);
        if (_waiting.Count > 0 && _timeout > 0)
            _transport.Loop.Arm(_clock, _timeout);
    }

    public override void OnClosed(Transport transport, CloseReason reason) => End(Failure);

    private void End(byte[] error)
    {
        if (IsOver)
            return;
        IsOver = true;
        _transport.Loop.Disarm(_clock);
        while (_waiting.TryDequeue(out RedisWaiter? waiter))
            waiter.OnAnswer(error);
    }

    private sealed class Ignored : RedisWaiter
    {
        public override void OnAnswer(ReadOnlySpan<byte> value)
        {
        }
    }

    private sealed class Clock(RedisUpstream upstream) : Deadline
    {
        protected internal override void OnDue(long now)
        {
            upstream.End(Failure);
            upstream._transport.Close(abort: true);
        }
    }
}
