using Google.Protobuf;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Telemetry;
using Opentelemetry.Proto.Collector.Logs.V1;
using Opentelemetry.Proto.Common.V1;
using Opentelemetry.Proto.Logs.V1;
using Opentelemetry.Proto.Resource.V1;

namespace Lateen.Proxy.Remote;

/// <summary>A value of a record: a constant, a format, or several of them.</summary>
public sealed class OtelValue
{
    private readonly AnyValue _constant;
    private readonly TextFormat? _format;
    private readonly IReadOnlyList<(string Key, OtelValue Value)>? _map;
    private readonly IReadOnlyList<OtelValue>? _list;

    /// <exception cref="FormatException">A text is no format.</exception>
    public OtelValue(AnyValue value)
    {
        _constant = value;
        switch (value.ValueCase)
        {
            case AnyValue.ValueOneofCase.StringValue:
                _format = TextFormat.Parse(value.StringValue);
                break;
            case AnyValue.ValueOneofCase.KvlistValue:
                _map = [.. value.KvlistValue.Values.Select(static v => (v.Key, new OtelValue(v.Value)))];
                break;
            case AnyValue.ValueOneofCase.ArrayValue:
                _list = [.. value.ArrayValue.Values.Select(static v => new OtelValue(v))];
                break;
        }
    }

    internal AnyValue Of(IStreamFacts facts, ByteBuffer scratch)
    {
        if (_format is not null)
        {
            scratch.Clear();
            _format.Write(facts, scratch, false);
            return new AnyValue { StringValue = System.Text.Encoding.UTF8.GetString(scratch.Written) };
        }
        if (_map is not null)
            return new AnyValue { KvlistValue =
                new KeyValueList { Values = { _map.Select(m => new KeyValue { Key = m.Key, Value = m.Value.Of(facts, scratch) }) } } };
        if (_list is not null)
            return new AnyValue { ArrayValue = new ArrayValue { Values = { _list.Select(v => v.Of(facts, scratch)) } } };
        return _constant;
    }
}

/// <summary>OpenTelemetry's log service: a unary call for some records.</summary>
/// <param name="options">Name, place, sizes.</param>
/// <param name="resource">Who we are.</param>
/// <param name="body">The record's body; null for none.</param>
/// <param name="attributes">Its attributes.</param>
/// <param name="filter">Which records.</param>
/// <param name="workers">Number of workers.</param>
public sealed class OtelLog(RemoteLogOptions options, Resource resource, OtelValue? body,
    IReadOnlyList<(string Key, OtelValue Value)> attributes, LogFilter? filter, int workers) : RemoteLog(options, filter, workers)
{
    /// <summary>The method.</summary>
    public const string Path = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

    /// <inheritdoc/>
    protected override PerWorker New(Worker worker) => new Sender(this, worker);

    private LogRecord Entry(IStreamFacts facts, ByteBuffer scratch)
    {
        var record = new LogRecord { TimeUnixNano = (ulong)facts.StartedAt * 1000 };
        if (body is not null)
            record.Body = body.Of(facts, scratch);
        foreach ((string key, OtelValue value) in attributes)
            record.Attributes.Add(new KeyValue { Key = key, Value = value.Of(facts, scratch) });
        (string trace, string span) = facts.TraceIds;
        if (trace.Length == 32)
            record.TraceId = ByteString.CopyFrom(Convert.FromHexString(trace));
        if (span.Length == 16)
            record.SpanId = ByteString.CopyFrom(Convert.FromHexString(span));
        return record;
    }

    private Resource Resource => resource;

    private sealed class Sender(OtelLog owner, Worker worker) : PerWorker(owner.Options, worker)
    {
        // A few calls beside each other; with all on their way, records wait.
        private const int CallsMax = 4;

        private readonly List<LogRecord> _records = [];
        private readonly ByteBuffer _scratch = new(256);
        private readonly Stack<Call> _free = new();
        private int _made;

        protected override int Take(IStreamFacts facts)
        {
            LogRecord record = owner.Entry(facts, _scratch);
            _records.Add(record);
            return record.CalculateSize();
        }

        protected override bool Send()
        {
            if (_free.Count == 0 && _made == CallsMax)
                return false;
            if (!_free.TryPop(out Call? call))
            {
                call = new Call(this);
                _made++;
            }
            call.Count = _records.Count;
            var request = new ExportLogsServiceRequest
            {
                ResourceLogs = { new ResourceLogs
                {
                    Resource = owner.Resource,
                    ScopeLogs = { new ScopeLogs { LogRecords = { _records } } },
                } },
            };
            _records.Clear();
            call.Unary.Begin(Worker, Options.Method, request);
            return true;
        }

        private sealed class Call : UnaryReceiver
        {
            private readonly Sender _owner;

            public Call(Sender owner)
            {
                _owner = owner;
                Unary = new UnaryCall(this);
            }

            public UnaryCall Unary { get; }

            public int Count { get; set; }

            public override void OnReply(ReadOnlySpan<byte> message) => _owner.Over(this, false);

            public override void OnError(int status, string message) => _owner.Over(this, true);
        }

        private void Over(Call call, bool failed)
        {
            if (failed)
                Lost(call.Count);
            _free.Push(call);
            Flush();
        }
    }
}
