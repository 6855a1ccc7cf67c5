using System.Text;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Upstream.Calls;

namespace Lateen.Proxy.Filters.Lua;

/// <summary>One <c>httpCall</c>: the script's request, and its answer as the script sees it.</summary>
internal sealed class LuaCall : SideCallReceiver
{
    private readonly LuaRun _run;
    private readonly SideCall _call;
    private ClusterHandle? _cluster;
    private bool _hasBody, _unattended;

    public LuaCall(LuaRun run)
    {
        _run = run;
        _call = new SideCall(this);
    }

    public HeaderMap Head => _call.RequestHead;

    public bool IsAsynchronous { get; set; }

    public bool ReturnsDuplicates { get; set; }

    public bool SendsForwardedFor { get; set; } = true;

    public long TimeoutMicros { get; set; }

    public bool HasBegun { get; private set; }

    public bool FindCluster(string name)
    {
        _cluster = Filter.Upstreams.Directory.Find(name);
        return _cluster?.Current is not null;
    }

    private LuaFilter Filter => (LuaFilter)_run.Slot.Filter;

    public void SetBody(ReadOnlySpan<byte> body, bool given)
    {
        _hasBody = given;
        _call.RequestBody.Append(body);
        if (_hasBody && body.IsEmpty)
            Head.Set(KnownHeader.ContentLength, "0"u8);
    }

    public void Begin()
    {
        HasBegun = true;
        Exchange exchange = _run.Exchange;
        _call.Begin(exchange.Worker, new SideTarget(Filter.Upstreams, _cluster!)
        {
            TimeoutMicros = TimeoutMicros,
            BodyBytesMax = Filter.Bounds.CallBytesMax,
            OwnAddress = !SendsForwardedFor ? default : exchange.Options.LocalAddress.IsIp
                ? exchange.Options.LocalAddress : exchange.Connection.Context.Local,
        });
    }

    public void BeginUnattended()
    {
        _unattended = true;
        Begin();
    }

    public void Cancel() => _call.Cancel();

    public override void OnAnswer(SideCall call)
    {
        if (!_unattended)
            _run.OnAnswer(this, call.ResponseHead, call.ResponseBody);
    }

    // Envoy's client answers most failures with a status of its own, and the script sees that.
    public override void OnFailed(SideCall call, UpstreamCause cause)
    {
        if (_unattended)
            return;
        var head = new HeaderMap();
        head.Add(KnownHeader.Status, Replies.StatusText(cause.Status));
        byte[] body = Encoding.ASCII.GetBytes(SideFailures.Body(cause));
        var length = new ByteBuffer();
        length.Append(body.Length);
        head.Add(KnownHeader.ContentLength, length.Written);
        head.Add(KnownHeader.ContentType, "text/plain"u8);
        _run.OnAnswer(this, head, body);
    }
}

/// <summary>An answer that a script wants to give.</summary>
internal sealed class LuaReply
{
    public int Status { get; set; }

    public HeaderMap Head { get; } = new();

    public ByteBuffer Body { get; } = new(0);
}
