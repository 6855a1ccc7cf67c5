using System.Text;
using Lateen.Proxy;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.Router;
using Lateen.Proxy.Http;
using Lateen.Proxy.Http.One;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Upstream;

namespace Lateen.Test.Unit.Proxy.Exchanges;

/// <summary>A client, a proxy of one worker and scripted upstreams on an in-memory network.</summary>
internal sealed class ProxyRig
{
    public static readonly Address ProxyAt = Address.V4(0x0a000002, 8080);

    private readonly MemoryLoop _client, _proxy, _server;
    private readonly RouteSource _routes = new("test");

    public ProxyRig(ulong seed = 1)
    {
        Network = new MemoryNetwork(seed);
        _client = Network.AddHost("client", Address.V4(0x0a000001, 0)).AddLoop();
        _proxy = Network.AddHost("proxy", Address.V4(0x0a000002, 0)).AddLoop();
        _server = Network.AddHost("server", Address.V4(0x0a000003, 0)).AddLoop();
        Worker = new Worker(0, _proxy);
        Directory = new ClusterDirectory(_proxy, 1);
        Upstreams = new Upstreams(Directory, [Worker]);
        Records = new Recorder();
    }

    public MemoryNetwork Network { get; }

    public MemoryLoop Proxy => _proxy;

    public Worker Worker { get; }

    public ClusterDirectory Directory { get; }

    public Upstreams Upstreams { get; }

    public Recorder Records { get; }

    public RouterOptions RouterOptions { get; set; } = new();

    public List<HttpFilter> Filters { get; } = [];

    public Func<HttpOptions, HttpOptions> Tune { get; set; } = o => o;

    public void Start(params Route[] routes)
    {
        _routes.Current = new RouteTable("test",
            [new VirtualHost { Name = "all", Domains = ["*"], Routes = routes, AttemptCountInRequest = true }]);
        HttpOptions options = Tune(new HttpOptions
        {
            Filters = new FilterChain([.. Filters, new RouterFilter("envoy.filters.http.router", RouterOptions, Upstreams)]),
            Routes = _routes,
            Recorders = [Records],
        });
        _proxy.Listen(new ListenOptions(ProxyAt), new ProxyAcceptor(new ExchangePool(Worker, options)));
    }

    /// <summary>A cluster whose one host is an upstream of ours.</summary>
    public ClusterHandle AddCluster(string name, int port, Func<Cluster, Cluster>? change = null)
    {
        var cluster = new Cluster { Name = name, StatName = name };
        Directory.Publish(change is null ? cluster : change(cluster),
            new EndpointSet { Localities = [LocalityEndpoints.Of([new Endpoint { Address = Address.V4(0x0a000003, port) }])] });
        return Directory.Handle(name);
    }

    /// <summary>An upstream that answers each request (by its number and head) with raw bytes; null closes, an empty text stays
    /// silent.</summary>
    public ScriptedUpstream AddUpstream(int port, Func<int, string, string?> answer)
    {
        var upstream = new ScriptedUpstream(answer);
        _server.Listen(new ListenOptions(Address.V4(0x0a000003, port)), upstream);
        return upstream;
    }

    public RawClient Connect()
    {
        var client = new RawClient();
        client.Transport = _client.Connect(new ConnectOptions(ProxyAt), client);
        return client;
    }

    /// <summary>Sends a request on a connection of its own and reads until the answer has this many bytes or time is up.</summary>
    public string Ask(string request, long micros = 2_000_000)
    {
        RawClient client = Connect();
        client.Send(request);
        Network.RunUntil(() => client.Complete || client.Closed, micros);
        return client.Text;
    }

    public static Route Forward(string prefix, ClusterHandle cluster, Func<ForwardAction, ForwardAction>? make = null)
    {
        ForwardAction action = new() { Cluster = cluster, Timeouts = new TimeoutPolicy() };
        return new Route
        {
            Name = prefix,
            Path = new PathMatch(PathMatchKind.Prefix, prefix),
            Action = make is null ? action : make(action),
        };
    }

    public sealed class Recorder : ExchangeRecorder
    {
        public List<string> Lines { get; } = [];

        public override void OnEnd(Exchange exchange)
        {
            var flags = new Lateen.Proxy.Formats.ByteBuffer();
            ResponseFlagNames.Write(exchange.Flags, flags);
            Lines.Add(
                $"{exchange.Status} {(flags.Length == 0 ? "-" : Encoding.ASCII.GetString(flags.Written))} {exchange.Details} {exchange.Upstream.Attempts}");
        }
    }

    public sealed class Silent : ExchangeRecorder
    {
        public int Count { get; private set; }

        public override void OnEnd(Exchange exchange) => Count++;
    }

    private sealed class ProxyAcceptor(ExchangePool pool) : Acceptor
    {
        public override void OnAccepted(Transport transport)
        {
            var connection = new HttpConnection(pool,
                new ConnectionContext
                {
                    Remote = transport.Remote,
                    DirectRemote = transport.Remote,
                    Local = transport.Local,
                    DirectLocal = transport.Local,
                });
            connection.Attach(new Http1ServerConnection(transport, connection, pool.Options.Codec));
        }
    }
}

/// <summary>A client that keeps what it reads.</summary>
internal sealed class RawClient : TransportHandler
{
    private readonly StringBuilder _text = new();
    private readonly StringBuilder _early = new();
    private bool _connected;

    public Transport Transport { get; set; } = null!;

    public bool Closed { get; private set; }

    public bool Ended { get; private set; }

    public string Text => _text.ToString();

    /// <summary>A whole answer with a length was read.</summary>
    public bool Complete
    {
        get
        {
            string text = Text;
            int head = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            if (head < 0)
                return false;
            int at = text.IndexOf("content-length: ", StringComparison.Ordinal);
            return at >= 0 && at < head
                && text.Length - head - 4 >= int.Parse(text.AsSpan(at + 16, text.IndexOf('\r', at) - at - 16),
                    System.Globalization.CultureInfo.InvariantCulture);
        }
    }

    public void Send(string text)
    {
        if (_connected)
            Transport.Send(Encoding.Latin1.GetBytes(text));
        else
            _early.Append(text);
    }

    public void Forget() => _text.Clear();

    public override void OnConnected(Transport transport)
    {
        _connected = true;
        if (_early.Length > 0)
            transport.Send(Encoding.Latin1.GetBytes(_early.ToString()));
    }

    public override void OnData(Transport transport, ReadOnlySpan<byte> bytes) => _text.Append(Encoding.Latin1.GetString(bytes));

    public override void OnEnd(Transport transport)
    {
        Ended = true;
        transport.Close();
    }

    public override void OnClosed(Transport transport, CloseReason reason) => Closed = true;
}

/// <summary>An upstream that reads heads (and bodies with a length) and answers by a script.</summary>
internal sealed class ScriptedUpstream(Func<int, string, string?> answer) : Acceptor
{
    public List<string> Requests { get; } = [];

    public int Connections { get; private set; }

    public override void OnAccepted(Transport transport)
    {
        Connections++;
        _open.Add(transport);
        transport.Handler = new Connection(this);
    }

    private readonly List<Transport> _open = [];

    /// <summary>It vanishes: all of its connections break.</summary>
    public void BreakAll() => _open.ForEach(t => t.Close(abort: true));

    /// <summary>Its connections, in the order of their coming.</summary>
    public IReadOnlyList<Transport> Transports => _open;

    /// <summary>Bytes of its answers that wait to leave.</summary>
    public long Pending => _open.Sum(t => (long)t.PendingBytes);

    /// <summary>Says more on all of its connections.</summary>
    public void SendAll(string text) => _open.ForEach(t => t.Send(Encoding.Latin1.GetBytes(text)));

    private sealed class Connection(ScriptedUpstream upstream) : TransportHandler
    {
        private readonly StringBuilder _text = new();

        public override void OnData(Transport transport, ReadOnlySpan<byte> bytes)
        {
            _text.Append(Encoding.Latin1.GetString(bytes));
            while (true)
            {
                string text = _text.ToString();
                int head = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
                if (head < 0)
                    return;
                int at = text.IndexOf("content-length: ", StringComparison.Ordinal);
                int length = at >= 0 && at < head
                    ? int.Parse(text.AsSpan(at + 16, text.IndexOf('\r', at) - at - 16), System.Globalization.CultureInfo.InvariantCulture)
                    : 0;
                if (text.Length < head + 4 + length)
                    return;
                string request = text[..(head + 4 + length)];
                _text.Remove(0, request.Length);
                upstream.Requests.Add(request);
                string? reply = answer(upstream.Requests.Count, request);
                if (reply is null)
                {
                    transport.Close();
                    return;
                }
                transport.Send(Encoding.Latin1.GetBytes(reply));
            }
        }

        public override void OnClosed(Transport transport, CloseReason reason)
        {
        }

        private string? answer(int number, string request) => upstream.Answer(number, request);
    }

    private string? Answer(int number, string request) => answer(number, request);
}
