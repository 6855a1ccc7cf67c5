using System.Buffers.Text;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Exchanges.Heads;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Tracing;

/// <summary>Traces exchanges of a connection manager: decides, names, tags; the propagation knows headers, the reporter the
/// collector.</summary>
/// <param name="options">How.</param>
/// <param name="propagation">Headers of the context.</param>
/// <param name="reporter">Where finished spans go.</param>
/// <param name="namesHost">Spans are named by the host (Zipkin), not by direction.</param>
/// <param name="zone">A tag for the node's zone; null for none.</param>
/// <param name="workers">Number of workers.</param>
public sealed class Tracer(TracerOptions options, Propagation propagation, SpanReporter reporter, bool namesHost, byte[]? zone, int workers)
    : ExchangeTracer
{
    private readonly Pool[] _pools = [.. Enumerable.Range(0, workers).Select(static _ => new Pool())];

    private sealed class Pool
    {
        public Stack<Span> Free { get; } = new();

        public ByteBuffer Text { get; } = new(256);
    }

    private Span Take(Worker worker)
    {
        Pool pool = _pools[worker.Index];
        Span span = pool.Free.Count > 0 ? pool.Free.Pop() : new Span();
        span.Clear();
        return span;
    }

    // ---- the decision

    private bool Decide(Exchange x)
    {
        HeaderMap head = x.RequestHead;
        TracingStat reason = TracingStat.NotTraceable;
        if (head.TryGet(KnownHeader.XRequestId, out ReadOnlySpan<byte> id) && id.Length == 36
            && Utf8Parser.TryParse(id[..8], out uint stable, out int used, 'x') && used == 8)
            reason = Reason(x, id[14], stable);
        options.Stats.Of(x.Worker.Index).Count((int)reason);
        return reason != TracingStat.NotTraceable;
    }

    private TracingStat Reason(Exchange x, byte mark, uint stable)
    {
        HeaderMap head = x.RequestHead;
        TracingSettings? route = x.Route?.Tracing;
        RuntimeValues runtime = options.Runtime;
        TracingStat reason = mark switch
        {
            (byte)'9' => TracingStat.RandomSampling,
            (byte)'a' => TracingStat.ServiceForced,
            (byte)'b' => TracingStat.ClientEnabled,
            _ => TracingStat.NotTraceable,
        };
        if (reason == TracingStat.NotTraceable)
        {
            if (head.Has(KnownHeader.XClientTraceId)
                && runtime.Share("tracing.client_enabled", route?.Client ?? options.Client).Includes(x.Worker.Loop.Chance.NextULong()))
                reason = TracingStat.ClientEnabled;
            else if (head.Has(KnownHeader.XEnvoyForceTrace))
                reason = TracingStat.ServiceForced;
            else if (runtime.Share("tracing.random_sampling", route?.Random ?? options.Random).Includes(stable))
                reason = TracingStat.RandomSampling;
            Mark(x, reason);
        }
        if (reason != TracingStat.NotTraceable
            && !runtime.Share("tracing.global_enabled", route?.Overall ?? options.Overall).Includes(stable))
        {
            reason = TracingStat.NotTraceable;
            Mark(x, reason);
        }
        return reason;
    }

    private static void Mark(Exchange x, TracingStat reason)
    {
        if (x.Options.PackTraceReason)
            RequestIds.SetReason(x.RequestHead,
                reason switch { TracingStat.RandomSampling => (byte)'9', TracingStat.ServiceForced => (byte)'a',
                    TracingStat.ClientEnabled => (byte)'b', _ => (byte)'4' });
    }

    // ---- the exchange

    /// <inheritdoc/>
    public override void OnRequest(Exchange exchange)
    {
        HeaderMap head = exchange.RequestHead;
        bool traced = Decide(exchange);
        exchange.IsTraced = traced;
        Span span = Take(exchange.Worker);
        span.StartedAt = exchange.StartedAt;
        span.IsClient = options.IsEgress && !options.SpawnUpstream;
        propagation.Begin(head, span, traced, exchange.Worker.Loop.Chance);
        exchange.TraceState = span;
        Name(exchange, span, head);
    }

    private void Name(Exchange exchange, Span span, HeaderMap head)
    {
        Decorator? decorator = exchange.Route?.Decorator;
        if (decorator is { Operation.Length: > 0 })
            span.SetName(System.Text.Encoding.UTF8.GetBytes(decorator.Operation));
        else if (namesHost)
            span.SetName(head[KnownHeader.Authority]);
        else if (options.IsEgress)
            span.SetName(Joined(exchange.Worker, "egress "u8, head[KnownHeader.Authority]));
        else
            span.SetName("ingress"u8);
        if (options.Operation is { } format)
        {
            ByteBuffer text = _pools[exchange.Worker.Index].Text;
            text.Clear();
            format.Write(exchange.Facts, text, true);
            span.SetName(text.Written);
        }
        if (options.IsEgress)
        {
            if (decorator is { Operation.Length: > 0, Propagate: true })
                head.Set(KnownHeader.XEnvoyDecoratorOperation, System.Text.Encoding.UTF8.GetBytes(decorator.Operation));
            return;
        }
        span.TellsOperation = decorator is { Operation.Length: > 0, Propagate: true };
        if (!head.TryGet(KnownHeader.XEnvoyDecoratorOperation, out ReadOnlySpan<byte> wished))
            return;
        span.SetName(wished);
        span.TellsOperation = false;
        head.Remove(KnownHeader.XEnvoyDecoratorOperation);
    }

    private ReadOnlySpan<byte> Joined(Worker worker, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        ByteBuffer text = _pools[worker.Index].Text;
        text.Clear();
        text.Append(a);
        text.Append(b);
        return text.Written;
    }

    /// <inheritdoc/>
    public override void OnResponse(Exchange exchange, HeaderMap head)
    {
        if (exchange.TraceState is not Span span)
            return;
        if (options.IsEgress)
        {
            if (head.TryGet(KnownHeader.XEnvoyDecoratorOperation, out ReadOnlySpan<byte> wished) && wished.Length > 0)
                span.SetName(wished);
            head.Remove(KnownHeader.XEnvoyDecoratorOperation);
        }
        else if (span.TellsOperation)
        {
            head.Set(KnownHeader.XEnvoyDecoratorOperation, System.Text.Encoding.UTF8.GetBytes(exchange.Route!.Decorator!.Operation));
        }
        else
        {
            head.Remove(KnownHeader.XEnvoyDecoratorOperation);
        }
    }

    /// <inheritdoc/>
    public override void OnEnd(Exchange exchange)
    {
        if (exchange.TraceState is not Span span)
            return;
        if (span is { Sampled: true, IsNull: false })
        {
            span.Duration = exchange.Worker.Loop.Now - exchange.Times.RequestBegin;
            Describe(exchange, span);
            reporter.Report(exchange.Worker, span);
        }
        exchange.TraceState = null;
        Give(exchange.Worker, span);
    }

    private void Give(Worker worker, Span span) => _pools[worker.Index].Free.Push(span);

    private void Describe(Exchange x, Span span)
    {
        HeaderMap head = x.RequestHead;
        if (head.TryGet(KnownHeader.XRequestId, out ReadOnlySpan<byte> id))
            span.Tag("guid:x-request-id"u8, id);
        span.Tag("http.url"u8, Url(x, head));
        span.Tag("http.method"u8, head[KnownHeader.Method]);
        span.Tag("downstream_cluster"u8, Or(head, KnownHeader.XEnvoyDownstreamServiceCluster));
        span.Tag("user_agent"u8, Or(head, KnownHeader.UserAgent));
        span.Tag("http.protocol"u8, Protocol(x.Stream.Version));
        Span<byte> ip = stackalloc byte[64];
        Address peer = x.Facts.DownstreamDirectRemote;
        if (peer.IsIp)
            span.Tag("peer.address"u8, ip[..IpText.Write(peer, ip)]);
        if (head.TryGet(KnownHeader.XClientTraceId, out ReadOnlySpan<byte> client))
            span.Tag("guid:x-client-trace-id"u8, client);
        if (options.NodeId.Length > 0)
            span.Tag("node_id"u8, options.NodeId);
        if (zone is not null)
            span.Tag("zone"u8, zone);
        if (x.IsGrpc)
            DescribeGrpc(x, span, head);
        span.Tag("request_size"u8, x.BytesReceived);
        span.Tag("response_size"u8, x.BytesSent);
        if (options.Verbose)
            Moments(x, span);
        Common(x, span, x.Status, x.Facts.ClusterName, x.Facts.ClusterStatName, x.Flags);
        Custom(x, span, options.Tags, x.Route?.Tracing?.Tags);
    }

    private static void DescribeGrpc(Exchange x, Span span, HeaderMap head)
    {
        span.Tag("grpc.path"u8, head[KnownHeader.Path]);
        span.Tag("grpc.authority"u8, head[KnownHeader.Authority]);
        span.Tag("grpc.content_type"u8, head[KnownHeader.ContentType]);
        if (head.TryGet(KnownHeader.GrpcTimeout, out ReadOnlySpan<byte> timeout))
            span.Tag("grpc.timeout"u8, timeout);
        HeaderMap end = x.ResponseTrailers is { Count: > 0 } trailers ? trailers : x.ResponseHead;
        if (!end.TryGet(KnownHeader.GrpcStatus, out ReadOnlySpan<byte> status))
            return;
        span.Tag("grpc.status_code"u8, status);
        if (end.TryGet(KnownHeader.GrpcMessage, out ReadOnlySpan<byte> message))
            span.Tag("grpc.message"u8, message);
        if (Utf8Parser.TryParse(status, out int code, out _) && code is 2 or 4 or 12 or 13 or 14 or 15)
            Fail(span);
    }

    private static void Fail(Span span)
    {
        span.IsError = true;
        span.Tag("error"u8, "true"u8);
    }

    private void Common(Exchange x, Span span, int status, string cluster, string observed, ResponseFlags flags)
    {
        span.Tag("component"u8, "proxy"u8);
        span.Tag("http.status_code"u8, status);
        ByteBuffer text = _pools[x.Worker.Index].Text;
        text.Clear();
        if (ResponseFlagNames.Write(flags, text))
            span.Tag("response_flags"u8, text.Written);
        else
            span.Tag("response_flags"u8, "-"u8);
        if (cluster.Length > 0)
        {
            text.Clear();
            text.Append(cluster);
            span.Tag("upstream_cluster"u8, text.Written);
            text.Clear();
            text.Append(observed.Length > 0 ? observed : cluster);
            span.Tag("upstream_cluster.name"u8, text.Written);
        }
        if (status is 0 or >= 500)
            Fail(span);
    }

    private void Custom(Exchange x, Span span, IReadOnlyList<SpanTag> tags, IReadOnlyList<RouteSpanTag>? ofRoute)
    {
        for (int i = 0; i < tags.Count; i++)
            Custom(x, span, tags[i]);
        for (int i = 0; i < (ofRoute?.Count ?? 0); i++)
            Custom(x, span, (SpanTag)ofRoute![i]);
    }

    private void Custom(Exchange x, Span span, SpanTag tag)
    {
        ByteBuffer text = _pools[x.Worker.Index].Text;
        text.Clear();
        tag.Write(x.Facts, text);
        if (text.Length > 0)
            span.Tag(tag.Name, text.Written);
    }

    private static void Moments(Exchange x, Span span)
    {
        long since = x.StartedAt - x.Times.RequestBegin;
        void At(long moment, string text)
        {
            if (moment != 0)
                span.Event(since + moment, text);
        }
        At(x.Times.RequestEnd, "last_downstream_rx_byte_received");
        At(x.Times.UpstreamSendBegin, "first_upstream_tx_byte_sent");
        At(x.Times.UpstreamSendEnd, "last_upstream_tx_byte_sent");
        At(x.Times.UpstreamReceiveBegin, "first_upstream_rx_byte_received");
        At(x.Times.UpstreamReceiveEnd, "last_upstream_rx_byte_received");
        At(x.Times.ResponseBegin, "first_downstream_tx_byte_sent");
        At(x.Times.ResponseEnd, "last_downstream_tx_byte_sent");
    }

    private ReadOnlySpan<byte> Url(Exchange x, HeaderMap head)
    {
        ByteBuffer text = _pools[x.Worker.Index].Text;
        text.Clear();
        ReadOnlySpan<byte> scheme = head[KnownHeader.XForwardedProto];
        text.Append(scheme.IsEmpty ? head[KnownHeader.Scheme] : scheme);
        text.Append("://"u8);
        text.Append(head[KnownHeader.Authority]);
        ReadOnlySpan<byte> path = head.TryGet(KnownHeader.XEnvoyOriginalPath, out ReadOnlySpan<byte> original)
            ? original : head[KnownHeader.Path];
        text.Append(path[..Math.Min(path.Length, options.PathBytesMax)]);
        return text.Written;
    }

    private static ReadOnlySpan<byte> Or(HeaderMap head, KnownHeader header) =>
        head.TryGet(header, out ReadOnlySpan<byte> value) ? value : "-"u8;

    private static ReadOnlySpan<byte> Protocol(HttpVersion? version) => version switch
    {
        HttpVersion.Http10 => "HTTP/1.0"u8,
        HttpVersion.Http2 => "HTTP/2"u8,
        HttpVersion.Http11 => "HTTP/1.1"u8,
        _ => "-"u8,
    };

    // ---- attempts

    /// <inheritdoc/>
    public override object? OnAttempt(Exchange exchange, string cluster, bool spawn)
    {
        if (exchange.TraceState is not Span { IsNull: false } parent || !(options.SpawnUpstream || spawn))
            return null;
        Span span = Take(exchange.Worker);
        span.TraceHigh = parent.TraceHigh;
        span.TraceLow = parent.TraceLow;
        span.Parent = parent.Id;
        span.Id = Propagation.NewId(exchange.Worker.Loop.Chance);
        span.Sampled = parent.Sampled;
        span.SingleHeader = parent.SingleHeader;
        span.State.Append(parent.State.Written);
        span.IsClient = true;
        span.Outer = parent;
        span.Place = ++parent.Begun;
        span.StartedAt = exchange.Worker.Loop.WallClock;
        span.Duration = exchange.Worker.Loop.Now;
        if (!span.Sampled)
            return span;
        if (options.UpstreamOperation is { } format)
        {
            ByteBuffer text = _pools[exchange.Worker.Index].Text;
            text.Clear();
            format.Write(exchange.Facts, text, true);
            span.SetName(text.Written);
        }
        else
        {
            span.SetName(System.Text.Encoding.UTF8.GetBytes($"router {cluster} egress"));
        }
        return span;
    }

    /// <inheritdoc/>
    public override void OnAttemptHead(Exchange exchange, object? attempt, HeaderMap head)
    {
        Span? span = (attempt ?? exchange.TraceState) as Span;
        if (span is { IsNull: false } && !options.NoPropagation)
            propagation.Write(span, head, exchange.Facts.UpstreamHost);
    }

    /// <inheritdoc/>
    public override void OnAttemptEnd(Exchange exchange, object attempt, in AttemptOutcome outcome)
    {
        var span = (Span)attempt;
        if (span.Sampled)
        {
            span.Duration = exchange.Worker.Loop.Now - span.Duration;
            span.Tag("http.protocol"u8, Protocol(outcome.Version));
            byte[] address = System.Text.Encoding.UTF8.GetBytes(outcome.Host.Address.ToString());
            span.Tag("upstream_address"u8, address);
            span.Tag("peer.address"u8, address);
            if (outcome.Retries > 0)
                span.Tag("retry.count"u8, outcome.Retries);
            if (outcome.Canceled)
                span.Tag("canceled"u8, "true"u8);
            Common(exchange, span, outcome.Status, outcome.Cluster.Name, outcome.Cluster.StatName, outcome.Flags);
            reporter.Report(exchange.Worker, span);
        }
        Give(exchange.Worker, span);
    }

    // ---- logs

    /// <inheritdoc/>
    public override (string Trace, string Span) IdsOf(Exchange exchange)
    {
        if (exchange.TraceState is not Span { IsNull: false } span)
            return ("", "");
        string trace = span.TraceHigh != 0 || !namesHost ? $"{span.TraceHigh:x16}{span.TraceLow:x16}" : $"{span.TraceLow:x16}";
        return (trace, propagation.TellsSpan ? $"{span.Id:x16}" : "");
    }
}
