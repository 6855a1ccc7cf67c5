using System.Buffers.Text;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Exchanges.Heads;
using Lateen.Proxy.Filters.Router;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Upstream.Calls;

/// <summary>Who waits for a side call. One of the two is called, once, never inside <see cref="SideCall.Begin"/>.</summary>
public abstract class SideCallReceiver
{
    /// <summary>The whole answer is there: status, head, body and trailers of <paramref name="call"/>, until it is begun anew.</summary>
    public abstract void OnAnswer(SideCall call);

    /// <summary>There will be none.</summary>
    public abstract void OnFailed(SideCall call, UpstreamCause cause);
}

/// <summary>
/// One request and its answer, both whole and bounded. Fill <see cref="RequestHead"/> (pseudo-headers :method, :path, :authority) and
/// <see cref="RequestBody"/>, then <see cref="Begin"/>. Adds what Envoy's asynchronous client adds: x-envoy-internal, x-forwarded-for,
/// x-envoy-expected-rq-timeout-ms, content-length.
/// </summary>
public sealed class SideCall : SideStream
{
    private readonly SideCallReceiver _receiver;
    private readonly Clock _clock, _again;
    private readonly RetryState _retry = new();
    private readonly ByteBuffer _body = new(0);
    private bool _running;

    /// <summary>A call that its receiver may begin again and again, one at a time.</summary>
    public SideCall(SideCallReceiver receiver)
    {
        _receiver = receiver;
        _clock = new Clock(this, again: false);
        _again = new Clock(this, again: true);
    }

    /// <summary>The request's head, for the caller to fill.</summary>
    public HeaderMap RequestHead { get; } = new();

    /// <summary>The request's body, for the caller to fill.</summary>
    public ByteBuffer RequestBody { get; } = new(0);

    /// <summary>The body's length is not told ahead.</summary>
    public bool Chunked { get; init; }

    /// <summary>The answer's status; 0 before it.</summary>
    public int Status { get; private set; }

    /// <summary>The answer's body.</summary>
    public ReadOnlySpan<byte> ResponseBody => _body.Written;

    /// <summary>It has begun and not ended.</summary>
    public bool IsRunning => _running;

    /// <summary>Empties request head and body for another call.</summary>
    public void Clear()
    {
        RequestHead.Clear();
        RequestBody.Clear();
    }

    /// <summary>Begins the call.</summary>
    public void Begin(Worker worker, SideTarget target)
    {
        if (_running)
            throw new InvariantException("a side call was begun while it runs");
        _running = true;
        Complete(target);
        if (target.Upstreams[worker].Of(target.Cluster) is { } cluster)
            _retry.Begin(target.Retry, RequestHead, cluster, Clusters.RoutePriority.Default);
        if (target.TimeoutMicros > 0)
            worker.Loop.Arm(_clock, target.TimeoutMicros);
        Try(worker, target);
    }

    private void Try(Worker worker, SideTarget target)
    {
        Status = 0;
        _body.Clear();
        Open(worker, target);
    }

    /// <summary>Gives it up; the receiver hears nothing. Harmless where it does not run.</summary>
    public void Cancel()
    {
        if (!_running)
            return;
        EndTime();
        Close();
    }

    private void Complete(SideTarget target)
    {
        HeaderMap head = RequestHead;
        if (!head.Has(KnownHeader.Scheme))
            head.Add(KnownHeader.Scheme, target.Cluster.Current?.Cluster.Security is null ? "http"u8 : "https"u8);
        Span<byte> number = stackalloc byte[20];
        if (RequestBody.Length > 0 && !Chunked && !head.Has(KnownHeader.ContentLength) && !head.Has(KnownHeader.Te))
        {
            Utf8Formatter.TryFormat(RequestBody.Length, number, out int n);
            head.Set(KnownHeader.ContentLength, number[..n]);
        }
        head.Set(KnownHeader.XEnvoyInternal, "true"u8);
        if (target.OwnAddress.IsIp)
        {
            Span<byte> ip = stackalloc byte[46];
            head.Set(KnownHeader.XForwardedFor, ip[..IpText.Write(target.OwnAddress, ip)]);
        }
        if (target.TimeoutMicros > 0)
        {
            Utf8Formatter.TryFormat(target.TimeoutMicros / 1000, number, out int n);
            head.Set(KnownHeader.XEnvoyExpectedRqTimeoutMs, number[..n]);
        }
    }

    /// <inheritdoc/>
    protected override void OnReady()
    {
        Stream!.SendHead(RequestHead, RequestBody.Length == 0);
        if (RequestBody.Length > 0)
            Stream?.SendBody(RequestBody.Written, end: true);
    }

    /// <inheritdoc/>
    protected override void OnFailed(UpstreamCause cause)
    {
        if (Cluster is not null && _retry.FromFailure(cause, requestSent: true) == RetryVerdict.Yes)
        {
            TryAgain();
            return;
        }
        EndTime();
        _receiver.OnFailed(this, cause);
    }

    private void TryAgain() =>
        Worker.Loop.Arm(_again, Math.Max(1, _retry.Backoff(Status > 0 ? ResponseHead : null, Worker.Loop.Chance, Worker.Loop.WallClock)));

    private void EndTime()
    {
        _running = false;
        Worker.Loop.Disarm(_clock);
        Worker.Loop.Disarm(_again);
        _retry.End();
    }

    /// <inheritdoc/>
    public override void OnResponseHead(bool end)
    {
        Status = Utf8Parser.TryParse(ResponseHead[KnownHeader.Status], out int status, out _) ? status : 0;
        Cluster!.Counters.CountCode(Status);
        Cluster.Report(Host!, Status, ResponseHead, grpc: false);
        if (_retry.Enabled && _retry.FromHead(ResponseHead, Status) == RetryVerdict.Yes)
        {
            if (end)
                Finish();
            else
                Close();
            TryAgain();
        }
        else if (end)
        {
            Answer();
        }
    }

    /// <inheritdoc/>
    public override void OnResponseBody(ReadOnlySpan<byte> body, bool end)
    {
        if (_body.Length + body.Length > Target.BodyBytesMax)
        {
            Close();
            EndTime();
            _receiver.OnFailed(this, SideFailures.TooLarge);
            return;
        }
        _body.Append(body);
        if (end)
            Answer();
    }

    /// <inheritdoc/>
    public override void OnResponseTrailers() => Answer();

    private void Answer()
    {
        Finish();
        EndTime();
        _receiver.OnAnswer(this);
    }

    private void OnDue(bool again)
    {
        if (again)
        {
            Try(Worker, Target);
            return;
        }
        Cluster?.Counters.Count(Clusters.ClusterCounter.UpstreamRqTimeout);
        if (Host is { } host)
            Cluster?.ReportTimeout(host);
        Close();
        EndTime();
        _receiver.OnFailed(this, SideFailures.Timeout);
    }

    private sealed class Clock(SideCall call, bool again) : Deadline
    {
        protected internal override void OnDue(long now) => call.OnDue(again);
    }
}
