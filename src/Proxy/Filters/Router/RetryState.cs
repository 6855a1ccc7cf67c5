using System.Buffers.Text;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Upstream;

namespace Lateen.Proxy.Filters.Router;

/// <summary>What was decided about another try.</summary>
internal enum RetryVerdict : byte
{
    No,
    Yes,
    LimitReached,
    Overflow,
}

/// <summary>Whether, when and how often one request is tried again: the route's policy with what trusted headers add. Envoy's conditions
/// and back-off.</summary>
internal sealed class RetryState
{
    private static readonly RetryPolicy None = new() { On = RetryOn.None };

    private RetryPolicy _policy = None;
    private WorkerCluster _cluster = null!;
    private RoutePriority _priority;
    private RetryOn _on;
    private uint _left;
    private long _nextMicros;
    private bool _holds;
    private List<uint>? _codes;
    private List<byte[]>? _headerNames;

    /// <summary>The policy in use.</summary>
    public RetryPolicy Policy => _policy;

    /// <summary>Some condition may lead to another try.</summary>
    public bool Enabled => _on != RetryOn.None;

    /// <summary>Prepares for a request; takes the headers off that steer retries.</summary>
    public void Begin(RetryPolicy? policy, HeaderMap head, WorkerCluster cluster, RoutePriority priority)
    {
        _policy = policy ?? None;
        _cluster = cluster;
        _priority = priority;
        _on = _policy.On;
        _left = _policy.NumRetries;
        _nextMicros = _policy.BaseMicros;
        _holds = false;
        _codes?.Clear();
        _headerNames?.Clear();
        if (_policy.RetriableRequestHeaders.Count > 0 && !AnyMatches(_policy.RetriableRequestHeaders, head))
            _on = RetryOn.None;
        ReadHeaders(head);
    }

    private static bool AnyMatches(IReadOnlyList<HeaderMatch> tests, HeaderMap head)
    {
        for (int i = 0; i < tests.Count; i++)
        {
            if (tests[i].Matches(head))
                return true;
        }
        return false;
    }

    private void ReadHeaders(HeaderMap head)
    {
        if (head.TryGet(KnownHeader.XEnvoyRetryOn, out ReadOnlySpan<byte> on))
            _on |= RetryWords.Parse(on, false);
        if (head.TryGet(KnownHeader.XEnvoyRetryGrpcOn, out ReadOnlySpan<byte> grpcOn))
            _on |= RetryWords.Parse(grpcOn, true);
        if (_on != RetryOn.None && head.TryGet(KnownHeader.XEnvoyMaxRetries, out ReadOnlySpan<byte> most)
            && Utf8Parser.TryParse(most, out uint n, out int used) && used == most.Length)
            _left = n;
        if (head.TryGet(KnownHeader.XEnvoyRetriableStatusCodes, out ReadOnlySpan<byte> codes))
        {
            for (; !codes.IsEmpty; codes = Next(codes, out ReadOnlySpan<byte> part), AddCode(part))
            {
            }
        }
        if (head.TryGet(KnownHeader.XEnvoyRetriableHeaderNames, out ReadOnlySpan<byte> names))
        {
            while (!names.IsEmpty)
            {
                names = Next(names, out ReadOnlySpan<byte> part);
                if (!part.IsEmpty)
                    (_headerNames ??= []).Add(
                        System.Text.Encoding.Latin1.GetBytes(System.Text.Encoding.Latin1.GetString(part).ToLowerInvariant()));
            }
        }
        head.Remove(KnownHeader.XEnvoyRetryOn);
        head.Remove(KnownHeader.XEnvoyRetryGrpcOn);
        head.Remove(KnownHeader.XEnvoyMaxRetries);
        head.Remove(KnownHeader.XEnvoyRetriableStatusCodes);
        head.Remove(KnownHeader.XEnvoyRetriableHeaderNames);
    }

    private void AddCode(ReadOnlySpan<byte> text)
    {
        if (Utf8Parser.TryParse(text, out uint code, out int used) && used == text.Length)
            (_codes ??= []).Add(code);
    }

    private static ReadOnlySpan<byte> Next(ReadOnlySpan<byte> list, out ReadOnlySpan<byte> part)
    {
        int comma = list.IndexOf((byte)',');
        part = (comma < 0 ? list : list[..comma]).Trim((byte)' ');
        return comma < 0 ? default : list[(comma + 1)..];
    }

    /// <summary>An answer's head came: is it one to try again?</summary>
    public RetryVerdict FromHead(HeaderMap head, int status) => Decide(WouldRetry(head, status));

    /// <summary>An attempt ended without an answer.</summary>
    public RetryVerdict FromFailure(UpstreamCause cause, bool requestSent) => Decide(WouldRetry(cause, requestSent));

    /// <summary>An attempt is slow and another may run beside it.</summary>
    public RetryVerdict Hedge() => Decide(true);

    /// <summary>The back-off before the next try, in microseconds.</summary>
    public long Backoff(HeaderMap? head, Chance chance, long wallClock)
    {
        if (head is not null && FromResetHeaders(head, wallClock) is { } told)
        {
            _cluster.Counters.Count(ClusterCounter.UpstreamRqRetryBackoffRatelimited);
            return told + (told / 2 > 0 ? (long)(chance.NextULong() % (ulong)(told / 2)) : 0);
        }
        _cluster.Counters.Count(ClusterCounter.UpstreamRqRetryBackoffExponential);
        long most = _policy.MaxMicros > 0 ? _policy.MaxMicros : _policy.BaseMicros * 10;
        long wait = Math.Min((long)(chance.NextULong() % (ulong)Math.Max(1, _nextMicros)), most);
        _nextMicros = Math.Min(_nextMicros * 2, most);
        return wait;
    }

    /// <summary>The request is over: gives back what it holds of the limits.</summary>
    public void End()
    {
        if (_holds)
            _cluster.Use(_priority).FreeRetry();
        _holds = false;
        _on = RetryOn.None;
    }

    private RetryVerdict Decide(bool wanted)
    {
        ClusterCounters counters = _cluster.Counters;
        bool before = _holds;
        if (_holds)
        {
            _cluster.Use(_priority).FreeRetry();
            _holds = false;
        }
        if (!wanted)
        {
            if (before)
                counters.Count(ClusterCounter.UpstreamRqRetrySuccess);
            return RetryVerdict.No;
        }
        if (_left == 0)
        {
            counters.Count(ClusterCounter.UpstreamRqRetryLimitExceeded);
            return RetryVerdict.LimitReached;
        }
        _left--;
        if (!_cluster.Use(_priority).TryRetry(_cluster.Limits(_priority)))
        {
            counters.Count(ClusterCounter.UpstreamRqRetryOverflow);
            return RetryVerdict.Overflow;
        }
        _holds = true;
        counters.Count(ClusterCounter.UpstreamRqRetry);
        return RetryVerdict.Yes;
    }

    /// <summary>Whether the policy wants another try in place of an answer, however many are left.</summary>
    public bool WouldRetry(HeaderMap head, int status)
    {
        if (head.Has(KnownHeader.XEnvoyRatelimited))
            return (_on & RetryOn.EnvoyRateLimited) != 0;
        if (((_on & RetryOn.FiveXx) != 0 && status is >= 500 and < 600)
            || ((_on & RetryOn.GatewayError) != 0 && status is >= 502 and <= 504)
            || ((_on & RetryOn.Retriable4xx) != 0 && status == 409)
            || ((_on & RetryOn.RetriableStatusCodes) != 0 && HasCode((uint)status))
            || ((_on & RetryOn.RetriableHeaders) != 0 && HasHeader(head)))
            return true;
        return (uint)(_on & GrpcConditions) != 0 && Formats.GrpcStatus.Read(head, out int grpc) && grpc switch
        {
            1 => (_on & RetryOn.GrpcCancelled) != 0,
            4 => (_on & RetryOn.GrpcDeadlineExceeded) != 0,
            8 => (_on & RetryOn.GrpcResourceExhausted) != 0,
            13 => (_on & RetryOn.GrpcInternal) != 0,
            14 => (_on & RetryOn.GrpcUnavailable) != 0,
            _ => false,
        };
    }

    private const RetryOn GrpcConditions =
        RetryOn.GrpcCancelled | RetryOn.GrpcDeadlineExceeded | RetryOn.GrpcInternal | RetryOn.GrpcResourceExhausted
            | RetryOn.GrpcUnavailable;

    private bool HasCode(uint status)
    {
        for (int i = 0; i < _policy.RetriableStatusCodes.Count; i++)
        {
            if (_policy.RetriableStatusCodes[i] == status)
                return true;
        }
        return _codes?.Contains(status) ?? false;
    }

    private bool HasHeader(HeaderMap head)
    {
        if (AnyMatches(_policy.RetriableHeaders, head))
            return true;
        foreach (byte[] name in _headerNames ?? [])
        {
            if (head.IndexOf(name, 0) >= 0)
                return true;
        }
        return false;
    }

    // A limit of our own is never tried again: that would be the next request over the limit.
    private bool WouldRetry(UpstreamCause cause, bool requestSent)
    {
        if (cause == UpstreamCause.Overflow)
            return false;
        return (_on & (RetryOn.Reset | RetryOn.FiveXx | RetryOn.GatewayError)) != 0
            || ((_on & RetryOn.ResetBeforeRequest) != 0 && !requestSent)
            || ((_on & RetryOn.RefusedStream) != 0 && cause == UpstreamCause.RemoteRefused)
            || ((_on & RetryOn.ConnectFailure) != 0
                && (cause == UpstreamCause.RemoteConnectionFailure || cause == UpstreamCause.LocalConnectionFailure
                    || cause == UpstreamCause.ConnectionTimeout));
    }

    private long? FromResetHeaders(HeaderMap head, long wallClock)
    {
        foreach ((string name, bool unixTime) in _policy.ResetHeaders)
        {
            if (!head.TryGet(System.Text.Encoding.Latin1.GetBytes(name), out ReadOnlySpan<byte> text)
                || !Utf8Parser.TryParse(text, out long value, out int used) || used != text.Length || value <= 0)
                continue;
            long micros = unixTime ? value * 1_000_000 - wallClock : value * 1_000_000;
            if (micros > 0 && micros <= _policy.ResetMaxMicros)
                return micros;
        }
        return null;
    }
}

/// <summary>The words of retry_on and x-envoy-retry-on.</summary>
public static class RetryWords
{
    private static readonly (string Word, RetryOn On, bool Grpc)[] Words =
    [
        ("5xx", RetryOn.FiveXx, false), ("gateway-error", RetryOn.GatewayError, false), ("reset", RetryOn.Reset, false),
        ("reset-before-request", RetryOn.ResetBeforeRequest, false),
        ("connect-failure", RetryOn.ConnectFailure, false), ("envoy-ratelimited", RetryOn.EnvoyRateLimited, false),
        ("retriable-4xx", RetryOn.Retriable4xx, false),
        ("refused-stream", RetryOn.RefusedStream, false), ("retriable-status-codes", RetryOn.RetriableStatusCodes, false),
        ("retriable-headers", RetryOn.RetriableHeaders, false),
        ("http3-post-connect-failure", RetryOn.Http3PostConnectFailure, false), ("cancelled", RetryOn.GrpcCancelled, true),
        ("deadline-exceeded", RetryOn.GrpcDeadlineExceeded, true),
        ("internal", RetryOn.GrpcInternal, true), ("resource-exhausted", RetryOn.GrpcResourceExhausted, true),
        ("unavailable", RetryOn.GrpcUnavailable, true),
    ];

    private static readonly byte[][] Texts = [.. Words.Select(w => System.Text.Encoding.ASCII.GetBytes(w.Word))];

    /// <summary>Reads a comma list; unknown words count nothing. A header knows only the words of its kind.</summary>
    public static RetryOn Parse(ReadOnlySpan<byte> list, bool grpc)
    {
        RetryOn on = RetryOn.None;
        while (!list.IsEmpty)
        {
            int comma = list.IndexOf((byte)',');
            ReadOnlySpan<byte> word = (comma < 0 ? list : list[..comma]).Trim(" \t"u8);
            list = comma < 0 ? default : list[(comma + 1)..];
            for (int i = 0; i < Words.Length; i++)
            {
                if (Words[i].Grpc == grpc && word.SequenceEqual(Texts[i]))
                    on |= Words[i].On;
            }
        }
        return on;
    }
}
