using System.Text;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Tcp.Watching;

/// <summary>What is counted of MongoDB's messages, under <c>mongo.PREFIX.</c>.</summary>
public sealed class MongoSeries
{
    internal const int DestroyedLocally = 0, DestroyedRemotely = 1, DecodingError = 3, Delays = 4, Command = 5, CommandReply = 6,
        GetMore = 7, Insert = 8, KillCursors = 9, Query = 10,
        MultiGet = 13, NoMaxTime = 15, ScatterGet = 16, Reply = 18, CursorNotFound = 19, QueryFailure = 20, ValidCursor = 21, Active = 22;

    // Names are the peers' choice.
    private const int NamesMax = 1_000, NameMax = 128;

    private static readonly StatSchema Schema = new(
    [
        .. new[]
        {
            "cx_destroy_local_with_active_rq", "cx_destroy_remote_with_active_rq", "cx_drain_close", "decoding_error", "delays_injected",
            "op_command", "op_command_reply", "op_get_more", "op_insert",
            "op_kill_cursors", "op_query", "op_query_await_data", "op_query_exhaust", "op_query_multi_get", "op_query_no_cursor_timeout",
            "op_query_no_max_time", "op_query_scatter_get",
            "op_query_tailable_cursor", "op_reply", "op_reply_cursor_not_found", "op_reply_query_failure", "op_reply_valid_cursor",
        }.Select(static n => (n, StatKind.Counter)),
        ("op_query_active", StatKind.Gauge),
    ]);

    private static readonly StatSchema OfReplies =
        new([("reply_num_docs", StatKind.Histogram), ("reply_size", StatKind.Histogram), ("reply_time_ms", StatKind.Histogram)]);

    private readonly StatStore _store;
    private readonly StatGroup _group;
    private readonly Dictionary<string, Names>.AlternateLookup<ReadOnlySpan<char>>[] _commands, _collections;
    private readonly HashSet<string> _known;

    /// <summary>Counters under a prefix.</summary>
    /// <param name="store">All that is counted.</param>
    /// <param name="prefix">Of the configuration.</param>
    /// <param name="commands">Commands that have series of their own; Envoy's where there are none.</param>
    public MongoSeries(StatStore store, string prefix, IReadOnlyList<string> commands)
    {
        _store = store;
        _group = store.Group($"mongo.{prefix}.", Schema);
        _known = (commands.Count > 0 ? commands : ["delete", "insert", "update"]).ToHashSet(StringComparer.Ordinal);
        _commands = Tables();
        _collections = Tables();
    }

    /// <summary>Flags of a query and their counters.</summary>
    internal static (int Bit, int Counter)[] QueryFlags { get; } = [(1 << 1, 17), (1 << 4, 14), (1 << 5, 11), (1 << 6, 12)];

    private Dictionary<string, Names>.AlternateLookup<ReadOnlySpan<char>>[] Tables() =>
        [.. Enumerable.Range(0, _store.Workers)
            .Select(static _ => new Dictionary<string, Names>(StringComparer.Ordinal).GetAlternateLookup<ReadOnlySpan<char>>())];

    /// <summary>The cells of a session's worker.</summary>
    internal StatCells Of(TcpSession session) => _group.Of(session.Connection.Worker.Index);

    internal Names OfCommand(Worker worker, ReadOnlySpan<byte> name)
    {
        Span<char> text = stackalloc char[NameMax];
        int length = TextOf(name, text);
        return Find(_commands[worker.Index], text[..length], this, static (series, command) =>
        {
            string alias = command switch
            {
                "collstats" => "collStats",
                "dbstats" => "dbStats",
                "findandmodify" => "findAndModify",
                "getlasterror" => "getLastError",
                "ismaster" => "isMaster",
                _ => command,
            };
            string stem = $"{series._group.Prefix}cmd.{(series._known.Contains(alias) ? alias : "unknown_command")}.";
            return new Names(series._store, stem, stem);
        });
    }

    internal Names OfCollection(Worker worker, ReadOnlySpan<byte> name)
    {
        Span<char> text = stackalloc char[NameMax];
        int length = TextOf(name, text);
        return Find(_collections[worker.Index], text[..length], this,
            static (series, collection) => series.QueriesOf($"collection.{collection}"));
    }

    internal Names OfCallsite(Worker worker, ReadOnlySpan<byte> name, string callsite)
    {
        string key =
            $"{Encoding.UTF8.GetString(name[..Math.Min(name.Length, NameMax)])}.callsite.{callsite[..Math.Min(callsite.Length, NameMax)]}";
        return Find(_collections[worker.Index], key, this, static (series, path) => series.QueriesOf($"collection.{path}"));
    }

    private Names QueriesOf(string path) => new(_store, $"{_group.Prefix}{path}.query.", $"{_group.Prefix}{path}.query.");

    private static int TextOf(ReadOnlySpan<byte> name, Span<char> text) =>
        Encoding.Latin1.GetChars(name[..Math.Min(name.Length, NameMax)], text);

    private static Names Find(Dictionary<string, Names>.AlternateLookup<ReadOnlySpan<char>> table, ReadOnlySpan<char> name,
        MongoSeries series, Func<MongoSeries, string, Names> make)
    {
        if (table.TryGetValue(name, out Names? names))
            return names;
        if (table.Dictionary.Count < NamesMax)
            return table[name] = make(series, new string(name));
        const string Rest = "stats_overflow";
        return table.TryGetValue(Rest, out names) ? names : table[Rest] = make(series, Rest);
    }

    /// <summary>The series of a command, a collection, or a caller.</summary>
    internal sealed class Names(StatStore store, string counters, string replies)
    {
        private readonly StatGroup _replies = store.Group(replies, OfReplies);
        private Counter? _scattered, _several;

        /// <summary>How often.</summary>
        public Counter Total { get; } = store.DynamicCounter(counters + "total");

        public void Charge(Worker worker, MongoQueryKind kind)
        {
            Total.Count(worker);
            if (kind == MongoQueryKind.ScatterGet)
                (_scattered ??= store.DynamicCounter(counters + "scatter_get")).Count(worker);
            else if (kind == MongoQueryKind.MultiGet)
                (_several ??= store.DynamicCounter(counters + "multi_get")).Count(worker);
        }

        public void Answered(Worker worker, MongoReply reply, long millis)
        {
            StatCells cells = _replies.Of(worker.Index);
            cells.Record(0, reply.Documents);
            cells.Record(1, reply.Bytes);
            cells.Record(2, millis);
        }
    }
}
