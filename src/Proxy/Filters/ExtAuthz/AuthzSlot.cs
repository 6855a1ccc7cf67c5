using System.Text.Json;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.Edits;
using Lateen.Proxy.Http;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Filters.ExtAuthz;

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
        Exchange.Reply(new LocalReply(answer.Status, "ext_authz_denied")
        {
            Body = answer.Body,
            Headers = headers,
            Flags = ResponseFlags.UnauthorizedExternalService,
        });
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
