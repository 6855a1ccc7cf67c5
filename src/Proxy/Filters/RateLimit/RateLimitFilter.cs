using System.Globalization;
using System.Text;
using System.Text.Json;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Exchanges.Heads;
using Lateen.Proxy.Http;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Filters.RateLimit;

/// <summary>What a rate limit filter counts, under <c>cluster.NAME.ratelimit.</c>.</summary>
public enum RateLimitCounter : byte
{
    Ok,
    OverLimit,
    Error,
    FailureModeAllowed,
}

/// <summary>Which requests are looked at.</summary>
public enum RateLimitRequests : byte
{
    Both,
    Internal,
    External,
}

/// <summary>What becomes of the virtual host's rules where a route has some of its own.</summary>
public enum HostRules : byte
{
    /// <summary>They count only where the route has none.</summary>
    Override,
    Include,
    Ignore,
}

/// <summary>A filter's settings.</summary>
public sealed record RateLimitSettings
{
    /// <summary>The server.</summary>
    public required RateLimitService Service { get; init; }

    /// <summary>The server's domain.</summary>
    public required string Domain { get; init; }

    /// <summary>Rules of this stage count.</summary>
    public uint Stage { get; init; }

    /// <summary>Which requests.</summary>
    public RateLimitRequests Requests { get; init; }

    /// <summary>Where the server fails, requests are refused.</summary>
    public bool FailureModeDeny { get; init; }

    /// <summary>The answer then.</summary>
    public int StatusOnError { get; init; } = 500;

    /// <summary>The answer over the limit.</summary>
    public int Status { get; init; } = 429;

    /// <summary>A gRPC client is told RESOURCE_EXHAUSTED rather than UNAVAILABLE.</summary>
    public bool ResourceExhausted { get; init; }

    /// <summary>x-ratelimit-* headers in answers.</summary>
    public bool TellLimits { get; init; }

    /// <summary>No x-envoy-ratelimited over the limit.</summary>
    public bool NoMark { get; init; }

    /// <summary>Headers of refusals.</summary>
    public HeaderMutations ResponseHeaders { get; init; } = HeaderMutations.None;
}

/// <summary>A route's settings.</summary>
/// <param name="HostRules">What becomes of the virtual host's rules.</param>
/// <param name="Rules">In place of the route's own; null for those.</param>
/// <param name="Domain">In place of the filter's; empty for that.</param>
public sealed record RateLimitRouteSettings(HostRules HostRules, RateLimitRules? Rules, string Domain);

/// <summary>envoy.filters.http.ratelimit.</summary>
/// <param name="name">Its name in the chain.</param>
/// <param name="settings">Settings.</param>
/// <param name="stats">Its counters; null for none.</param>
public sealed class RateLimitFilter(string name, RateLimitSettings settings, ClusterFilterStats? stats) : HttpFilter(name)
{
    /// <summary>The counters.</summary>
    public static readonly StatSchema Schema = StatSchema.Of<RateLimitCounter>();

    /// <inheritdoc/>
    public override FilterPhases Phases => FilterPhases.RequestHead | FilterPhases.ResponseHead | FilterPhases.End;

    /// <inheritdoc/>
    public override FilterSlot NewSlot() => new RateLimitSlot(settings, stats);

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end) => ((RateLimitSlot)slot).OnHead();

    /// <inheritdoc/>
    public override FilterVerdict OnResponseHead(FilterSlot slot, bool end)
    {
        ((RateLimitSlot)slot).OnResponse();
        return FilterVerdict.Continue;
    }

    /// <inheritdoc/>
    public override void OnEnd(FilterSlot slot) => ((RateLimitSlot)slot).Cancel();
}

/// <summary>One exchange before the rate limiter.</summary>
internal sealed class RateLimitSlot : FilterSlot
{
    private const string HitsNamespace = "envoy.ratelimit", MetadataNamespace = "envoy.filters.http.ratelimit";

    private static readonly string[] HitsPath = ["hits_addend"];

    private readonly RateLimitSettings _settings;
    private readonly ClusterFilterStats? _stats;
    private readonly RateLimitCall _call;
    private RateLimitAnswer? _answer;
    private bool _asking;

    public RateLimitSlot(RateLimitSettings settings, ClusterFilterStats? stats)
    {
        _settings = settings;
        _stats = stats;
        _call = settings.Service.NewCall(new Receiver(this));
    }

    private void Count(RateLimitCounter counter) => _stats?.Count(Exchange, (int)counter);

    public FilterVerdict OnHead()
    {
        bool isInternal = Exchange.RequestHead[KnownHeader.XEnvoyInternal].SequenceEqual("true"u8);
        if ((_settings.Requests == RateLimitRequests.Internal && !isInternal)
            || (_settings.Requests == RateLimitRequests.External && isInternal))
            return FilterVerdict.Continue;
        if (Exchange.Route?.Action is not ForwardAction action || Descriptors(action) is not { Count: > 0 } descriptors)
            return FilterVerdict.Continue;
        _asking = true;
        string domain = Settings is RateLimitRouteSettings { Domain.Length: > 0 } own ? own.Domain : _settings.Domain;
        _call.Ask(Exchange.Worker, domain, descriptors, Hits());
        return FilterVerdict.Stop;
    }

    private List<RateLimitDescriptor>? Descriptors(ForwardAction action)
    {
        var route = Settings as RateLimitRouteSettings;
        RateLimitRules? own = route?.Rules ?? action.RateLimits as RateLimitRules,
            host = Exchange.Decision.Host?.RateLimits as RateLimitRules;
        HostRules use = action.IncludeHostRateLimits ? HostRules.Include : route?.HostRules ?? HostRules.Override;
        if (use == HostRules.Ignore || (use == HostRules.Override && own is { All.Count: > 0 }) || route?.Rules is not null)
            host = null;
        if (own is null && host is null)
            return null;
        var descriptors = new List<RateLimitDescriptor>();
        Describe(own, descriptors);
        Describe(host, descriptors);
        return descriptors;
    }

    private void Describe(RateLimitRules? rules, List<RateLimitDescriptor> descriptors)
    {
        foreach (RateLimitRule rule in rules?.All ?? [])
        {
            if (rule.Stage == _settings.Stage && rule.Describe(Exchange) is { } descriptor)
                descriptors.Add(descriptor);
        }
    }

    private uint Hits() => Exchange.DynamicMetadata is { } metadata && metadata.TryGet(HitsNamespace, HitsPath, out JsonElement hits)
        && hits.ValueKind == JsonValueKind.Number
        && hits.GetDouble() is >= 0 and <= uint.MaxValue and var number ? (uint)number : 0;

    private void OnAnswer(RateLimitAnswer? answer)
    {
        if (!_asking)
            return;
        _asking = false;
        _answer = answer;
        if (answer is { Metadata.ValueKind: JsonValueKind.Object })
            Exchange.SetMetadata(MetadataNamespace, answer.Metadata);
        if (answer is null)
            Error();
        else if (answer.OverLimit)
            Refuse(answer);
        else
            Allow(answer);
    }

    private void Allow(RateLimitAnswer answer)
    {
        Count(RateLimitCounter.Ok);
        foreach ((byte[] name, byte[] value) in answer.RequestHeaders)
            Exchange.RequestHead.Add(name, value);
        ResumeRequest();
    }

    private void Error()
    {
        Count(RateLimitCounter.Error);
        if (_settings.FailureModeDeny)
        {
            Exchange.Reply(new LocalReply(_settings.StatusOnError, "rate_limiter_error") { Flags = ResponseFlags.RateLimitServiceError });
            return;
        }
        Count(RateLimitCounter.FailureModeAllowed);
        ResumeRequest();
    }

    private void Refuse(RateLimitAnswer answer)
    {
        Count(RateLimitCounter.OverLimit);
        ClusterFilterStats.CountAnswer(Exchange, _settings.Status);
        var headers = new HeaderMap();
        if (!_settings.NoMark)
            headers.Add(KnownHeader.XEnvoyRatelimited, "true"u8);
        RouteHeaders.Apply(_settings.ResponseHeaders, headers, Exchange);
        Exchange.Reply(new LocalReply(_settings.Status, "request_rate_limited")
        {
            Body = answer.Body,
            Headers = headers,
            Flags = ResponseFlags.RateLimited,
            GrpcStatus = _settings.ResourceExhausted ? 8 : null,
        });
    }

    public void OnResponse()
    {
        if (_answer is not { } answer)
            return;
        HeaderMap head = Exchange.ResponseHead;
        foreach ((byte[] name, byte[] value) in answer.ResponseHeaders)
            head.Add(name, value);
        if (_settings.TellLimits)
            TellLimits(answer, head);
    }

    // draft-polli-ratelimit-headers-03: the tightest limit first, then all policies.
    private static void TellLimits(RateLimitAnswer answer, HeaderMap head)
    {
        RateLimitStatus? tightest = null;
        var policies = new StringBuilder();
        foreach (RateLimitStatus status in answer.Statuses)
        {
            if (status.Limit is not { } limit)
                continue;
            if (tightest is not { } least || status.Remaining < least.Remaining)
                tightest = status;
            if (status.WindowSeconds == 0)
                continue;
            policies.Append(CultureInfo.InvariantCulture, $", {limit};w={status.WindowSeconds}");
            if (status.Name.Length > 0)
                policies.Append(CultureInfo.InvariantCulture, $";name=\"{status.Name}\"");
        }
        if (tightest is not { } told)
            return;
        Put(head, "x-ratelimit-limit"u8, string.Create(CultureInfo.InvariantCulture, $"{told.Limit}{policies}"));
        Put(head, "x-ratelimit-remaining"u8, told.Remaining.ToString(CultureInfo.InvariantCulture));
        Put(head, "x-ratelimit-reset"u8, told.ResetSeconds.ToString(CultureInfo.InvariantCulture));
    }

    private static void Put(HeaderMap head, ReadOnlySpan<byte> name, string value) => head.Set(name, Encoding.UTF8.GetBytes(value));

    public void Cancel()
    {
        if (_asking)
            _call.Cancel();
        _asking = false;
    }

    protected internal override void Reset()
    {
        _answer = null;
        _asking = false;
    }

    private sealed class Receiver(RateLimitSlot slot) : RateLimitReceiver
    {
        public override void OnAnswer(RateLimitAnswer? answer) => slot.OnAnswer(answer);
    }
}
