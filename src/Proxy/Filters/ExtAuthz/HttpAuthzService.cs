using System.Text;
using System.Text.Json;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Exchanges.Heads;
using Lateen.Proxy.Filters.Edits;
using Lateen.Proxy.Http;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Tcp;
using Lateen.Proxy.Upstream.Calls;

namespace Lateen.Proxy.Filters.ExtAuthz;

/// <summary>What an HTTP service is sent and what of its answers counts.</summary>
public sealed record HttpAuthzOptions
{
    /// <summary>Where it is.</summary>
    public required SideTarget Target { get; init; }

    /// <summary>Put before the request's path.</summary>
    public byte[] PathPrefix { get; init; } = [];

    /// <summary>Names of request headers that go along besides method, path, host and Authorization.</summary>
    public HeaderNames Sent { get; init; } = HeaderNames.None;

    /// <summary>Names that never go along.</summary>
    public HeaderNames Withheld { get; init; } = HeaderNames.None;

    /// <summary>Headers put to the question.</summary>
    public HeaderMutations Added { get; init; } = HeaderMutations.None;

    /// <summary>Names of the answer's headers that are set at the request.</summary>
    public HeaderNames ToUpstream { get; init; } = HeaderNames.None;

    /// <summary>Names that are joined to the request's.</summary>
    public HeaderNames ToUpstreamAppended { get; init; } = HeaderNames.None;

    /// <summary>Names that go to a denied client; none configured means all but the host.</summary>
    public HeaderNames? ToDenied { get; init; }

    /// <summary>Names that go to an allowed client, with the upstream's answer.</summary>
    public HeaderNames ToAllowed { get; init; } = HeaderNames.None;

    /// <summary>Names that go to dynamic metadata.</summary>
    public HeaderNames ToMetadata { get; init; } = HeaderNames.None;
}

/// <summary>An authorizer that speaks HTTP: it is sent the request's head under another path, and 200 allows.</summary>
public sealed class HttpAuthzService(HttpAuthzOptions options) : AuthzService
{
    /// <inheritdoc/>
    public override AuthzCall NewCall(AuthzReceiver receiver) => new Call(options, receiver);

    private sealed class Call : AuthzCall
    {
        private readonly HttpAuthzOptions _options;
        private readonly AuthzReceiver _receiver;
        private readonly SideCall _call;

        public Call(HttpAuthzOptions options, AuthzReceiver receiver)
        {
            _options = options;
            _receiver = receiver;
            _call = new SideCall(new Answer(this));
        }

        public override void Ask(TcpSession session) => throw new InvariantException("an HTTP authorizer was asked about a connection");

        public override void Cancel() => _call.Cancel();

        public override void Ask(Exchange exchange, in AuthzContext context, ReadOnlySpan<byte> body)
        {
            _call.Clear();
            HeaderMap head = _call.RequestHead, from = exchange.RequestHead;
            Span<byte> length = stackalloc byte[11];
            System.Buffers.Text.Utf8Formatter.TryFormat(body.Length, length, out int digits);
            head.Add(KnownHeader.ContentLength, length[..digits]);
            for (int i = 0; i < from.End; i++)
            {
                if (from.At(i, out KnownHeader known, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value) && Sends(known, name))
                    Copy(head, known, name, value);
            }
            RouteHeaders.Apply(_options.Added, head, exchange);
            if (context.SendsBody)
                head.Set("x-envoy-auth-partial-body"u8, context.BodyIsCut ? "true"u8 : "false"u8);
            _call.RequestBody.Append(body);
            _call.Begin(exchange.Worker, _options.Target);
        }

        private bool Sends(KnownHeader known, ReadOnlySpan<byte> name)
        {
            if (known is KnownHeader.ContentLength or KnownHeader.Scheme or KnownHeader.Protocol or KnownHeader.Connection
                or KnownHeader.TransferEncoding or KnownHeader.Upgrade)
                return false;
            if (_options.Withheld.Includes(name))
                return false;
            return known is KnownHeader.Method or KnownHeader.Path or KnownHeader.Authority or KnownHeader.Authorization
                || _options.Sent.Includes(name);
        }

        // Several lines of a name go as one.
        private void Copy(HeaderMap head, KnownHeader known, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
        {
            if (known == KnownHeader.Path)
                head.Set(known, (byte[])[.. _options.PathPrefix, .. value]);
            else if (head.TryGet(name, out ReadOnlySpan<byte> before))
                head.Set(name, (byte[])[.. before, (byte)',', .. value]);
            else
                head.Add(name, value);
        }

        private void Read(SideCall call)
        {
            if (call.Status is >= 500 and < 600 or 0)
            {
                _receiver.OnAnswer(AuthzAnswer.Failed);
                return;
            }
            var toRequest = new List<HeaderEdit>();
            var toClient = new List<HeaderEdit>();
            var metadata = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
            var removed = new List<byte[]>();
            HeaderMap head = call.ResponseHead;
            for (int i = 0; i < head.End; i++)
            {
                if (!head.At(i, out KnownHeader known, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
                    || known == KnownHeader.Status)
                    continue;
                if (name.SequenceEqual("x-envoy-auth-headers-to-remove"u8))
                    removed.AddRange(Encoding.Latin1.GetString(value)
                        .Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
                        .Select(static n => Encoding.Latin1.GetBytes(n.ToLowerInvariant())));
                if (_options.ToMetadata.Includes(name))
                    metadata[Encoding.Latin1.GetString(name)] = JsonSerializer.SerializeToElement(Encoding.UTF8.GetString(value));
                if (call.Status != 200)
                    TakeDenied(known, name, value, toClient);
                else
                    TakeAllowed(name, value, toRequest, toClient);
            }
            _receiver.OnAnswer(call.Status == 200
                ? new AuthzAnswer
                {
                    Verdict = AuthzVerdict.Allowed,
                    Headers = toRequest,
                    HeadersToRemove = removed,
                    ResponseHeaders = toClient,
                    Metadata = metadata.Count > 0 ? metadata : null,
                }
                : new AuthzAnswer
                {
                    Verdict = AuthzVerdict.Denied,
                    Status = call.Status,
                    Body = call.ResponseBody.ToArray(),
                    Headers = toClient,
                    Metadata = metadata.Count > 0 ? metadata : null,
                });
        }

        private void TakeAllowed(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, List<HeaderEdit> toRequest, List<HeaderEdit> toClient)
        {
            if (_options.ToUpstream.Includes(name))
                toRequest.Add(new HeaderEdit(HeaderEditAction.Set, name.ToArray(), value.ToArray()));
            if (_options.ToUpstreamAppended.Includes(name))
                toRequest.Add(new HeaderEdit(HeaderEditAction.AppendIfPresent, name.ToArray(), value.ToArray()));
            if (_options.ToAllowed.Includes(name))
                toClient.Add(new HeaderEdit(HeaderEditAction.Add, name.ToArray(), value.ToArray()));
        }

        private void TakeDenied(KnownHeader known, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, List<HeaderEdit> toClient)
        {
            // The length is our answer's own.
            if (known is KnownHeader.ContentLength or KnownHeader.TransferEncoding or KnownHeader.Connection)
                return;
            bool goes = _options.ToDenied is not { IsEmpty: false } names ? known != KnownHeader.Host
                : known is KnownHeader.Location || name.SequenceEqual("www-authenticate"u8) || names.Includes(name);
            if (goes)
                toClient.Add(new HeaderEdit(HeaderEditAction.Add, name.ToArray(), value.ToArray()));
        }

        private sealed class Answer(Call owner) : SideCallReceiver
        {
            public override void OnAnswer(SideCall call) => owner.Read(call);

            public override void OnFailed(SideCall call, UpstreamCause cause) => owner._receiver.OnAnswer(AuthzAnswer.Failed);
        }
    }
}
