// CustomResponse: puts another answer in the place of one that matches (envoy.extensions.filters.http.custom_response.v3): a body of the
// proxy's own, or what another address answers, fetched by sending the request through the chain again. The original answer is given up.
// Owns no state but its slots; which policy is at work for a redirected exchange is remembered in filter state, so that its own answer is
// not replaced again.
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Exchanges.Heads;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Matching;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Telemetry;

namespace Lateen.Proxy.Filters.CustomResponse;

/// <summary>What to do with a response that matches.</summary>
public abstract class ResponsePolicy
{
    /// <summary>The status in place of the response's; null keeps it.</summary>
    public int? Status { get; init; }

    /// <summary>Headers to add to the new answer.</summary>
    public HeaderMutations Headers { get; init; } = HeaderMutations.None;
}

/// <summary>An answer of the proxy's own.</summary>
public sealed class LocalPolicy : ResponsePolicy
{
    /// <summary>The body.</summary>
    public byte[] Body { get; init; } = [];

    /// <summary>Makes the body; null where it is fixed.</summary>
    public ReplyBody? Format { get; init; }
}

/// <summary>The answer of another address.</summary>
public sealed class RedirectedPolicy : ResponsePolicy
{
    /// <summary>https or http; empty keeps the request's.</summary>
    public string Scheme { get; init; } = "";

    /// <summary>The host; empty keeps the request's.</summary>
    public string Host { get; init; } = "";

    /// <summary>Path and query; empty keeps the request's.</summary>
    public string Path { get; init; } = "";

    /// <summary>The query is taken off.</summary>
    public bool StripQuery { get; init; }

    /// <summary>Headers to add to the request.</summary>
    public HeaderMutations RequestHeaders { get; init; } = HeaderMutations.None;
}

/// <summary>The matcher of a filter or of a route.</summary>
/// <param name="Tree">Which response gets which policy; null for none.</param>
public sealed record CustomResponseSettings(MatchTree<IStreamFacts, ResponsePolicy>? Tree);

/// <summary>The filter.</summary>
public sealed class CustomResponseFilter(string name, CustomResponseSettings settings) : HttpFilter(name)
{
    /// <summary>Filter state under which the policy at work is remembered.</summary>
    public const string StateKey = "envoy.filters.http.custom_response";

    /// <inheritdoc/>
    public override FilterPhases Phases => FilterPhases.RequestHead | FilterPhases.ResponseHead;

    /// <inheritdoc/>
    public override FilterSlot NewSlot() => new ResponseSlot();

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
    {
        ((ResponseSlot)slot).SawRequest = true;
        return FilterVerdict.Continue;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnResponseHead(FilterSlot slot, bool end)
    {
        Exchange exchange = slot.Exchange;
        if (exchange.FilterState(StateKey) is RedirectedPolicy working)
        {
            if (exchange.Status is >= 100 and < 300)
                Dress(exchange, working);
            return FilterVerdict.Continue;
        }
        switch ((slot.Settings as CustomResponseSettings ?? settings).Tree?.Find(exchange.Facts))
        {
            case LocalPolicy local:
                Answer(exchange, local);
                return FilterVerdict.Stop;
            case RedirectedPolicy redirected when ((ResponseSlot)slot).SawRequest && Redirect(exchange, redirected):
                ((ResponseSlot)slot).SendAgain(exchange.Status);
                return FilterVerdict.Stop;
            default:
                return FilterVerdict.Continue;
        }
    }

    private static void Dress(Exchange exchange, RedirectedPolicy policy)
    {
        RouteHeaders.Apply(policy.Headers, exchange.ResponseHead, exchange);
        if (policy.Status is not { } status)
            return;
        exchange.ResponseHead.Set(KnownHeader.Status, Replies.StatusText(status));
        exchange.Announce(status);
    }

    private static void Answer(Exchange exchange, LocalPolicy policy)
    {
        var body = new ByteBuffer(0);
        body.Append(policy.Body);
        if (policy.Format is { } format)
        {
            exchange.LocalBody.Clear();
            exchange.LocalBody.Append(policy.Body);
            body.Clear();
            format.Write(exchange.Facts, body);
        }
        int status = policy.Status ?? exchange.Status;
        var head = new HeaderMap();
        RouteHeaders.Apply(policy.Headers, head, exchange);
        exchange.Reply(new LocalReply(status, "") { Body = body.Written, Headers = head });
    }

    // Points the request to the other address; false where no route leads there.
    private static bool Redirect(Exchange exchange, RedirectedPolicy policy)
    {
        HeaderMap head = exchange.RequestHead;
        byte[] scheme = head[KnownHeader.Scheme].ToArray(), host = head[KnownHeader.Authority].ToArray(),
            path = head[KnownHeader.Path].ToArray();
        if (policy.Scheme.Length > 0)
            head.Set(KnownHeader.Scheme, System.Text.Encoding.ASCII.GetBytes(policy.Scheme));
        if (policy.Host.Length > 0)
            head.Set(KnownHeader.Authority, System.Text.Encoding.Latin1.GetBytes(policy.Host));
        if (policy.Path.Length > 0)
            head.Set(KnownHeader.Path, System.Text.Encoding.Latin1.GetBytes(policy.Path));
        else if (policy.StripQuery && path.AsSpan().IndexOf((byte)'?') is var mark and >= 0)
            head.Set(KnownHeader.Path, path.AsSpan(0, mark));
        RouteHeaders.Apply(policy.RequestHeaders, head, exchange);
        if (exchange.Options.Routes.Current?.Find(head, new RouteFacts(exchange.Random, IsInternal: exchange.IsInternal)).Route is null)
        {
            head.Set(KnownHeader.Scheme, scheme);
            head.Set(KnownHeader.Authority, host);
            head.Set(KnownHeader.Path, path);
            return false;
        }
        head.Set(KnownHeader.Method, "GET"u8);
        head.Remove(KnownHeader.ContentLength);
        head.Remove(KnownHeader.TransferEncoding);
        exchange.SetFilterState(StateKey, policy);
        return true;
    }

    // The request is sent again at the loop's next turn: the response's filters are at work now.
    private sealed class ResponseSlot : FilterSlot
    {
        private readonly Again _again;
        private uint _generation;
        private int _status;

        public ResponseSlot() => _again = new Again(this);

        public bool SawRequest { get; set; }

        public void SendAgain(int status)
        {
            _status = status;
            _generation = Exchange.Generation;
            Exchange.Worker.Loop.Defer(_again);
        }

        protected internal override void Reset() => SawRequest = false;

        private sealed class Again(ResponseSlot slot) : Letter
        {
            protected internal override void Deliver()
            {
                if (slot._generation == slot.Exchange.Generation && !slot.Exchange.IsFinished)
                    slot.Exchange.Restart(slot._status, default);
            }
        }
    }
}
