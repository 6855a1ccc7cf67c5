using System.Buffers.Binary;
using System.Text;
using Lateen.Proxy;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.Router;
using Lateen.Proxy.Http;
using Lateen.Proxy.Http.Two;
using Lateen.Proxy.Http.Two.Blocks;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Telemetry;
using Lateen.Proxy.Upstream;
using Lateen.Test.Rigs.Codecs;

namespace Lateen.Bench.Micro;

/// <summary>A whole proxy between HTTP/2 clients and HTTP/2 upstreams, without sockets: what clients send is prepared, what upstreams are
/// sent is answered in order.</summary>
internal sealed class StreamsLab
{
    private const int StreamsAConnection = 32, AnswersARead = 18, BodyBytes = 880;

    private readonly Loop _loop;
    private readonly Client[] _clients;
    private readonly Queue<(Pipe Upstream, uint Id)> _asked = new();
    private readonly byte[][] _answerHead;
    private readonly byte[] _answers;
    private int _turn;

    /// <summary>Clients enough for so many requests on their way.</summary>
    public StreamsLab(int inFlight)
    {
        _loop = new Loop(new MemoryNetwork(1).AddHost("proxy", Address.V4(1, 0)).AddLoop(), this);
        HttpOptions options = Proxy(new Worker(0, _loop));
        var pool = new ExchangePool(new Worker(0, _loop), options);
        _clients = [.. Enumerable.Range(0, Math.Max(1, inFlight / StreamsAConnection))
            .Select(_ => new Client(_loop, pool, options, Math.Min(inFlight, StreamsAConnection)))];
        _answerHead = Block((":status", "200"), ("server", "nghttpd nghttp2/1.52.0"), ("cache-control", "max-age=3600"),
            ("date", "Sat, 21 Nov 2026 10:00:00 GMT"), ("content-length", "880"), ("last-modified", "Sat, 21 Nov 2026 09:00:00 GMT"));
        _answers = new byte[AnswersARead * (9 + _answerHead[0].Length + 9 + BodyBytes)];
        foreach (Client client in _clients)
            client.Ask();
    }

    private HttpOptions Proxy(Worker worker)
    {
        var directory = new ClusterDirectory(_loop, 1);
        var upstreams = new Upstreams(directory, [worker]);
        directory.Publish(new Cluster
        {
            Name = "up",
            StatName = "up",
            Protocol = UpstreamProtocol.Http1Default with { Choice = ProtocolChoice.Http2 },
        }, new EndpointSet { Localities = [LocalityEndpoints.Of([new Endpoint { Address = Address.V4(2, 80) }])] });
        var action = new ForwardAction
        {
            Cluster = directory.Handle("up"),
            Timeouts = new TimeoutPolicy(),
            Retry = new RetryPolicy
            {
                On = RetryOn.ConnectFailure | RetryOn.RefusedStream | RetryOn.GrpcUnavailable | RetryOn.GrpcCancelled,
                NumRetries = 2,
                AvoidPreviousHosts = true,
            },
        };
        var route = new Route { Name = "default", Path = new PathMatch(PathMatchKind.Prefix, "/"), Action = action };
        return new HttpOptions
        {
            Filters = new FilterChain([new RouterFilter("router", new RouterOptions(), upstreams)]),
            Routes = new RouteSource("t", new RouteTable("t", [new VirtualHost { Name = "any", Domains = ["*"], Routes = [route] }])),
            Recorders = [new DecisionRing(1)],
        };
    }

    /// <summary>Requests answered so far.</summary>
    public long Answered { get; private set; }

    /// <summary>One client's requests come, the oldest on their way are answered.</summary>
    public int Turn()
    {
        Client client = _clients[_turn++ % _clients.Length];
        for (int left = client.Streams; left > 0;)
            left -= AnswerSome(Math.Min(left, AnswersARead));
        client.Ask();
        return client.Streams;
    }

    // The answers of one read: those that wait behind each other on one connection.
    private int AnswerSome(int most)
    {
        Pipe upstream = _asked.Peek().Upstream;
        int n = 0, at = 0;
        while (n < most && _asked.TryPeek(out (Pipe Upstream, uint Id) asked) && ReferenceEquals(asked.Upstream, upstream))
        {
            _asked.Dequeue();
            at += Frame(_answers.AsSpan(at), 1, 4, asked.Id, upstream.HasAnswered ? _answerHead[1] : _answerHead[0]);
            upstream.HasAnswered = true;
            at += Frame(_answers.AsSpan(at), 0, 1, asked.Id, _answers.AsSpan(0, 0), BodyBytes);
            n++;
        }
        upstream.Handler.OnData(upstream, _answers.AsSpan(0, at));
        Answered += n;
        return n;
    }

    private static int Frame(Span<byte> to, byte type, byte flags, uint id, ReadOnlySpan<byte> payload, int more = 0)
    {
        BinaryPrimitives.WriteUInt32BigEndian(to, ((uint)(payload.Length + more) << 8) | type);
        to[4] = flags;
        BinaryPrimitives.WriteUInt32BigEndian(to[5..], id);
        payload.CopyTo(to[9..]);
        return 9 + payload.Length + more;
    }

    // A block by which the table learns the fields, and one that finds them there.
    private static byte[][] Block(params (string Name, string Value)[] fields)
    {
        var encoder = new HpackEncoder(4096);
        byte[][] blocks = [.. Enumerable.Range(0, 3).Select(_ =>
        {
            encoder.Begin();
            foreach ((string name, string value) in fields)
            {
                byte[] bytes = Encoding.ASCII.GetBytes(name);
                encoder.Add(KnownHeaders.Find(bytes), bytes, Encoding.ASCII.GetBytes(value));
            }
            return encoder.Block.ToArray();
        })];
        return [blocks[1], blocks[2]];
    }

    private sealed class Client
    {
        private readonly Pipe _transport;
        private readonly byte[] _input;
        private readonly byte[] _block;
        private uint _next = 1;

        public Client(Loop loop, ExchangePool pool, HttpOptions options, int streams)
        {
            Streams = streams;
            _transport = new Pipe(loop, null);
            var connection = new HttpConnection(pool, new ConnectionContext { Remote = Address.V4(3, 1000), Local = Address.V4(1, 80) });
            var codec = new Http2ServerConnection(_transport, connection, options.Codec);
            connection.Attach(codec);
            byte[][] blocks = Block((":method", "GET"), (":path", "/880"), (":scheme", "http"), (":authority", "127.0.0.1:12345"),
                ("user-agent", "h2load nghttp2/1.52.0"));
            // The largest windows: SETTINGS_INITIAL_WINDOW_SIZE, and what each turn's answers take of the connection's.
            codec.OnData(_transport, [.. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8, 0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0x7f, 0xff, 0xff, 0xff]);
            byte[] first = new byte[9 + blocks[0].Length];
            Frame(first, 1, 5, _next, blocks[0]);
            _next += 2;
            codec.OnData(_transport, first);
            loop.FinishConnects();
            _block = blocks[1];
            _input = new byte[13 + (streams * (9 + _block.Length))];
        }

        public int Streams { get; }

        public void Ask()
        {
            Span<byte> input = _input;
            int at = Frame(input, 8, 0, 0, [0, 0, (byte)(Streams * BodyBytes >> 8), (byte)(Streams * BodyBytes)]);
            for (int i = 0; i < Streams; i++, _next += 2)
                at += Frame(input[at..], 1, 5, _next, _block);
            _transport.Handler.OnData(_transport, input[..at]);
        }
    }

    // Upstream it reads which streams begin; what goes to a client is gone.
    private sealed class Pipe(Loop loop, StreamsLab? lab) : Transport
    {
        private uint _headersOf;
        private bool _started;

        /// <summary>The proxy knows the fields of answers by now.</summary>
        public bool HasAnswered { get; set; }

        public override EventLoop Loop => loop;

        public override Address Local => Address.V4(1, 80);

        public override Address Remote => Address.V4(3, 1000);

        public override Address OriginalDestination => default;

        public override int PendingBytes => 0;

        public override bool IsAboveWatermark => false;

        public override bool Reading { get; set; } = true;

        public override bool IsClosed => false;

        public override void Send(ReadOnlySpan<byte> bytes)
        {
            if (lab is null)
                return;
            if (!_started)
            {
                _started = true;
                return;
            }
            if (bytes.Length >= 9 && bytes[3] == 1 && _headersOf == 0)
            {
                uint id = BinaryPrimitives.ReadUInt32BigEndian(bytes[5..]);
                lab._asked.Enqueue((this, id));
                _headersOf = bytes.Length == 9 ? id : 0;
            }
            else
            {
                _headersOf = 0;
            }
        }

        public override void Flush()
        {
        }

        public override void EndSend()
        {
        }

        public override void Close(bool abort = false) => throw new InvalidOperationException("the proxy closed a connection");
    }

    private sealed class Loop(MemoryLoop inner, StreamsLab lab) : ConnectingLoop(inner)
    {
        private readonly List<(Pipe Transport, TransportHandler Handler)> _connecting = [];

        public void FinishConnects()
        {
            foreach ((Pipe transport, TransportHandler handler) in _connecting.ToArray())
            {
                _connecting.Remove((transport, handler));
                handler.OnConnected(transport);
                transport.Handler.OnData(transport, [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 4, 0]);
            }
        }

        public override Transport Connect(in ConnectOptions options, TransportHandler handler)
        {
            var pipe = new Pipe(this, lab) { Handler = handler };
            _connecting.Add((pipe, handler));
            return pipe;
        }
    }
}
