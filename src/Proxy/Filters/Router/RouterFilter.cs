// Router: the last filter of a chain. Takes the routed request to an upstream (or answers what the route answers by itself), keeps its
// time, tries again where the policy allows, and hands the answer back to the exchange. A RouterSlot is the state machine of one exchange;
// an Attempt is one try on one host, a ResponseReceiver of the upstream's codec; both are pooled with the exchange. The request's body is
// kept only while somebody may need it again. Nothing here decides which host (Clusters/Balancing) or owns connections (Upstream/).
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Upstream;

namespace Lateen.Proxy.Filters.Router;

/// <summary>Settings of the router (envoy.extensions.filters.http.router.v3.Router).</summary>
public sealed record RouterOptions
{
    /// <summary>No x-envoy-* headers are written up- or downstream.</summary>
    public bool SuppressEnvoyHeaders { get; init; }

    /// <summary>x-envoy-expected-rq-timeout-ms of the request counts as its timeout.</summary>
    public bool RespectExpectedTimeout { get; init; }

    /// <summary>Attempts have spans of their own.</summary>
    public bool StartChildSpan { get; init; }

    /// <summary>Requests with x-envoy-... headers of wrong form are refused; names in lower case.</summary>
    public IReadOnlyList<string> StrictCheckHeaders { get; init; } = [];

    /// <summary>Told of each attempt's end (upstream access logs); empty for nobody.</summary>
    public IReadOnlyList<ExchangeRecorder> UpstreamRecorders { get; init; } = [];
}

/// <summary>The router.</summary>
/// <param name="name">Its name in the chain.</param>
/// <param name="options">Settings.</param>
/// <param name="upstreams">The process's upstream side.</param>
public sealed class RouterFilter(string name, RouterOptions options, Upstreams upstreams) : HttpFilter(name)
{
    /// <summary>Settings.</summary>
    public RouterOptions Options { get; } = options;

    /// <summary>The process's upstream side.</summary>
    public Upstreams Upstreams { get; } = upstreams;

    /// <inheritdoc/>
    public override FilterPhases Phases =>
        FilterPhases.RequestHead | FilterPhases.RequestBody | FilterPhases.RequestTrailers | FilterPhases.End;

    /// <inheritdoc/>
    public override bool IsTerminal => true;

    /// <inheritdoc/>
    public override FilterSlot NewSlot() => new RouterSlot();

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
    {
        ((RouterSlot)slot).OnHead(end);
        return FilterVerdict.Continue;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnRequestBody(FilterSlot slot, ref ReadOnlySpan<byte> body, bool end)
    {
        ((RouterSlot)slot).OnBody(body, end);
        return FilterVerdict.Continue;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnRequestTrailers(FilterSlot slot)
    {
        ((RouterSlot)slot).OnTrailers();
        return FilterVerdict.Continue;
    }

    /// <inheritdoc/>
    public override void OnEnd(FilterSlot slot) => ((RouterSlot)slot).OnEnd();
}
