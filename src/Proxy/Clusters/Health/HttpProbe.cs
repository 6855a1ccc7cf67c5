using System.Buffers.Text;
using System.Text;
using Lateen.Proxy.Http;
using Lateen.Proxy.Http.One;
using Lateen.Proxy.Http.Two;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Clusters.Health;

/// <summary>Asks by HTTP: a path's status (and body), or gRPC's health service.</summary>
internal sealed class HttpProbe : Probe
{
    private readonly HostCheck _check;
    private readonly HeaderMap _head = new();
    private Transport? _transport;
    private UpstreamConnection? _codec;
    private Answer? _answer;
    private bool _closed;

    public HttpProbe(HostCheck check) => _check = check;

    private HealthCheckOptions Options => _check.Options;

    private bool IsGrpc => Options.Kind == HealthCheckKind.Grpc;

    /// <inheritdoc/>
    public override bool IsUsable => !_closed && _codec is { FreeStreams: > 0 };

    /// <inheritdoc/>
    public override void Send()
    {
        if (_codec is not null)
        {
            Ask();
            return;
        }
        var options = new ConnectOptions(_check.Target);
        var handler = new Connecting(this);
        var wishes = new SecurityWishes(null, Options.Alpn.Count > 0 ? Options.Alpn : null, null);
        _transport = _check.Host.Security is { } security
            ? security.Connect(_check.Loop, options, wishes, handler) : _check.Loop.Connect(options, handler);
    }

    /// <inheritdoc/>
    public override void Close()
    {
        if (_closed)
            return;
        _closed = true;
        _answer = null;
        if (_codec is not null)
            _codec.Transport.Close();
        else
            _transport?.Close();
    }

    private void OnConnected(Transport transport)
    {
        if (_closed)
            return;
        CodecOptions codec = _check.Handle.Current?.Cluster.Protocol.Codec ?? new CodecOptions();
        var owner = new Owner(this);
        _codec = Options.Version == HttpVersion.Http2
            ? new Http2ClientConnection(transport, owner, codec) : new Http1ClientConnection(transport, owner, codec);
        Ask();
    }

    private void Ask()
    {
        _answer = new Answer(this);
        UpstreamStream stream = _codec!.Begin(_answer);
        FillHead();
        if (!IsGrpc)
        {
            stream.SendHead(_head, Options.Send.Length == 0);
            if (Options.Send.Length > 0)
                stream.SendBody(Options.Send, true);
            return;
        }
        stream.SendHead(_head, false);
        byte[] service = Encoding.UTF8.GetBytes(Options.GrpcService);

        // One gRPC message: HealthCheckRequest { service = 1 }; an empty name is left out, as protobuf does.
        byte[] message = service.Length == 0 ? [] : [0x0a, (byte)service.Length, .. service];
        stream.SendBody([0, 0, 0, 0, (byte)message.Length, .. message], true);
    }

    private void FillHead()
    {
        _head.Clear();
        string named = IsGrpc ? Options.GrpcAuthority : Options.Host;
        string host = _check.Host.Endpoint.HealthHostname is { Length: > 0 } own ? own : named.Length > 0 ? named : _check.Handle.Name;
        _head.Add(KnownHeader.Method, IsGrpc ? "POST"u8 : Encoding.ASCII.GetBytes(Options.Method));
        _head.Add(KnownHeader.Scheme, _check.Host.Security is null ? "http"u8 : "https"u8);
        _head.Add(KnownHeader.Authority, Encoding.Latin1.GetBytes(host));
        _head.Add(KnownHeader.Path, IsGrpc ? "/grpc.health.v1.Health/Check"u8 : Encoding.Latin1.GetBytes(Options.Path));
        if (IsGrpc)
        {
            _head.Add(KnownHeader.Te, "trailers"u8);
            _head.Add(KnownHeader.ContentType, "application/grpc"u8);
            _head.Add(KnownHeader.GrpcTimeout, Encoding.ASCII.GetBytes($"{Options.TimeoutMicros / 1000}m"));
        }
        else if (Options.Send.Length > 0)
        {
            _head.Add(KnownHeader.ContentLength, Encoding.ASCII.GetBytes($"{Options.Send.Length}"));
        }
        _head.Add(KnownHeader.UserAgent, "Envoy/HC"u8);
        foreach ((string name, string value) in Options.HeadersToAdd)
            _head.Add(Encoding.Latin1.GetBytes(name.ToLowerInvariant()), Encoding.Latin1.GetBytes(value));
        foreach (string name in Options.HeadersToRemove)
            _head.Remove(Encoding.Latin1.GetBytes(name.ToLowerInvariant()));
    }

    private void OnAnswered(Answer answer)
    {
        if (_closed || !ReferenceEquals(_answer, answer))
            return;
        _answer = null;
        if (answer.ClosesConnection && _codec!.Version != HttpVersion.Http2)
            Close();
        bool degraded = answer.ResponseHead.Has(KnownHeader.XEnvoyDegraded);
        _check.OnOutcome(IsGrpc ? JudgeGrpc(answer) : Judge(answer), degraded);
    }

    private ProbeOutcome Judge(Answer answer)
    {
        if (!InRanges(answer.Status, Options.ExpectedStatuses, 200))
            return InRanges(answer.Status, Options.RetriableStatuses, -1) ? ProbeOutcome.Weak : ProbeOutcome.Clear;
        if (Options.Receive.Count > 0 && !Contains(answer.Body, Options.Receive))
            return ProbeOutcome.Clear;
        if (Options.ServiceName is not { } service)
            return ProbeOutcome.Success;
        // An answer that does not say who it is counts as one of no name.
        _check.Handle.MainCounters.Count(ClusterCounter.HealthCheckVerifyCluster);
        answer.ResponseHead.TryGet("x-envoy-upstream-healthchecked-cluster"u8, out ReadOnlySpan<byte> name);
        return service.Matches(name) ? ProbeOutcome.Success : ProbeOutcome.Clear;
    }

    // HealthCheckResponse { status = 1 } must be SERVING (1), and the call itself OK.
    private static ProbeOutcome JudgeGrpc(Answer answer)
    {
        HeaderMap last = answer.ResponseTrailers.Has(KnownHeader.GrpcStatus) ? answer.ResponseTrailers : answer.ResponseHead;
        ReadOnlySpan<byte> body = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(answer.Body);
        bool serving = answer.Status == 200 && last[KnownHeader.GrpcStatus].SequenceEqual("0"u8) && body.Length >= 7 && body[5] == 0x08
            && body[6] == 1;
        return serving ? ProbeOutcome.Success : ProbeOutcome.Clear;
    }

    private static bool Contains(List<byte> body, IReadOnlyList<byte[]> blocks)
    {
        ReadOnlySpan<byte> rest = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(body);
        foreach (byte[] block in blocks)
        {
            int at = rest.IndexOf(block);
            if (at < 0)
                return false;
            rest = rest[(at + block.Length)..];
        }
        return true;
    }

    private static bool InRanges(int status, IReadOnlyList<(int From, int To)> ranges, int absent)
    {
        if (ranges.Count == 0)
            return status == absent;
        foreach ((int from, int to) in ranges)
        {
            if (status >= from && status < to)
                return true;
        }
        return false;
    }

    private void OnBroken()
    {
        if (_closed)
            return;
        bool asked = _answer is not null || _codec is null;
        _closed = true;
        _answer = null;
        if (asked)
            _check.OnOutcome(ProbeOutcome.Weak);
    }

    private sealed class Answer(HttpProbe probe) : ResponseReceiver
    {
        public int Status { get; private set; }

        public List<byte> Body { get; } = [];

        public bool ClosesConnection { get; private set; }

        public override void OnInformational()
        {
        }

        public override void OnResponseHead(bool end)
        {
            Status = Utf8Parser.TryParse(ResponseHead[KnownHeader.Status], out int status, out _) ? status : 0;
            ClosesConnection = ResponseHead[KnownHeader.Connection].SequenceEqual("close"u8);
            if (end)
                probe.OnAnswered(this);
        }

        public override void OnResponseBody(ReadOnlySpan<byte> body, bool end)
        {
            Body.AddRange(body[..Math.Min(body.Length, probe.Options.BodyBytesMax - Body.Count)]);
            if (end)
                probe.OnAnswered(this);
        }

        public override void OnResponseTrailers() => probe.OnAnswered(this);

        public override void OnResponseReset(ResetReason reason, string detail) => probe.OnBroken();

        public override void OnSendable()
        {
        }
    }

    private sealed class Owner(HttpProbe probe) : UpstreamConnectionOwner
    {
        public override void OnFree(UpstreamConnection connection)
        {
        }

        public override void OnDraining(UpstreamConnection connection)
        {
        }

        public override void OnClosed(UpstreamConnection connection, CloseReason reason, string detail) => probe.OnBroken();
    }

    private sealed class Connecting(HttpProbe probe) : TransportHandler
    {
        public override void OnConnected(Transport transport) => probe.OnConnected(transport);

        public override void OnData(Transport transport, ReadOnlySpan<byte> bytes)
        {
        }

        public override void OnClosed(Transport transport, CloseReason reason) => probe.OnBroken();
    }
}
