// Cors: answers preflights and tells browsers what an origin may read (Fetch standard, CORS protocol;
// envoy.extensions.filters.http.cors.v3). The policy is the route's; a route that forwards nothing has none (observed). A slot remembers
// the request's origin, since a later filter may take the header off.
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Filters.Cors;

/// <summary>A route's policy. What it leaves open, that of the virtual host, or of the whole table, says; but for whether it holds at
/// all.</summary>
public sealed record CorsPolicy : LayeredSettings
{
    /// <summary>Origins that are allowed.</summary>
    public IReadOnlyList<StringMatch> Origins { get; init; } = [];

    /// <summary>access-control-allow-methods; empty for none.</summary>
    public byte[] Methods { get; init; } = [];

    /// <summary>access-control-allow-headers; empty for none.</summary>
    public byte[] Headers { get; init; } = [];

    /// <summary>access-control-expose-headers; empty for none.</summary>
    public byte[] Exposed { get; init; } = [];

    /// <summary>access-control-max-age; empty for none.</summary>
    public byte[] MaxAge { get; init; } = [];

    /// <summary>Credentials are allowed.</summary>
    public bool? Credentials { get; init; }

    /// <summary>Share of requests for which the policy holds.</summary>
    public Fraction Enabled { get; init; } = Fraction.All;

    /// <summary>Share of requests that are judged and counted without more, where the policy does not hold.</summary>
    public Fraction Shadow { get; init; } = new(0, 100);

    /// <summary>Requests from public to private networks are allowed.</summary>
    public bool? PrivateNetwork { get; init; }

    /// <summary>Preflights of other origins go to the upstream; else they are answered without headers.</summary>
    public bool? ForwardOthers { get; init; }

    /// <inheritdoc/>
    public override LayeredSettings Over(LayeredSettings above) => above is not CorsPolicy under ? this : this with
    {
        Origins = Origins.Count > 0 ? Origins : under.Origins,
        Methods = Methods.Length > 0 ? Methods : under.Methods,
        Headers = Headers.Length > 0 ? Headers : under.Headers,
        Exposed = Exposed.Length > 0 ? Exposed : under.Exposed,
        MaxAge = MaxAge.Length > 0 ? MaxAge : under.MaxAge,
        Credentials = Credentials ?? under.Credentials,
        PrivateNetwork = PrivateNetwork ?? under.PrivateNetwork,
        ForwardOthers = ForwardOthers ?? under.ForwardOthers,
    };
}

/// <summary>The filter.</summary>
/// <param name="name">Its name.</param>
/// <param name="stats">Its counters.</param>
public sealed class CorsFilter(string name, StatGroup? stats = null) : HttpFilter(name)
{
    /// <summary>What is counted.</summary>
    public static readonly StatSchema Counted = StatSchema.Counters("origin_valid", "origin_invalid");

    /// <inheritdoc/>
    public override FilterPhases Phases => FilterPhases.RequestHead | FilterPhases.ResponseHead;

    /// <inheritdoc/>
    public override FilterSlot NewSlot() => new CorsSlot();

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
    {
        Exchange exchange = slot.Exchange;
        HeaderMap head = exchange.RequestHead;
        if (slot.Settings is not CorsPolicy policy || exchange.Route?.Action is not ForwardAction)
            return FilterVerdict.Continue;
        bool enforced = policy.Enabled.Includes(exchange.Random);
        if (!enforced && !policy.Shadow.Includes(exchange.Random))
            return FilterVerdict.Continue;
        if (!head.TryGet(KnownHeader.Origin, out ReadOnlySpan<byte> origin) || origin.IsEmpty)
            return FilterVerdict.Continue;
        var own = (CorsSlot)slot;
        bool allowed = IsAllowed(policy, head, origin);
        stats?.Of(exchange.Worker.Index).Count(allowed ? 0 : 1);
        if (!enforced)
            return FilterVerdict.Continue;
        own.Allowed = allowed;
        if (own.Allowed)
            own.Origin.Append(origin);
        ReadOnlySpan<byte> wanted = head[KnownHeader.AccessControlRequestMethod];
        bool preflight = head[KnownHeader.Method].SequenceEqual("OPTIONS"u8) && !wanted.IsEmpty;
        if (!preflight || (!own.Allowed && policy.ForwardOthers != false))
            return FilterVerdict.Continue;
        exchange.Reply(new LocalReply(200, "cors_response") { Headers = Answer(policy, head, own.Origin.Written) });
        return FilterVerdict.Stop;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnResponseHead(FilterSlot slot, bool end)
    {
        var own = (CorsSlot)slot;
        if (!own.Allowed || slot.Settings is not CorsPolicy policy)
            return FilterVerdict.Continue;
        HeaderMap head = slot.Exchange.ResponseHead;
        head.Set(KnownHeader.AccessControlAllowOrigin, own.Origin.Written);
        if (policy.Credentials == true)
            head.Set(KnownHeader.AccessControlAllowCredentials, "true"u8);
        if (policy.Exposed.Length > 0)
            head.Set(KnownHeader.AccessControlExposeHeaders, policy.Exposed);
        return FilterVerdict.Continue;
    }

    private static bool IsAllowed(CorsPolicy policy, HeaderMap head, ReadOnlySpan<byte> origin)
    {
        // Two origins are none: a browser sends one.
        if (origin.Contains((byte)','))
            return false;
        for (int i = 0; i < policy.Origins.Count; i++)
        {
            if (policy.Origins[i].Matches("*"u8) || policy.Origins[i].Matches(origin))
                return true;
        }
        return false;
    }

    private static HeaderMap Answer(CorsPolicy policy, HeaderMap head, ReadOnlySpan<byte> origin)
    {
        var answer = new HeaderMap();
        if (!origin.IsEmpty)
            answer.Add(KnownHeader.AccessControlAllowOrigin, origin);
        if (policy.Credentials == true)
            answer.Add(KnownHeader.AccessControlAllowCredentials, "true"u8);

        // With credentials a browser takes a star for a name: what was asked for is said instead.
        Tell(answer, KnownHeader.AccessControlAllowMethods, policy.Methods, policy.Credentials == true,
            head[KnownHeader.AccessControlRequestMethod]);
        Tell(answer, KnownHeader.AccessControlAllowHeaders, policy.Headers, policy.Credentials == true,
            head[KnownHeader.AccessControlRequestHeaders]);
        if (policy.MaxAge.Length > 0)
            answer.Add(KnownHeader.AccessControlMaxAge, policy.MaxAge);
        if (policy.PrivateNetwork == true && head[KnownHeader.AccessControlRequestPrivateNetwork].SequenceEqual("true"u8))
            answer.Add(KnownHeader.AccessControlAllowPrivateNetwork, "true"u8);
        return answer;
    }

    private static void Tell(HeaderMap answer, KnownHeader header, byte[] value, bool credentials, ReadOnlySpan<byte> asked)
    {
        if (value.Length == 0)
            return;
        answer.Add(header, credentials && value is [(byte)'*'] ? asked : value);
    }

    private sealed class CorsSlot : FilterSlot
    {
        public ByteBuffer Origin { get; } = new(0);

        public bool Allowed { get; set; }

        protected internal override void Reset()
        {
            Origin.Clear();
            Allowed = false;
        }
    }
}
