// Fault: delays and aborts requests, and slows responses, on purpose (envoy.extensions.filters.http.fault.v3). A route's settings replace
// the filter's. The delay comes first, then the abort; each has its own chance. Headers of the request may ask for faults where the
// settings allow it, and can only lower a percentage. Owns no state but the count of running faults of one filter.
using System.Buffers.Text;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Filters.Fault;

/// <summary>The filter.</summary>
/// <param name="name">Its name.</param>
/// <param name="settings">Where no route has its own.</param>
/// <param name="stats">Its counters.</param>
/// <param name="store">Where callers that say who they are get counters of their own; null for nowhere.</param>
public sealed class FaultFilter(string name, FaultSettings settings, StatGroup? stats = null, StatStore? store = null) : HttpFilter(name)
{
    private const int Aborts = 0, Delays = 1, Overflow = 2, Slowed = 3, Active = 4;

    /// <summary>What is counted.</summary>
    public static readonly StatSchema Counted = new(
        [("aborts_injected", StatKind.Counter), ("delays_injected", StatKind.Counter), ("faults_overflow", StatKind.Counter),
            ("response_rl_injected", StatKind.Counter), ("active_faults", StatKind.Gauge)]);

    private int _active;

    /// <inheritdoc/>
    public override FilterPhases Phases => FilterPhases.RequestHead | FilterPhases.ResponseBody | FilterPhases.End;

    /// <inheritdoc/>
    public override FilterSlot NewSlot() => new FaultSlot();

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
    {
        FaultSettings s = slot.Settings as FaultSettings ?? settings;
        Exchange exchange = slot.Exchange;
        if (!Concerns(s, exchange))
            return FilterVerdict.Continue;
        if (RateOf(s, exchange) is > 0 and var rate && Begin(s, slot))
        {
            stats?.Of(exchange.Worker.Index).Count(Slowed);
            ((FaultSlot)slot).Pace.Begin(rate);
        }
        long delay = DelayOf(s, exchange);
        if (delay > 0 && Begin(s, slot))
        {
            exchange.AddFlag(ResponseFlags.DelayInjected);
            Count(exchange, s, Delays, "delays_injected");
            ((FaultSlot)slot).Wait(delay);
            return FilterVerdict.Stop;
        }
        return Abort(s, slot) ? FilterVerdict.Stop : FilterVerdict.Continue;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnResponseBody(FilterSlot slot, ref ReadOnlySpan<byte> body, bool end) =>
        ((FaultSlot)slot).Pace is { IsOn: true } pace && !body.IsEmpty ? pace.OnBody(body.Length) : FilterVerdict.Continue;

    /// <inheritdoc/>
    public override void OnEnd(FilterSlot slot)
    {
        var own = (FaultSlot)slot;
        own.Stop();
        if (own.Counted)
        {
            Interlocked.Decrement(ref _active);
            stats?.Of(slot.Exchange.Worker.Index).Move(Active, -1);
        }
        own.Counted = false;
    }

    internal void OnDelayed(FaultSlot slot)
    {
        if (!Abort(slot.Settings as FaultSettings ?? settings, slot))
            slot.ResumeRequest();
    }

    private bool Begin(FaultSettings s, FilterSlot slot)
    {
        var own = (FaultSlot)slot;
        if (own.Counted)
            return true;
        uint? limit = s.ActiveMaxNow;
        if (limit is { } most && (uint)Interlocked.Increment(ref _active) > most)
        {
            Interlocked.Decrement(ref _active);
            stats?.Of(slot.Exchange.Worker.Index).Count(Overflow);
            return false;
        }
        if (limit is null)
            Interlocked.Increment(ref _active);
        stats?.Of(slot.Exchange.Worker.Index).Move(Active, 1);
        if (s.Traces is not null)
            slot.Exchange.SetMetadata(s.Traces);
        return own.Counted = true;
    }

    private void Count(Exchange exchange, FaultSettings s, int what, string called)
    {
        if (stats is null)
            return;
        stats.Of(exchange.Worker.Index).Count(what);
        ReadOnlySpan<byte> caller = exchange.RequestHead[KnownHeader.XEnvoyDownstreamServiceCluster];
        if (!caller.IsEmpty && store is not null && !s.NoCallerStats)
            store.DynamicCounter($"{stats.Prefix}{System.Text.Encoding.Latin1.GetString(caller[..Math.Min(caller.Length, 128)])}.{called}")
                .Count(exchange.Worker);
    }

    private bool Abort(FaultSettings s, FilterSlot slot)
    {
        Exchange exchange = slot.Exchange;
        HeaderMap head = exchange.RequestHead;
        RuntimeValues runtime = s.Keys.Values;
        int status = s.AbortStatus == 0 ? 0 : (int)runtime.Number(s.Keys.AbortStatus, s.AbortStatus);
        int? grpc = s.AbortGrpcStatus is { } fixedStatus ? (int)runtime.Number(s.Keys.AbortGrpcStatus, fixedStatus) : null;
        Fraction share = s.AbortShareNow;
        if (s.AbortByHeader)
        {
            (status, grpc) = (0, null);
            if (Number(head[KnownHeader.XEnvoyFaultAbortRequest], out long asked) && asked is >= 200 and < 600)
                status = (int)asked;
            else if (Number(Header(head, "x-envoy-fault-abort-grpc-request"u8), out asked))
                grpc = (int)asked;
            share = Lowered(share, Header(head, "x-envoy-fault-abort-request-percentage"u8));
        }
        if ((status == 0 && grpc is null) || !share.Includes(exchange.Worker.Loop.Chance.NextULong()) || !Begin(s, slot))
            return false;
        Count(exchange, s, Aborts, "aborts_injected");
        exchange.Reply(new LocalReply(grpc is null ? status : 200, "fault_filter_abort")
        {
            Body = "fault filter abort"u8,
            Flags = ResponseFlags.FaultInjected,
            GrpcStatus = grpc,
        });
        return true;
    }

    private static long DelayOf(FaultSettings s, Exchange exchange)
    {
        long delay = s.DelayMicros > 0 && s.Keys.Values.ContainsKey(s.Keys.DelayMillis)
            ? s.Keys.Values.Number(s.Keys.DelayMillis, 0) * 1000 : s.DelayMicros;
        Fraction share = s.DelayShareNow;
        if (s.DelayByHeader)
        {
            HeaderMap head = exchange.RequestHead;
            delay = Number(head[KnownHeader.XEnvoyFaultDelayRequest], out long millis) ? millis * 1000 : 0;
            share = Lowered(share, Header(head, "x-envoy-fault-delay-request-percentage"u8));
        }
        return delay > 0 && share.Includes(exchange.Worker.Loop.Chance.NextULong()) ? delay : 0;
    }

    private static long RateOf(FaultSettings s, Exchange exchange)
    {
        if (s.RateKilobytes == 0 && !s.RateByHeader)
            return 0;
        long rate = s.RateKilobytes;
        Fraction share = s.RateShareNow;
        if (s.RateByHeader)
        {
            rate = Number(Header(exchange.RequestHead, "x-envoy-fault-throughput-response"u8), out long asked) ? asked : 0;
            share = Lowered(share, Header(exchange.RequestHead, "x-envoy-fault-throughput-response-percentage"u8));
        }
        return rate > 0 && share.Includes(exchange.Worker.Loop.Chance.NextULong()) ? rate : 0;
    }

    private static Fraction Lowered(Fraction share, ReadOnlySpan<byte> header) =>
        Number(header, out long percent) ? share with { Numerator = (uint)Math.Min(share.Numerator, percent) } : share;

    private static ReadOnlySpan<byte> Header(HeaderMap head, ReadOnlySpan<byte> name) =>
        head.TryGet(name, out ReadOnlySpan<byte> value) ? value : default;

    private static bool Number(ReadOnlySpan<byte> text, out long value) =>
        Utf8Parser.TryParse(text, out value, out int used) && used == text.Length && value >= 0;

    private static bool Concerns(FaultSettings s, Exchange exchange)
    {
        if (s.DelayShareNow.Numerator == 0 && s.AbortShareNow.Numerator == 0 && s.RateShareNow.Numerator == 0)
            return false;
        if (s.Cluster.Length > 0 && exchange.Decision.Cluster?.Name != s.Cluster)
            return false;
        for (int i = 0; i < s.Headers.Count; i++)
        {
            if (!s.Headers[i].Matches(exchange.RequestHead))
                return false;
        }
        return s.Nodes.Count == 0
            || s.Nodes.Contains(System.Text.Encoding.Latin1.GetString(exchange.RequestHead[KnownHeader.XEnvoyDownstreamServiceNode]));
    }
}

/// <summary>A running delay.</summary>
internal sealed class FaultSlot : FilterSlot
{
    private readonly Delay _delay;

    public FaultSlot()
    {
        _delay = new Delay(this);
        Pace = new ResponsePace(this);
    }

    /// <summary>The rate of the response.</summary>
    public ResponsePace Pace { get; }

    /// <summary>It counts among the running faults.</summary>
    public bool Counted { get; set; }

    public void Wait(long micros) => Exchange.Worker.Loop.Arm(_delay, micros);

    public void Stop()
    {
        if (_delay.IsArmed)
            Exchange.Worker.Loop.Disarm(_delay);
        Pace.End();
    }

    private sealed class Delay(FaultSlot slot) : Deadline
    {
        protected internal override void OnDue(long now) => ((FaultFilter)slot.Filter).OnDelayed(slot);
    }
}
