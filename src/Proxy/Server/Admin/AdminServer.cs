using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Http.One;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Server;

/// <summary>One admin request.</summary>
/// <param name="Method">GET, POST.</param>
/// <param name="Path">Without the query.</param>
/// <param name="Query">Parameters, decoded; a name without a value has an empty one.</param>
/// <param name="Body">The body.</param>
public sealed record AdminRequest(string Method, string Path, IReadOnlyDictionary<string, string> Query, string Body)
{
    /// <summary>Parameters of a query or of a form, decoded; the first of a name counts.</summary>
    public static Dictionary<string, string> Parameters(string query)
    {
        var parameters = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string pair in query.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            int eq = pair.IndexOf('=', StringComparison.Ordinal);
            parameters.TryAdd(Uri.UnescapeDataString(eq < 0 ? pair : pair[..eq]),
                eq < 0 ? "" : Uri.UnescapeDataString(pair[(eq + 1)..].Replace('+', ' ')));
        }
        return parameters;
    }

    /// <summary>Values of the parameter <c>header</c>, which may stand more than once: "name: value" each.</summary>
    public IReadOnlyList<string> Headers { get; init; } = [];
}

/// <summary>One admin answer.</summary>
/// <param name="Status">The status.</param>
/// <param name="ContentType">The type of the body.</param>
/// <param name="Body">The body.</param>
public sealed record AdminAnswer(int Status, string ContentType, byte[] Body)
{
    /// <summary>Envoy tells twice in some pages that browsers shall not guess the type.</summary>
    public bool NoSniffTwice { get; init; }

    /// <summary>Plain text.</summary>
    public static AdminAnswer Text(string text, int status = 200) =>
        new(status, "text/plain; charset=UTF-8", System.Text.Encoding.UTF8.GetBytes(text));

    /// <summary>JSON.</summary>
    public static AdminAnswer Json(string json) => new(200, "application/json", System.Text.Encoding.UTF8.GetBytes(json));
}

/// <summary>The admin pages over HTTP/1 on the main loop.</summary>
public sealed class AdminServer : Acceptor
{
    private readonly AdminPages _pages;
    private readonly ListeningSocket _socket;
    private readonly StatCells _stats;

    /// <summary>Listens.</summary>
    /// <exception cref="ListenException">The address can't be bound.</exception>
    public AdminServer(ProxyServer server, Address address)
    {
        _pages = new AdminPages(server);
        _stats = server.Statistics.Group("http.admin.", HttpStats.Schema).Main;
        _socket = server.Main.Listen(new ListenOptions(address, ReusePort: false), this);
    }

    /// <summary>Where it listens.</summary>
    public Address Address => _socket.Address;

    /// <summary>Accepts nothing more.</summary>
    public void Close() => _socket.Close();

    /// <inheritdoc/>
    public override void OnAccepted(Transport transport)
    {
        _stats.Count(HttpStat.DownstreamCxTotal);
        _stats.Count(HttpStat.DownstreamCxHttp1Total);
        _stats.Move(HttpStat.DownstreamCxActive, 1);
        _stats.Move(HttpStat.DownstreamCxHttp1Active, 1);
        transport.Handler = new Http1ServerConnection(transport, new Visitor(_pages, _stats), new CodecOptions { DelayedCloseMicros = 0 });
    }

    private sealed class Visitor(AdminPages pages, StatCells stats) : RequestAcceptor
    {
        public override RequestReceiver OnRequest(DownstreamStream stream)
        {
            stats.Count(HttpStat.DownstreamRqTotal);
            stats.Count(HttpStat.DownstreamRqHttp1Total);
            stats.Move(HttpStat.DownstreamRqActive, 1);
            return new Visit(pages, stats, stream);
        }

        public override void OnConnectionClosed(DownstreamConnection connection, CloseReason reason)
        {
            stats.Count(HttpStat.DownstreamCxDestroy);
            stats.Move(HttpStat.DownstreamCxActive, -1);
            stats.Move(HttpStat.DownstreamCxHttp1Active, -1);
        }

        public override void OnConnectionError(string detail, FailureKind kind)
        {
        }
    }

    private sealed class Visit(AdminPages pages, StatCells stats, DownstreamStream stream) : RequestReceiver
    {
        private const int BodyBytesMax = 1 << 20;

        private readonly ByteBuffer _body = new();
        private bool _answered;

        public override void OnRequestHead(bool end)
        {
            if (end)
                Answer();
        }

        public override void OnRequestBody(ReadOnlySpan<byte> body, bool end)
        {
            if (_body.Length + body.Length <= BodyBytesMax)
                _body.Append(body);
            if (end)
                Answer();
        }

        public override void OnRequestTrailers() => Answer();

        public override void OnRequestReset(ResetReason reason, string detail)
        {
            _answered = true;
            stats.Move(HttpStat.DownstreamRqActive, -1);
        }

        public override void OnBadRequest(int status, string detail, FailureKind kind) => Send(AdminAnswer.Text(detail, status));

        public override void OnSendable()
        {
        }

        public override void OnStreamDone() => stats.Move(HttpStat.DownstreamRqActive, -1);

        private void Answer()
        {
            string path = System.Text.Encoding.UTF8.GetString(RequestHead[KnownHeader.Path]);
            int q = path.IndexOf('?', StringComparison.Ordinal);
            Send(pages.Answer(new AdminRequest(
                System.Text.Encoding.Latin1.GetString(RequestHead[KnownHeader.Method]),
                q < 0 ? path : path[..q],
                q < 0 ? new Dictionary<string, string>() : AdminRequest.Parameters(path[(q + 1)..]),
                System.Text.Encoding.UTF8.GetString(_body.Written))
            {
                Headers = q < 0
                    ? [] : [.. path[(q + 1)..].Split('&').Where(p => p.StartsWith("header=", StringComparison.Ordinal))
                        .Select(p => Uri.UnescapeDataString(p["header=".Length..].Replace('+', ' ')))],
            }));
        }

        private void Send(AdminAnswer answer)
        {
            if (_answered)
                return;
            _answered = true;
            stats.Count(HttpStat.DownstreamRqCompleted);
            stats.Count((int)HttpStat.DownstreamRq1xx + answer.Status / 100 - 1);
            var head = new HeaderMap();
            head.Add(KnownHeader.Status,
                System.Text.Encoding.ASCII.GetBytes(answer.Status.ToString(System.Globalization.CultureInfo.InvariantCulture)));
            head.Add(KnownHeader.ContentType, System.Text.Encoding.ASCII.GetBytes(answer.ContentType));
            head.Add(KnownHeader.CacheControl, "no-cache, max-age=0"u8);
            head.Add("x-content-type-options"u8, "nosniff"u8);
            if (answer.NoSniffTwice)
                head.Add("x-content-type-options"u8, "nosniff"u8);
            head.Add(KnownHeader.Server, "envoy"u8);
            head.Add(KnownHeader.Date,
                System.Text.Encoding.ASCII.GetBytes(DateTimeOffset.FromUnixTimeMilliseconds(stream.Transport.Loop.WallClock / 1000)
                    .ToString("R", System.Globalization.CultureInfo.InvariantCulture)));
            // As Envoy's pages: without a length, in chunks.
            stream.SendHead(head, end: false);
            stream.SendBody(answer.Body, end: true);
        }
    }
}
