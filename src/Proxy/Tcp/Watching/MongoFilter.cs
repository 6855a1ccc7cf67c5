using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Tcp.Watching;

/// <summary>Counts MongoDB's messages (mongo_proxy), and may delay those of the client.</summary>
/// <param name="series">What is counted.</param>
public sealed class MongoFilter(MongoSeries series) : NetworkFilterFactory
{
    private const string Namespace = "envoy.filters.network.mongo_proxy";

    /// <summary>What is counted.</summary>
    public MongoSeries Series => series;

    /// <summary>How long a message of the client is delayed; 0 for never.</summary>
    public long DelayMicros { get; init; }

    /// <summary>Share of messages that are delayed.</summary>
    public Fraction DelayShare { get; init; }

    /// <summary>Operations and collections go to dynamic metadata.</summary>
    public bool TellsOperations { get; init; }

    /// <summary>Values that may change.</summary>
    public RuntimeValues Runtime { get; init; } = RuntimeValues.None;

    /// <inheritdoc/>
    public override NetworkFilter? Create(TcpSession session) => Runtime.Flag("mongo.proxy_enabled", true) ? new Watch(this, series) : null;

    private long DelayNow(Chance chance) =>
        DelayMicros > 0 && Runtime.Share("mongo.fault.fixed_delay.percent", DelayShare).Includes(chance.NextULong())
            ? Runtime.Number("mongo.fault.fixed_delay.duration_ms", DelayMicros / 1000) * 1000 : 0;

    /// <summary>A query that waits for its reply.</summary>
    private readonly record struct Asked(int Id, MongoSeries.Names Series, MongoSeries.Names? Callsite, long At);

    private sealed class Watch(MongoFilter filter, MongoSeries series) : ProtocolWatch
    {
        // A client that never reads its replies must not fill memory.
        private const int AskedMax = 1_000;

        private readonly List<Asked> _asked = [];
        private Delay? _delay;
        private long _wait;

        public override NetworkVerdict OnData(TcpSession session, ref ReadOnlySpan<byte> bytes)
        {
            base.OnData(session, ref bytes);
            if (_wait == 0)
                return NetworkVerdict.Continue;
            session.Connection.Worker.Loop.Arm(_delay ??= new Delay(session), _wait);
            _wait = 0;
            return NetworkVerdict.Wait;
        }

        public override void OnEnd(TcpSession session)
        {
            if (_delay is { IsArmed: true })
                session.Connection.Worker.Loop.Disarm(_delay);
            StatCells cells = series.Of(session);
            if (_asked.Count > 0)
                cells.Count(session.EndedByPeer ? MongoSeries.DestroyedRemotely : MongoSeries.DestroyedLocally);
            cells.Move(MongoSeries.Active, -_asked.Count);
        }

        protected override bool OnBroken(TcpSession session)
        {
            series.Of(session).Count(MongoSeries.DecodingError);
            return false;
        }

        protected override void OnBytes(TcpSession session)
        {
            if (filter.TellsOperations)
                session.Facts.ClearMetadata(Namespace);
        }

        protected override int Take(TcpSession session, ReadOnlySpan<byte> bytes, bool fromClient)
        {
            if (!MongoMessage.TryRead(bytes, out MongoMessage message, out bool broken))
                return broken ? Broken : More;
            bool sound = message.Op switch
            {
                MongoOp.Query => Query(session, message),
                MongoOp.Reply => Reply(session, message),
                MongoOp.Insert => Insert(session, message),
                MongoOp.GetMore => Counted(session, MongoSeries.GetMore),
                MongoOp.KillCursors => Counted(session, MongoSeries.KillCursors),
                MongoOp.Command => Counted(session, MongoSeries.Command),
                MongoOp.CommandReply => Counted(session, MongoSeries.CommandReply),
                _ => false,
            };
            return sound ? message.Length : Broken;
        }

        private bool Counted(TcpSession session, int what)
        {
            TryDelay(session);
            series.Of(session).Count(what);
            return true;
        }

        private void TryDelay(TcpSession session)
        {
            if (_wait > 0 || _delay is { IsArmed: true }
                || filter.DelayNow(session.Connection.Worker.Loop.Chance) is not (> 0 and var micros))
                return;
            _wait = micros;
            series.Of(session).Count(MongoSeries.Delays);
        }

        private bool Insert(TcpSession session, in MongoMessage message)
        {
            int end = message.Body.Length > 4 ? message.Body[4..].IndexOf((byte)0) : -1;
            if (end < 0)
                return false;
            Tell(session, message.Body.Slice(4, end), "insert");
            return Counted(session, MongoSeries.Insert);
        }

        private void Tell(TcpSession session, ReadOnlySpan<byte> collection, string operation)
        {
            if (filter.TellsOperations)
                session.Facts.AppendMetadata(Namespace, System.Text.Encoding.UTF8.GetString(collection), operation);
        }

        private bool Query(TcpSession session, in MongoMessage message)
        {
            if (!MongoQuery.TryRead(message.Body, out MongoQuery query) || query.IsEmptyCommand)
                return false;
            Tell(session, query.FullName, "query");
            Counted(session, MongoSeries.Query);
            StatCells cells = series.Of(session);
            for (int flag = 0; flag < MongoSeries.QueryFlags.Length; flag++)
            {
                if ((query.Flags & MongoSeries.QueryFlags[flag].Bit) != 0)
                    cells.Count(MongoSeries.QueryFlags[flag].Counter);
            }
            Asked asked = query.TryCommand(out Bson command, out ReadOnlySpan<byte> document)
                ? CommandOf(session, command, document, message.Id) : Plain(session, query, message.Id);
            if (_asked.Count < AskedMax)
            {
                _asked.Add(asked);
                cells.Move(MongoSeries.Active, 1);
            }
            return true;
        }

        private Asked CommandOf(TcpSession session, in Bson command, ReadOnlySpan<byte> document, int id)
        {
            Worker worker = session.Connection.Worker;
            if (!command.Key.SequenceEqual("find"u8))
            {
                MongoSeries.Names names = series.OfCommand(worker, command.Key);
                names.Total.Count(worker);
                return new Asked(id, names, null, worker.Loop.Now);
            }

            // A find is a query by another name.
            MongoQueryKind kind = Bson.TryFind(document, "filter"u8, out Bson filtered) && filtered.Type == BsonType.Document
                ? MongoQuery.KindOf(filtered.Value) : MongoQueryKind.PrimaryKey;
            return Charge(session, command.Type == BsonType.String ? command.Value : default, MongoQuery.CallsiteOf(document, "comment"u8),
                kind, hasMaxTime: false, id);
        }

        private Asked Plain(TcpSession session, in MongoQuery query, int id) =>
            Charge(session, query.Collection, query.Callsite, query.Kind, query.HasMaxTime, id);

        private Asked Charge(TcpSession session, ReadOnlySpan<byte> collection, string callsite, MongoQueryKind kind, bool hasMaxTime,
            int id)
        {
            Worker worker = session.Connection.Worker;
            StatCells cells = series.Of(session);
            MongoSeries.Names names = series.OfCollection(worker, collection);
            MongoSeries.Names? caller = callsite.Length > 0 ? series.OfCallsite(worker, collection, callsite) : null;
            names.Charge(worker, kind);
            caller?.Charge(worker, kind);
            if (!hasMaxTime)
                cells.Count(MongoSeries.NoMaxTime);
            if (kind != MongoQueryKind.PrimaryKey)
                cells.Count(kind == MongoQueryKind.ScatterGet ? MongoSeries.ScatterGet : MongoSeries.MultiGet);
            return new Asked(id, names, caller, worker.Loop.Now);
        }

        private bool Reply(TcpSession session, in MongoMessage message)
        {
            if (!MongoReply.TryRead(message.Body, out MongoReply reply))
                return false;
            StatCells cells = series.Of(session);
            cells.Count(MongoSeries.Reply);
            if (reply.Cursor != 0)
                cells.Count(MongoSeries.ValidCursor);
            if ((reply.Flags & 1) != 0)
                cells.Count(MongoSeries.CursorNotFound);
            if ((reply.Flags & 2) != 0)
                cells.Count(MongoSeries.QueryFailure);
            int answered = message.ResponseTo, at = _asked.FindIndex(a => a.Id == answered);
            if (at < 0)
                return true;
            Worker worker = session.Connection.Worker;
            long millis = (worker.Loop.Now - _asked[at].At) / 1000;
            _asked[at].Series.Answered(worker, reply, millis);
            _asked[at].Callsite?.Answered(worker, reply, millis);
            _asked.RemoveAt(at);
            cells.Move(MongoSeries.Active, -1);
            return true;
        }

        private sealed class Delay(TcpSession session) : Deadline
        {
            protected internal override void OnDue(long now) => session.Resume();
        }
    }
}
