using System.Buffers.Text;
using Lateen.Proxy.Exchanges.Heads;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Exchanges;

/// <summary>The clocks of one exchange: silence, whole request, whole stream. The router keeps its own for attempts and routes.</summary>
internal sealed class ExchangeTimers(Exchange exchange)
{
    private readonly Exchange _exchange = exchange;

    // Made when first armed: most listeners use one or none of them.
    private Clock? _idle, _request, _duration, _periodic;
    private long _idleMicros, _lastProgress;
    private bool _isOver;

    private enum Kind : byte
    {
        Idle,
        Request,
        Duration,
        Periodic,
    }

    private EventLoop Loop => _exchange.Worker.Loop;

    private HttpOptions Options => _exchange.Options;

    public void Begin()
    {
        _idleMicros = Options.Overload.Micros(OverloadTimer.StreamIdle, Options.StreamIdleMicros);
        _lastProgress = Loop.Now;
        _isOver = false;
        ArmIdle(_idleMicros);
        if (Options.RequestTimeoutMicros > 0)
            Loop.Arm(_request ??= new Clock(this, Kind.Request), Options.RequestTimeoutMicros);
        if (Options.MaxStreamMicros > 0)
            Loop.Arm(_duration ??= new Clock(this, Kind.Duration), Options.MaxStreamMicros);
        if (Options.LogIntervalMicros > 0)
            Loop.Arm(_periodic ??= new Clock(this, Kind.Periodic), Options.LogIntervalMicros);
    }

    // The clock that an earlier exchange of the pooled object left armed serves this one, too: it looks how long ago the last progress was.
    // Only one that would be due too late is moved. So the wheel, where neighbours are the clocks of other exchanges, is touched once in a
    // while instead of twice a request.
    private void ArmIdle(long micros)
    {
        if (micros > 0 && !(_idle is { IsArmed: true } armed && armed.DueAt <= Loop.Now + micros))
            Loop.Arm(_idle ??= new Clock(this, Kind.Idle), micros);
    }

    public void OnHead(bool end) => OnProgress(end);

    // The idle clock is not moved with every byte: when it is due, it looks how long ago the last progress was.
    public void OnProgress(bool requestComplete)
    {
        _lastProgress = Loop.Now;
        if (requestComplete)
            Loop.Disarm(_request);
    }

    public void OnRouted()
    {
        if (_exchange.Route?.Action is not ForwardAction forward)
            return;
        if (forward.Timeouts.IdleMicros is { } idle && idle != _idleMicros)
        {
            _idleMicros = idle;
            ArmIdle(idle);
        }
        ArmDuration(forward.Timeouts);
    }

    private void ArmDuration(TimeoutPolicy policy)
    {
        long? limit = policy.MaxStreamMicros;
        if (policy.GrpcStreamMaxMicros is { } most && GrpcTimeout.Read(_exchange.RequestHead[KnownHeader.GrpcTimeout], out long asked))
        {
            long micros = most > 0 ? Math.Min(most, asked) : asked;
            // An offset that leaves nothing ends the stream at once.
            micros = Math.Max(0, micros - policy.GrpcStreamOffsetMicros);
            Tell(micros);

            // A client that gives no time has none left: the next turn ends it.
            Loop.Arm(_duration ??= new Clock(this, Kind.Duration), Math.Max(1, micros - (Loop.Now - _exchange.Times.RequestBegin)));
            return;
        }
        if (limit is { } route)
        {
            if (route > 0)
            {
                Tell(route);
                Loop.Arm(_duration ??= new Clock(this, Kind.Duration), Math.Max(1, route - (Loop.Now - _exchange.Times.RequestBegin)));
            }
            else
                Loop.Disarm(_duration);
        }
    }

    // A gRPC upstream is told how long the stream may last (observed).
    private void Tell(long micros)
    {
        if (!_exchange.IsGrpc)
            return;
        Span<byte> text = stackalloc byte[21];
        _exchange.RequestHead.Set(KnownHeader.GrpcTimeout, text[..GrpcTimeout.Write(text, micros / 1000)]);
    }

    public void OnResponseComplete()
    {
        Loop.Disarm(_request);
        Loop.Disarm(_duration);
    }

    public void End()
    {
        _isOver = true;
        Loop.Disarm(_request);
        Loop.Disarm(_duration);
        Loop.Disarm(_periodic);
    }

    /// <summary>The exchange leaves its pool.</summary>
    public void Drop() => Loop.Disarm(_idle);

    private void OnDue(Kind kind, long now)
    {
        switch (kind)
        {
            case Kind.Idle:
                if (_isOver || _idleMicros == 0)
                    break;
                long rest = _lastProgress + _idleMicros - now;
                if (rest > 0)
                    Loop.Arm(_idle ??= new Clock(this, Kind.Idle), rest);
                else
                    Replies.StreamIdle(_exchange);
                break;
            case Kind.Periodic:
                Loop.Arm(_periodic ??= new Clock(this, Kind.Periodic), Options.LogIntervalMicros);
                _exchange.RecordMoment("DownstreamPeriodic", Options.Recorders);
                break;
            case Kind.Request:
                if (!_exchange.RequestComplete)
                    Replies.RequestTimeout(_exchange);
                break;
            default:
                Replies.StreamTooLong(_exchange);
                break;
        }
    }

    private sealed class Clock(ExchangeTimers timers, Kind kind) : Deadline
    {
        protected internal override void OnDue(long now) => timers.OnDue(kind, now);
    }
}

/// <summary>The <c>grpc-timeout</c> header: up to eight digits and a unit.</summary>
public static class GrpcTimeout
{
    /// <summary>Reads it, in microseconds; false where it cannot be read.</summary>
    public static bool Read(ReadOnlySpan<byte> text, out long micros)
    {
        micros = 0;
        if (text.Length < 2 || !Utf8Parser.TryParse(text[..^1], out uint value, out int used) || used != text.Length - 1 || used > 8)
            return false;
        switch (text[^1])
        {
            case (byte)'H':
                micros = value * 3_600_000_000L;
                return true;
            case (byte)'M':
                micros = value * 60_000_000L;
                return true;
            case (byte)'S':
                micros = value * 1_000_000L;
                return true;
            case (byte)'m':
                micros = value * 1000L;
                return true;
            case (byte)'u':
                // Whole milliseconds, as Envoy counts: what is asked for is never cut to nothing.
                micros = (value + 999L) / 1000 * 1000;
                return true;
            case (byte)'n':
                micros = (value + 999_999L) / 1_000_000 * 1000;
                return true;
            default:
                return false;
        }
    }

    /// <summary>Writes milliseconds in the largest unit that has eight digits.</summary>
    public static int Write(Span<byte> to, long millis)
    {
        (long value, byte unit) = millis < 100_000_000 ? (millis, (byte)'m') : millis / 1000 < 100_000_000
            ? (millis / 1000, (byte)'S') : (millis / 60_000, (byte)'M');
        Utf8Formatter.TryFormat(value, to, out int n);
        to[n] = unit;
        return n + 1;
    }
}
