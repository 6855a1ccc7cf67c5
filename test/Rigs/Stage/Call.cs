using System.Globalization;
using System.Text;
using Lateen.Proxy.Http;
using Lateen.Proxy.Http.One;
using Lateen.Proxy.Http.Two;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Lateen.Proxy.Tls;
using Lateen.Test.Rigs.Text;

namespace Lateen.Test.Rigs.Stage;

/// <summary>What a caller asks.</summary>
internal sealed record CallRequest(string Method, string Path, string Authority, IReadOnlyList<(string Name, string Value)> Headers,
    bool Http2 = false, string? Raw = null)
{
    /// <summary>TLS that the caller speaks; null for plaintext.</summary>
    public CallTls? Tls { get; init; }
}

/// <summary>How a caller opens TLS: it takes any server for the one it wants.</summary>
internal sealed record CallTls(string ServerName, (string Chain, string Key)? Certificate = null)
{
    /// <summary>The settings as the proxy's own TLS takes them.</summary>
    public TlsContext Context(bool http2)
    {
        var options = new TlsOptions
        {
            IsServer = false,
            Alpn = [http2 ? "h2" : "http/1.1"],
            Certificates = Certificate is var (chain, key)
                ? [new TlsCertificate(Encoding.ASCII.GetBytes(chain), Encoding.ASCII.GetBytes(key))] : [],
        };
        return TlsContext.Create(options, out string error) ?? throw new ScenarioException(error);
    }
}

/// <summary>One request of an application, on a connection of its own, and what became of it.</summary>
internal sealed class Call : ResponseReceiver
{
    private readonly MemoryLoop _loop;
    private readonly CallRequest _request;
    private readonly long _began;
    private readonly StringBuilder _body = new();
    private Transport? _transport;

    public Call(MemoryLoop loop, Address to, CallRequest request, string id, Pod? from)
    {
        (_loop, _request, Id, From, _began) = (loop, request, id, from, loop.Now);
        _transport = request.Tls is { } tls
            ? TlsTransport.Connect(loop, new ConnectOptions(to), tls.Context(request.Http2), new TlsConnectOptions { Sni = tls.ServerName },
                new Opening(this))
            : loop.Connect(new ConnectOptions(to), new Opening(this));
    }

    /// <summary>Names it in access logs.</summary>
    public string Id { get; }

    /// <summary>The pod whose sidecar carries it, or the gateway; null for none.</summary>
    public Pod? From { get; }

    public bool IsOver { get; private set; }

    /// <summary>How it broke; null where it did not.</summary>
    public string? Broken { get; private set; }

    public int Status { get; private set; }

    public IReadOnlyList<(string Name, string Value)> Head { get; private set; } = [];

    public string Body => _body.ToString();

    public long TookMicros { get; private set; }

    /// <summary>Who answered, as scenarios write it; empty for a proxy.</summary>
    public string App => Head.Find("x-app") ?? "";

    /// <summary>Response flags in its proxy's access log.</summary>
    public string Flags => LogField(1);

    /// <summary>The cluster that it went to.</summary>
    public string Cluster => LogField(2);

    /// <summary>The name of the route that it took.</summary>
    public string Route => LogField(3);

    public override string ToString() => Broken is { } how ? $"broken ({how})"
        : $"{Status}{(App.Length > 0 ? " from " + App : "")}{(Flags is { Length: > 0 } flags and not "-" ? " with flag " + flags : "")}";

    private string LogField(int field) =>
        From?.Log.Lines.LastOrDefault(line => line.StartsWith(Id + "~", StringComparison.Ordinal))?.Split('~')[field].TrimEnd(';') ?? "";

    public override void OnInformational()
    {
    }

    public override void OnResponseHead(bool end)
    {
        Head = Headers.Read(ResponseHead);
        Status = int.Parse(Head.Find(":status")!, CultureInfo.InvariantCulture);
        if (end) End(null);
    }

    public override void OnResponseBody(ReadOnlySpan<byte> body, bool end)
    {
        _body.Append(Encoding.UTF8.GetString(body));
        if (end) End(null);
    }

    public override void OnResponseTrailers()
    {
        Head = [.. Head, .. Headers.Read(ResponseTrailers)];
        End(null);
    }

    public override void OnResponseReset(ResetReason reason, string detail) => End($"{reason} {detail}".Trim());

    public override void OnSendable()
    {
    }

    /// <summary>Nobody waits any more.</summary>
    public void GiveUp()
    {
        End("no answer");
        _transport?.Close(abort: true);
    }

    private void End(string? broken)
    {
        if (IsOver) return;
        (IsOver, Broken, TookMicros) = (true, broken, _loop.Now - _began);
    }

    private void Opened(Transport transport)
    {
        if (_request.Raw is { } raw)
        {
            transport.Handler = new Raw(this);
            transport.Send(Encoding.UTF8.GetBytes(raw));
            return;
        }
        UpstreamConnection connection = _request.Http2
            ? new Http2ClientConnection(transport, new Owner(), new CodecOptions())
            : new Http1ClientConnection(transport, new Owner(), new CodecOptions());
        UpstreamStream stream = connection.Begin(this);
        stream.SendHead(
            Headers.Write([(":method", _request.Method), (":scheme", _request.Tls is null ? "http" : "https"),
                (":authority", _request.Authority), (":path", _request.Path), ("x-call", Id), .. _request.Headers]), end: true);
    }

    private sealed class Opening(Call call) : TransportHandler
    {
        public override void OnConnected(Transport transport) => call.Opened(transport);

        public override void OnData(Transport transport, ReadOnlySpan<byte> bytes)
        {
        }

        public override void OnClosed(Transport transport, CloseReason reason) => call.End($"connect: {reason}");
    }

    // Plain TCP: the answer is over when it has come back whole.
    private sealed class Raw(Call call) : TransportHandler
    {
        public override void OnData(Transport transport, ReadOnlySpan<byte> bytes)
        {
            call._body.Append(Encoding.UTF8.GetString(bytes));
            if (!call.Body.EndsWith(call._request.Raw!, StringComparison.Ordinal)) return;
            call.Head = [("x-app", call.Body.Split(": ")[0])];
            call.Status = 200;
            call.End(null);
            transport.Close();
        }

        public override void OnClosed(Transport transport, CloseReason reason) => call.End($"closed: {reason}");
    }

    private sealed class Owner : UpstreamConnectionOwner
    {
        public override void OnFree(UpstreamConnection connection) => connection.Drain();

        public override void OnDraining(UpstreamConnection connection)
        {
        }

        public override void OnClosed(UpstreamConnection connection, CloseReason reason, string detail)
        {
        }
    }
}
