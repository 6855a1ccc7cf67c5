using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Tcp.Watching;

/// <summary>How ZooKeeper's messages are counted.</summary>
public sealed record ZooKeeperOptions
{
    /// <summary>What is longer is an error.</summary>
    public int PacketMax { get; init; } = 1 << 20;

    /// <summary>Answers are counted as fast or slow.</summary>
    public bool JudgesTime { get; init; }

    /// <summary>Up to which time an answer is fast.</summary>
    public long FastMicros { get; init; } = 100_000;

    /// <summary>The same by operation.</summary>
    public IReadOnlyDictionary<int, long> FastMicrosOf { get; init; } = new Dictionary<int, long>();

    /// <summary>Bytes of requests by operation.</summary>
    public bool RequestBytes { get; init; }

    /// <summary>Bytes of answers by operation.</summary>
    public bool ResponseBytes { get; init; }

    /// <summary>Errors by operation.</summary>
    public bool Errors { get; init; }
}

/// <summary>Counts ZooKeeper's requests and answers (zookeeper_proxy).</summary>
/// <param name="options">How.</param>
/// <param name="series">The counters.</param>
public sealed class ZooKeeperFilter(ZooKeeperOptions options, ZooKeeperSeries series) : NetworkFilterFactory
{
    private const string Namespace = "envoy.filters.network.zookeeper_proxy";

    /// <inheritdoc/>
    public override NetworkFilter Create(TcpSession session) => new Watch(options, series);

    /// <summary>One client's connection: packets of a length, a number by which an answer finds its request, and (of requests) an
    /// operation.</summary>
    private sealed class Watch(ZooKeeperOptions options, ZooKeeperSeries series) : ProtocolWatch
    {
        private const int ConnectXid = 0, WatchXid = -1, PingXid = -2, AuthXid = -4, SetWatchesXid = -8;
        private const int LengthBytes = 4, AnswerHead = 16, AskedMax = 10_000;

        private readonly Dictionary<int, Queue<(ZooKeeperOp Op, long At)>> _asked = [];
        private ZooKeeperOp? _op;

        protected override int MessageMax => options.PacketMax + LengthBytes;

        protected override bool OnBroken(TcpSession session)
        {
            Worker worker = session.Connection.Worker;
            series.DecoderError(worker, options.Errors ? _op : null);
            Tell(session, "error", null);
            return true;
        }

        protected override void OnBytes(TcpSession session) => session.Facts.ClearMetadata(Namespace);

        protected override int Take(TcpSession session, ReadOnlySpan<byte> bytes, bool fromClient)
        {
            _op = null;
            if (bytes.Length < LengthBytes)
                return More;
            int length = BinaryPrimitives.ReadInt32BigEndian(bytes);
            if (length < (fromClient ? 8 : AnswerHead) || length > options.PacketMax)
                return Broken;
            if (bytes.Length < LengthBytes + length)
                return More;
            var packet = new ZooKeeperPacket(bytes.Slice(LengthBytes, length));
            bool sound = fromClient ? Request(session, ref packet, length + LengthBytes)
                : Answer(session, ref packet, length + LengthBytes);
            return sound && !packet.IsBroken ? LengthBytes + length : Broken;
        }

        // ---- requests

        private bool Request(TcpSession session, ref ZooKeeperPacket packet, int length)
        {
            int xid = packet.Int();
            ZooKeeperOp? op = xid switch
            {
                ConnectXid => ZooKeeperOp.Connect,
                PingXid => ZooKeeperOp.Ping,
                AuthXid => ZooKeeperOp.SetAuth,
                SetWatchesXid => ZooKeeperOp.SetWatches,
                _ => (ZooKeeperOp)packet.Int(),
            };
            if (xid is PingXid or AuthXid or SetWatchesXid)
                packet.Skip(4);
            _op = op;
            if (op is not { } known || !Enum.IsDefined(known) || !Count(session, known, ref packet) || packet.IsBroken)
                return false;
            Worker worker = session.Connection.Worker;
            Remember(xid, known, worker.Loop.Now);
            series.RequestBytes(worker, options.RequestBytes ? known : null, length);
            Tell(session, null, null, ("bytes", length.ToString(CultureInfo.InvariantCulture)));
            return true;
        }

        private bool Count(TcpSession session, ZooKeeperOp op, ref ZooKeeperPacket packet)
        {
            Worker worker = session.Connection.Worker;
            switch (op)
            {
                case ZooKeeperOp.Connect:
                    packet.Skip(20);
                    packet.Text();
                    bool readOnly = packet.Left > 0 && packet.Bool();
                    series.Request(worker, op, readOnly);
                    Tell(session, readOnly ? "connect_readonly" : "connect", null);
                    return true;
                case ZooKeeperOp.SetAuth:
                    packet.Skip(4);
                    series.Auth(worker, packet.Text());
                    packet.Text();
                    Tell(session, "auth", null);
                    return true;
                case ZooKeeperOp.Multi:
                    return Parts(session, ref packet);
                case ZooKeeperOp.Ping or ZooKeeperOp.Close or ZooKeeperOp.SetWatches or ZooKeeperOp.SetWatches2 or ZooKeeperOp.Reconfig:
                    series.Request(worker, op, false);
                    Tell(session, ZooKeeperSeries.NameOf(op), null);
                    return true;
                default:
                    series.Request(worker, op, false);
                    Tell(session, ZooKeeperSeries.NameOf(op), Encoding.UTF8.GetString(packet.Text()));
                    return true;
            }
        }

        // A transaction's operations count each by itself.
        private bool Parts(TcpSession session, ref ZooKeeperPacket packet)
        {
            if (packet.Left < 9)
                return false;
            Worker worker = session.Connection.Worker;
            while (!packet.IsBroken)
            {
                var op = (ZooKeeperOp)packet.Int();
                bool last = packet.Bool();
                packet.Skip(4);
                if (last || packet.IsBroken)
                    break;
                if (op is not (ZooKeeperOp.Create or ZooKeeperOp.SetData or ZooKeeperOp.Check or ZooKeeperOp.Delete))
                    return false;
                packet.Text();
                if (op is ZooKeeperOp.Create or ZooKeeperOp.SetData)
                    packet.Text();
                if (op == ZooKeeperOp.Create)
                    packet.SkipAcls();
                packet.Skip(4);
                series.Request(worker, op, false);
            }
            if (packet.IsBroken)
                return false;
            series.Request(worker, ZooKeeperOp.Multi, false);
            Tell(session, "multi", null);
            return true;
        }

        private void Remember(int xid, ZooKeeperOp op, long now)
        {
            if (!_asked.TryGetValue(xid, out Queue<(ZooKeeperOp, long)>? queue))
            {
                if (_asked.Count >= AskedMax)
                    return;
                _asked[xid] = queue = new Queue<(ZooKeeperOp, long)>(1);
            }
            if (queue.Count < AskedMax)
                queue.Enqueue((op, now));
        }

        // ---- answers

        private bool Answer(TcpSession session, ref ZooKeeperPacket packet, int length)
        {
            Worker worker = session.Connection.Worker;
            int xid = packet.Int();
            if (xid == WatchXid)
            {
                packet.Skip(12);
                (int kind, int client) = (packet.Int(), packet.Int());
                packet.Text();
                series.WatchEvent(worker);
                series.ResponseBytes(worker, null, length);
                Tell(session, "watch_event", null, ("event_type", kind.ToString(CultureInfo.InvariantCulture)),
                    ("client_state", client.ToString(CultureInfo.InvariantCulture)));
                return true;
            }
            if (!_asked.TryGetValue(xid, out Queue<(ZooKeeperOp Op, long At)>? queue)
                || !queue.TryDequeue(out (ZooKeeperOp Op, long At) asked))
                return false;
            if (queue.Count == 0 && xid > 0)
                _asked.Remove(xid);
            _op = asked.Op;
            long micros = worker.Loop.Now - asked.At, fast = options.FastMicrosOf.TryGetValue((int)asked.Op, out long own)
                ? own : options.FastMicros;
            series.Response(worker, asked.Op, micros / 1000, !options.JudgesTime ? null : micros <= fast);
            series.ResponseBytes(worker, options.ResponseBytes ? asked.Op : null, length);
            Tell(session, ZooKeeperSeries.AnswerNameOf(asked.Op), null, ("bytes", length.ToString(CultureInfo.InvariantCulture)));
            return true;
        }

        private static void Tell(TcpSession session, string? operation, string? path, params ReadOnlySpan<(string Key, string Value)> more)
        {
            var values = new Dictionary<string, string>(StringComparer.Ordinal);
            if (operation is not null)
                values["opname"] = operation;
            if (path is not null)
                values["path"] = path;
            foreach ((string key, string value) in more)
                values[key] = value;
            session.Facts.AddMetadata(Namespace, values);
        }
    }
}
