using System.Text.Json;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.Edits;
using Lateen.Proxy.Http;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Filters.ExtAuthz;

/// <summary>What an authorization filter counts, under <c>http.NAME.ext_authz.</c>; the first four also under <c>cluster.NAME.ext_authz.</c>.</summary>
public enum AuthzCounter : byte
{
    Denied,
    Error,
    FailureModeAllowed,
    Ok,
    Disabled,
    FilterStateNameCollision,
    IgnoredDynamicMetadata,
    Invalid,
    OmittedResponseHeaders,
    RequestHeaderLimitsReached,
    ResponseHeaderLimitsReached,
    ShadowDenied,
    ShadowError,
}

/// <summary>Where they are counted.</summary>
/// <param name="Filter">By connection manager.</param>
/// <param name="Clusters">By cluster; null for not.</param>
public sealed record AuthzStats(StatGroup Filter, ClusterFilterStats? Clusters)
{
    /// <summary>The counters of a filter.</summary>
    public static readonly StatSchema Schema = StatSchema.Of<AuthzCounter>();

    /// <summary>Those of a cluster.</summary>
    public static readonly StatSchema OfCluster = StatSchema.Counters("denied", "error", "failure_mode_allowed", "ok");

    /// <summary>Counters that nobody reads.</summary>
    public static AuthzStats Unread(int workers) => new(StatGroup.Unread(Schema, workers), null);

    internal void Count(Exchange exchange, AuthzCounter counter)
    {
        Filter.Of(exchange.Worker.Index).Count((int)counter);
        if (counter <= AuthzCounter.Ok)
            Clusters?.Count(exchange, (int)counter);
    }
}

/// <summary>How much of a body the server is sent.</summary>
/// <param name="BytesMax">At most so much.</param>
/// <param name="AllowPartial">A larger body is cut rather than refused.</param>
/// <param name="AsBytes">It goes as bytes, not as text (gRPC).</param>
public sealed record AuthzBody(int BytesMax, bool AllowPartial, bool AsBytes);

/// <summary>A filter's settings.</summary>
public sealed record ExtAuthzSettings
{
    /// <summary>The server.</summary>
    public required AuthzService Service { get; init; }

    /// <summary>Where the server fails, requests go on.</summary>
    public bool FailureModeAllow { get; init; }

    /// <summary>Such requests are marked for the upstream.</summary>
    public bool MarkFailureMode { get; init; }

    /// <summary>The answer where the server fails.</summary>
    public int StatusOnError { get; init; } = 403;

    /// <summary>The body goes along; null for not.</summary>
    public AuthzBody? Body { get; init; }

    /// <summary>The route is taken anew where the server changed the request.</summary>
    public bool ClearRoute { get; init; }

    /// <summary>Share of requests that are judged.</summary>
    public Fraction Enabled { get; init; } = Fraction.All;

    /// <summary>Only requests with this dynamic metadata are judged; null for all.</summary>
    public MetadataMatch? EnabledMetadata { get; init; }

    /// <summary>What is not judged is denied.</summary>
    public bool DenyAtDisable { get; init; }

    /// <summary>Headers that could not stand in a head make the answer an error.</summary>
    public bool ValidateMutations { get; init; }

    /// <summary>Which headers the server may change; null for all.</summary>
    public HeaderMutationRules? MutationRules { get; init; }

    /// <summary>A denial counts as an answer of the route's cluster.</summary>
    public bool ChargesCluster { get; init; } = true;

    /// <summary>Dynamic metadata of the server is taken.</summary>
    public bool TakesMetadata { get; init; } = true;
}

/// <summary>A route's settings.</summary>
public sealed record ExtAuthzRouteSettings
{
    /// <summary>Not judged here.</summary>
    public bool Disabled { get; init; }

    /// <summary>Words for the server.</summary>
    public IReadOnlyDictionary<string, string> Extensions { get; init; } = new Dictionary<string, string>();

    /// <summary>No body goes along.</summary>
    public bool NoBody { get; init; }

    /// <summary>In place of the filter's; null for that.</summary>
    public AuthzBody? Body { get; init; }
}

/// <summary>envoy.filters.http.ext_authz.</summary>
/// <param name="name">Its name in the chain.</param>
/// <param name="settings">Settings.</param>
/// <param name="stats">Its counters.</param>
public sealed class ExtAuthzFilter(string name, ExtAuthzSettings settings, AuthzStats stats) : HttpFilter(name)
{
    internal const string Namespace = "envoy.filters.http.ext_authz";

    /// <inheritdoc/>
    public override FilterPhases Phases => FilterPhases.RequestHead | FilterPhases.RequestBody | FilterPhases.RequestTrailers | FilterPhases.ResponseHead | FilterPhases.End;

    /// <inheritdoc/>
    public override FilterSlot NewSlot() => new AuthzSlot(settings, stats);

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end) => ((AuthzSlot)slot).OnHead(end);

    /// <inheritdoc/>
    public override FilterVerdict OnRequestBody(FilterSlot slot, ref ReadOnlySpan<byte> body, bool end) => ((AuthzSlot)slot).OnBody(body, end);

    /// <inheritdoc/>
    public override FilterVerdict OnRequestTrailers(FilterSlot slot) => ((AuthzSlot)slot).OnTrailers();

    /// <inheritdoc/>
    public override FilterVerdict OnResponseHead(FilterSlot slot, bool end)
    {
        ((AuthzSlot)slot).OnResponse();
        return FilterVerdict.Continue;
    }

    /// <inheritdoc/>
    public override void OnEnd(FilterSlot slot) => ((AuthzSlot)slot).Cancel();
}

/// <summary>One exchange before the authorizer: head, perhaps body, question, verdict.</summary>
internal sealed class AuthzSlot : FilterSlot
{
    private static readonly Dictionary<string, string> NoExtensions = [];

    private readonly ExtAuthzSettings _settings;
    private readonly AuthzStats _stats;
    private readonly AuthzCall _call;
    private readonly Formats.ByteBuffer _body = new(0);
    private AuthzBody? _wanted;
    private AuthzAnswer? _allowed;
    private Stage _stage;
    private long _askedAt;

    public AuthzSlot(ExtAuthzSettings settings, AuthzStats stats)
    {
        _settings = settings;
        _stats = stats;
        _call = settings.Service.NewCall(new Receiver(this));
    }

    private enum Stage : byte
    {
        Idle,
        Buffering,
        Asking,
        Done,
    }

    private ExtAuthzRouteSettings? RouteSettings => Settings as ExtAuthzRouteSettings;

    private void Count(AuthzCounter counter) => _stats.Count(Exchange, counter);

    public FilterVerdict OnHead(bool end)
    {
        _stage = Stage.Done;
        _allowed = null;
        if (RouteSettings is { Disabled: true })
            return FilterVerdict.Continue;
        if (!IsEnabled())
        {
            Count(AuthzCounter.Disabled);
            if (!_settings.DenyAtDisable)
                return FilterVerdict.Continue;
            Fail(_settings.StatusOnError, "ext_authz_error");
            return FilterVerdict.Stop;
        }
        _wanted = end || Exchange.Upgrade.Length > 0 || RouteSettings is { NoBody: true } ? null : RouteSettings?.Body ?? _settings.Body;
        if (_wanted is null)
        {
            Ask(default, false, false);
            return FilterVerdict.Stop;
        }
        _stage = Stage.Buffering;
        if (!_wanted.AllowPartial)
            Exchange.BufferLimit = _wanted.BytesMax;
        return FilterVerdict.Buffer;
    }

    private bool IsEnabled() => _settings.Enabled.Includes(Exchange.Worker.Loop.Chance.NextULong())
        && (_settings.EnabledMetadata is not { } wanted || MetadataTest.Matches(wanted, Exchange.DynamicMetadata));

    public FilterVerdict OnBody(ReadOnlySpan<byte> body, bool end)
    {
        if (_stage == Stage.Asking)
            return FilterVerdict.Stop;
        if (_stage != Stage.Buffering)
            return FilterVerdict.Continue;
        ReadOnlySpan<byte> held = HeldRequest;
        int length = held.Length + body.Length, most = _wanted!.BytesMax;
        if (length > most && !_wanted.AllowPartial)
        {
            Exchange.CloseConnection();
            Replies.TooLarge(Exchange);
            return FilterVerdict.Stop;
        }
        if (!end && length < most)
            return FilterVerdict.Buffer;
        if (!end && !_wanted.AllowPartial)
            return FilterVerdict.Buffer;
        _body.Clear();
        _body.Append(held.Length > most ? held[..most] : held);
        _body.Append(body[..Math.Min(body.Length, most - _body.Length)]);
        Ask(_body.Written, true, length > most);
        return FilterVerdict.Stop;
    }

    public FilterVerdict OnTrailers()
    {
        if (_stage == Stage.Buffering)
        {
            _body.Clear();
            _body.Append(HeldRequest);
            Ask(_body.Written, true, false);
        }
        return _stage == Stage.Asking ? FilterVerdict.Stop : FilterVerdict.Continue;
    }

    private void Ask(ReadOnlySpan<byte> body, bool sendsBody, bool cut)
    {
        _stage = Stage.Asking;
        _askedAt = Exchange.Worker.Loop.Now;
        _call.Ask(Exchange, new AuthzContext(RouteSettings?.Extensions ?? NoExtensions, sendsBody, cut), body);
    }

    private void OnAnswer(AuthzAnswer answer)
    {
        if (_stage != Stage.Asking)
            return;
        _stage = Stage.Done;
        if (answer.Metadata is { } metadata)
        {
            if (_settings.TakesMetadata)
                SetMetadata(metadata, answer.Verdict);
            else
                Count(AuthzCounter.IgnoredDynamicMetadata);
        }
        switch (answer.Verdict)
        {
            case AuthzVerdict.Allowed:
                Allow(answer);
                break;
            case AuthzVerdict.Denied:
                Deny(answer);
                break;
            default:
                Error();
                break;
        }
    }

    private void SetMetadata(IReadOnlyDictionary<string, JsonElement> values, AuthzVerdict verdict)
    {
        var all = new SortedDictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach ((string key, JsonElement value) in values)
            all[key] = value;
        if (verdict == AuthzVerdict.Allowed)
            all["ext_authz_duration"] = JsonSerializer.SerializeToElement((Exchange.Worker.Loop.Now - _askedAt) / 1000);
        Exchange.SetMetadata(ExtAuthzFilter.Namespace, JsonSerializer.SerializeToElement(all));
    }

    private void Error()
    {
        Count(AuthzCounter.Error);
        if (!_settings.FailureModeAllow)
        {
            Fail(_settings.StatusOnError, "ext_authz_error");
            return;
        }
        Count(AuthzCounter.FailureModeAllowed);
        if (_settings.MarkFailureMode)
            Exchange.RequestHead.Set("x-envoy-auth-failure-mode-allowed"u8, "true"u8);
        ResumeRequest();
    }

    private void Fail(int status, string details)
    {
        _stage = Stage.Done;
        Exchange.Reply(new LocalReply(status, details) { Flags = ResponseFlags.UnauthorizedExternalService });
    }

    // True where a header may be changed; an answer that asks for the impossible is an error where that is wanted.
    private bool Permits(in HeaderEdit header, out bool error)
    {
        bool valid = header.IsValid, allowed = _settings.MutationRules?.Allows(header.Name) ?? true;
        error = (!valid && _settings.ValidateMutations) || (!allowed && _settings.MutationRules!.DisallowedIsError);
        return valid && allowed;
    }

    private bool AnyInvalid(IReadOnlyList<HeaderEdit> headers)
    {
        for (int i = 0; i < headers.Count; i++)
        {
            if (!Permits(headers[i], out bool error) && error)
                return true;
        }
        return false;
    }

    private void Allow(AuthzAnswer answer)
    {
        if (AnyInvalid(answer.Headers) || AnyInvalid(answer.ResponseHeaders))
        {
            Count(AuthzCounter.Invalid);
            Fail(500, "ext_authz_invalid");
            return;
        }
        Count(AuthzCounter.Ok);
        HeaderMap head = Exchange.RequestHead;
        foreach (HeaderEdit header in answer.Headers)
        {
            if (Permits(header, out _))
                header.Apply(head);
        }
        foreach (byte[] name in answer.HeadersToRemove)
        {
            // Without these it would be no request.
            if (name is not [(byte)':', ..] && !"host"u8.SequenceEqual(name) && (_settings.MutationRules?.Allows(name) ?? true))
                head.Remove(name);
        }
        foreach ((byte[] name, byte[] value) in answer.QueryToSet)
            QueryText.Set(head, name, value);
        foreach (byte[] name in answer.QueryToRemove)
            QueryText.Remove(head, name);
        _allowed = answer.ResponseHeaders.Count > 0 ? answer : null;
        if (_settings.ClearRoute && answer.ChangesRequest)
            Exchange.SelectRoute();
        ResumeRequest();
    }

    private void Deny(AuthzAnswer answer)
    {
        if (_settings.ValidateMutations && AnyInvalid(answer.Headers))
        {
            Count(AuthzCounter.Invalid);
            Fail(500, "ext_authz_invalid");
            return;
        }
        Count(AuthzCounter.Denied);
        if (_settings.ChargesCluster)
            ClusterFilterStats.CountAnswer(Exchange, answer.Status);
        var headers = new HeaderMap();
        foreach (HeaderEdit header in answer.Headers)
        {
            if (header.IsValid && header.Name[0] != ':')
                headers.Add(header.Name, header.Value);
        }
        Exchange.Reply(new LocalReply(answer.Status, "ext_authz_denied") { Body = answer.Body, Headers = headers, Flags = ResponseFlags.UnauthorizedExternalService });
    }

    public void OnResponse()
    {
        if (_allowed is null)
            return;
        foreach (HeaderEdit header in _allowed.ResponseHeaders)
        {
            if (header.IsValid)
                header.Apply(Exchange.ResponseHead);
        }
    }

    public void Cancel()
    {
        if (_stage == Stage.Asking)
            _call.Cancel();
        _stage = Stage.Idle;
    }

    protected internal override void Reset()
    {
        _allowed = null;
        _wanted = null;
        _stage = Stage.Idle;
        _body.Clear();
    }

    private sealed class Receiver(AuthzSlot slot) : AuthzReceiver
    {
        public override void OnAnswer(AuthzAnswer answer) => slot.OnAnswer(answer);
    }
}
