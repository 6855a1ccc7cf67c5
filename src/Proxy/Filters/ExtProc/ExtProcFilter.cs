using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.Edits;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Filters.ExtProc;

/// <summary>What a processing filter counts, under <c>http.NAME.ext_proc.</c>.</summary>
public enum ProcCounter : byte
{
    StreamsStarted,
    StreamMsgsSent,
    StreamMsgsReceived,
    SpuriousMsgsReceived,
    StreamsClosed,
    StreamsFailed,
    FailureModeAllowed,
    MessageTimeouts,
    OverrideMessageTimeoutReceived,
    OverrideMessageTimeoutIgnored,
    RejectedHeaderMutations,
    ClearRouteCacheIgnored,
    ClearRouteCacheDisabled,
    ImmediateResponsesSent,
}

/// <summary>When the route is taken anew.</summary>
public enum RouteRefresh : byte
{
    /// <summary>When the server says so.</summary>
    Asked,

    /// <summary>Whenever it changed the request's head.</summary>
    Always,
    Never,
}

/// <summary>A filter's settings.</summary>
public sealed record ExtProcSettings
{
    /// <summary>The server.</summary>
    public required ProcessorService Service { get; init; }

    /// <summary>What goes to it.</summary>
    public required ProcessingMode Mode { get; init; }

    /// <summary>Where it fails, exchanges go on without it.</summary>
    public bool FailureModeAllow { get; init; }

    /// <summary>How long one answer may take.</summary>
    public long MessageMicros { get; init; } = 200_000;

    /// <summary>How long an answer may take at most where the server asks for more time; 0 lets it ask for none.</summary>
    public long MessageMicrosMax { get; init; }

    /// <summary>Which headers it may change.</summary>
    public HeaderMutationRules Rules { get; init; } = new();

    /// <summary>Its answers may change the mode.</summary>
    public bool AllowModeOverride { get; init; }

    /// <summary>It may not answer in the upstream's place.</summary>
    public bool NoImmediateAnswer { get; init; }

    /// <summary>When the route is taken anew.</summary>
    public RouteRefresh Refresh { get; init; }

    /// <summary>It only watches: nobody waits for its answers.</summary>
    public bool Observes { get; init; }

    /// <summary>Namespaces of dynamic metadata that it may set.</summary>
    public IReadOnlySet<string> Namespaces { get; init; } = new HashSet<string>();

    /// <summary>Its counters; null for none.</summary>
    public StatGroup? Stats { get; init; }

    /// <summary>The counters.</summary>
    public static StatSchema Schema { get; } = StatSchema.Of<ProcCounter>();
}

/// <summary>A route's settings.</summary>
/// <param name="Disabled">Nothing goes to the server.</param>
/// <param name="Mode">In place of the filter's; null for that.</param>
public sealed record ExtProcRouteSettings(bool Disabled, ProcessingMode? Mode) : LayeredSettings
{
    /// <inheritdoc/>
    public override LayeredSettings Over(LayeredSettings above) => Disabled || above is not ExtProcRouteSettings under ? this : this with
    {
        Mode = Mode ?? under.Mode,
        FailureModeAllow = FailureModeAllow ?? under.FailureModeAllow,
        Namespaces = Namespaces ?? under.Namespaces,
    };

    /// <summary>Another server, or other words to it; null for the filter's.</summary>
    public ProcessorOverrides? Overrides { get; init; }

    /// <summary>Where it fails, exchanges go on without it; null for the filter's own.</summary>
    public bool? FailureModeAllow { get; init; }

    /// <summary>Namespaces of dynamic metadata that it may set; null for the filter's own.</summary>
    public IReadOnlySet<string>? Namespaces { get; init; }
}

/// <summary>envoy.filters.http.ext_proc.</summary>
public sealed class ExtProcFilter(string name, ExtProcSettings settings) : HttpFilter(name)
{
    /// <inheritdoc/>
    public override FilterPhases Phases => FilterPhases.RequestHead | FilterPhases.RequestBody | FilterPhases.RequestTrailers
        | FilterPhases.ResponseHead | FilterPhases.ResponseBody | FilterPhases.ResponseTrailers | FilterPhases.End;

    /// <inheritdoc/>
    public override FilterSlot NewSlot() => new ProcSlot(settings);

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end) => ((ProcSlot)slot).Begin(end);

    /// <inheritdoc/>
    public override FilterVerdict OnRequestBody(FilterSlot slot, ref ReadOnlySpan<byte> body, bool end) =>
        ((ProcSlot)slot).Request.OnBody(ref body, end);

    /// <inheritdoc/>
    public override FilterVerdict OnRequestTrailers(FilterSlot slot) => ((ProcSlot)slot).Request.OnTrailers();

    /// <inheritdoc/>
    public override FilterVerdict OnResponseHead(FilterSlot slot, bool end) => ((ProcSlot)slot).BeginResponse(end);

    /// <inheritdoc/>
    public override FilterVerdict OnResponseBody(FilterSlot slot, ref ReadOnlySpan<byte> body, bool end) =>
        ((ProcSlot)slot).Response.OnBody(ref body, end);

    /// <inheritdoc/>
    public override FilterVerdict OnResponseTrailers(FilterSlot slot) => ((ProcSlot)slot).Response.OnTrailers();

    /// <inheritdoc/>
    public override void OnEnd(FilterSlot slot) => ((ProcSlot)slot).End();
}
