using System.Globalization;
using System.Text;
using Lateen.Proxy;
using Lateen.Proxy.Http;
using Lateen.Proxy.Http.One;
using Lateen.Proxy.Http.Two;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Lateen.Proxy.Tls;
using Lateen.Test.Rigs.Text;

namespace Lateen.Test.Rigs.Stage;

/// <summary>How an application treats what it is asked.</summary>
internal enum Manner
{
    /// <summary>Answers.</summary>
    Answer,

    /// <summary>Resets the connection when the request has come.</summary>
    Reset,

    /// <summary>Takes the request and never says a word.</summary>
    Silent,

    /// <summary>Sends half of the body it promised and closes.</summary>
    CloseMidAnswer,
}

/// <summary>A request as an application saw it.</summary>
internal sealed record SeenRequest(long At, string Method, string Path, string Authority,
    IReadOnlyList<(string Name, string Value)> Headers);

/// <summary>A program that answers HTTP/1 and HTTP/2 with its name and version, says which headers came, or echoes bytes on TCP ports; it
/// misbehaves on demand.</summary>
internal sealed class Application(MemoryHost host, string name, IReadOnlyDictionary<int, string> ports)
{
    private MemoryLoop? _loop;

    /// <summary>Name and version as scenarios write them: reviews v1.</summary>
    public string Name => name;

    public MemoryLoop Loop => _loop ?? throw new ScenarioException($"{name} is stopped");

    public bool IsRunning => _loop is not null;

    public int Status { get; set; } = 200;

    public long DelayMicros { get; set; }

    public Manner Manner { get; set; }

    /// <summary>For how many requests more <see cref="Status"/> and <see cref="Manner"/> hold; below 0 for ever.</summary>
    public int Times { get; set; } = -1;

    public List<(string Name, string Value)> Extra { get; } = [];

    public List<SeenRequest> Seen { get; } = [];

    /// <summary>Connections accepted so far.</summary>
    public int Connections { get; private set; }

    /// <summary>TLS of ports that speak it; null for none.</summary>
    public TlsContext? Tls { get; set; }

    public void Start()
    {
        if (_loop is not null) return;
        _loop = host.AddLoop("app");
        foreach ((int port, string protocol) in ports.OrderBy(p => p.Key))
            _loop.Listen(new ListenOptions(Address.V4(0, port)), new Door(this, protocol));
    }

    public void Stop()
    {
        _loop?.Kill();
        _loop = null;
    }

    private sealed class Door(Application application, string protocol) : Acceptor
    {
        public override void OnAccepted(Transport transport)
        {
            application.Connections++;
            if (protocol == "tls") transport =
                TlsTransport.Accept(transport, application.Tls ?? throw new ScenarioException($"{application.Name} has no certificate"));
            transport.Handler = protocol == "tcp" ? new Echo(application) : new Sniffing(application);
        }
    }

    // TCP: the first answer begins with the application's name.
    private sealed class Echo(Application application) : TransportHandler
    {
        private bool _named;

        public override void OnData(Transport transport, ReadOnlySpan<byte> bytes)
        {
            if (!_named) transport.Send(Encoding.ASCII.GetBytes(application.Name + ": "));
            _named = true;
            transport.Send(bytes);
        }

        public override void OnClosed(Transport transport, CloseReason reason)
        {
        }
    }

    private sealed class Sniffing(Application application) : TransportHandler
    {
        private readonly List<byte> _first = [];

        public override void OnData(Transport transport, ReadOnlySpan<byte> bytes)
        {
            _first.AddRange(bytes);
            if (_first.Count < 4) return;
            var calls = new Calls(application);
            TransportHandler connection = _first is [(byte)'P', (byte)'R', (byte)'I', (byte)' ', ..]
                ? new Http2ServerConnection(transport, calls, new CodecOptions())
                : new Http1ServerConnection(transport, calls, new CodecOptions());
            connection.OnData(transport, _first.ToArray());
        }

        public override void OnClosed(Transport transport, CloseReason reason)
        {
        }
    }

    private sealed class Calls(Application application) : RequestAcceptor
    {
        public override RequestReceiver OnRequest(DownstreamStream stream) => new Request(application, stream);

        public override void OnConnectionError(string detail, FailureKind kind)
        {
        }
    }

    private sealed class Request(Application application, DownstreamStream stream) : RequestReceiver
    {
        private SeenRequest _seen = null!;
        private bool _over;

        public override void OnRequestHead(bool end)
        {
            List<(string Name, string Value)> headers = Headers.Read(RequestHead);
            _seen = new SeenRequest(application.Loop.Now, headers.Find(":method") ?? "", headers.Find(":path") ?? "",
                headers.Find(":authority") ?? "", headers);
            if (end) Complete();
        }

        public override void OnRequestBody(ReadOnlySpan<byte> body, bool end)
        {
            if (end) Complete();
        }

        public override void OnRequestTrailers() => Complete();

        public override void OnRequestReset(ResetReason reason, string detail) => _over = true;

        public override void OnBadRequest(int status, string detail, FailureKind kind) => Answer(status, Manner.Answer);

        public override void OnSendable()
        {
        }

        public override void OnStreamDone() => _over = true;

        private void Complete()
        {
            application.Seen.Add(_seen);
            bool special = application.Times != 0;
            if (special && application.Times > 0) application.Times--;
            (int status, Manner manner) = special ? (application.Status, application.Manner) : (200, Manner.Answer);
            if (application.DelayMicros > 0) application.Loop.Arm(new Later(this, status, manner), application.DelayMicros);
            else Answer(status, manner);
        }

        private void Answer(int status, Manner manner)
        {
            if (_over || manner == Manner.Silent) return;
            if (manner == Manner.Reset)
            {
                _over = true;
                stream.Transport.Close(abort: true);
                return;
            }
            bool grpc = _seen.Headers.Find("content-type")?.StartsWith("application/grpc", StringComparison.Ordinal) == true;
            byte[] body = grpc
                ? []
                : Encoding.UTF8.GetBytes(
                    $"{application.Name}\n{_seen.Method} {_seen.Path}\n{string.Join('\n', _seen.Headers.Select(h => $"{h.Name}: {h.Value}"))}\n");
            List<(string, string)> head = [(":status", status.ToString(CultureInfo.InvariantCulture)), ("x-app", application.Name),
                ("x-pod", application._loop?.Host.Name ?? ""), .. application.Extra];
            if (grpc) head.AddRange([("content-type", "application/grpc"), ("grpc-status", status == 200 ? "0" : "14")]);
            else head.Add(("content-length", body.Length.ToString(CultureInfo.InvariantCulture)));
            if (grpc) head[0] = (":status", "200");
            stream.SendHead(Headers.Write(head), end: body.Length == 0);
            if (body.Length == 0) return;
            if (manner == Manner.CloseMidAnswer)
            {
                _over = true;
                stream.SendBody(body.AsSpan(0, body.Length / 2), end: false);
                stream.Transport.Close();
                return;
            }
            stream.SendBody(body, end: true);
        }

        private sealed class Later(Request request, int status, Manner manner) : Deadline
        {
            protected override void OnDue(long now) => request.Answer(status, manner);
        }
    }
}
