using Envoy.Data.Accesslog.V3;
using Envoy.Service.Accesslog.V3;
using Google.Protobuf;
using Lateen.Api.Grpc;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Telemetry;
using Lateen.Proxy.Upstream.Calls;
using Core = Envoy.Config.Core.V3;

namespace Lateen.Proxy.Remote;

/// <summary>Envoy's access log service: one stream a worker, named in its first message.</summary>
/// <param name="options">Name, place, sizes.</param>
/// <param name="entries">Makes entries.</param>
/// <param name="node">Who we are.</param>
/// <param name="tcp">Connections rather than requests.</param>
/// <param name="filter">Which records.</param>
/// <param name="workers">Number of workers.</param>
public sealed class StreamedLog(RemoteLogOptions options, LogEntries entries, Core.Node node, bool tcp, LogFilter? filter, int workers)
    : RemoteLog(options, filter, workers)
{
    /// <summary>The method.</summary>
    public const string Path = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs";

    /// <inheritdoc/>
    protected override PerWorker New(Worker worker) => new Sender(this, worker);

    private StreamAccessLogsMessage.Types.Identifier Identifier => new() { LogName = Options.Name, Node = node };

    private bool Tcp => tcp;

    private LogEntries Entries => entries;

    private sealed class Sender(StreamedLog owner, Worker worker) : PerWorker(owner.Options, worker)
    {
        private readonly List<HTTPAccessLogEntry> _http = [];
        private readonly List<TCPAccessLogEntry> _tcp = [];
        private LogStream? _stream;

        protected override int Take(IStreamFacts facts)
        {
            if (owner.Tcp)
            {
                TCPAccessLogEntry entry = owner.Entries.Tcp(facts);
                _tcp.Add(entry);
                return entry.CalculateSize();
            }
            HTTPAccessLogEntry http = owner.Entries.Http(facts);
            _http.Add(http);
            return http.CalculateSize();
        }

        protected override bool Send()
        {
            if (_stream is { IsFull: true })
                return false;
            var message = new StreamAccessLogsMessage();
            if (_stream is not { IsOpen: true })
            {
                _stream = new LogStream(Lost);
                message.Identifier = owner.Identifier;
            }
            if (owner.Tcp)
                message.TcpLogs = new StreamAccessLogsMessage.Types.TCPAccessLogEntries { LogEntry = { _tcp } };
            else
                message.HttpLogs = new StreamAccessLogsMessage.Types.HTTPAccessLogEntries { LogEntry = { _http } };
            int count = _tcp.Count + _http.Count;
            _tcp.Clear();
            _http.Clear();
            _stream.Send(Worker, Options.Method, GrpcFrame.ToArray(message), count);
            return true;
        }
    }

    /// <summary>The stream to the service.</summary>
    private sealed class LogStream(Action<int> lost) : SideStream
    {
        private readonly ByteBuffer _waiting = new(0);
        private GrpcMethod? _method;
        private int _count;
        private bool _begun, _ready;

        // Until the stream is there, one message waits; then the codec says how much it takes.
        public bool IsFull => IsOpen && (!_ready || Stream is not { CanSend: true });

        public void Send(Worker worker, GrpcMethod method, byte[] frame, int count)
        {
            if (_ready)
            {
                Stream!.SendBody(frame, end: false);
                return;
            }
            _waiting.Append(frame);
            _count += count;
            if (_begun)
                return;
            _begun = true;
            _method = method;
            Open(worker, method.Side);
        }

        protected override void OnReady()
        {
            var head = new HeaderMap();
            _method!.WriteStreamHead(head);
            Stream!.SendHead(head, false);
            if (Stream is null)
                return;
            _ready = true;
            Stream.SendBody(_waiting.Written, end: false);
            _waiting.Clear();
            _count = 0;
        }

        protected override void OnFailed(UpstreamCause cause) => lost(_count);

        public override void OnResponseHead(bool end)
        {
            if (end)
                Close();
        }

        public override void OnResponseBody(ReadOnlySpan<byte> body, bool end)
        {
            if (end)
                Close();
        }

        public override void OnResponseTrailers() => Close();
    }
}
