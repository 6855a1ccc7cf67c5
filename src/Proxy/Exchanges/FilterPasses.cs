using System.Numerics;

namespace Lateen.Proxy.Exchanges;

/// <summary>Requests: upwards, to the router.</summary>
internal sealed class RequestPass(Exchange exchange, FilterSlot[] slots, FilterChain chain)
    : FilterPass(exchange, slots, chain.Wanting(FilterPhases.RequestHead), chain.Wanting(FilterPhases.RequestBody),
        chain.Wanting(FilterPhases.RequestTrailers))
{
    private protected override int Next(ulong mask, int from)
    {
        if (from >= 64)
            return -1;
        mask &= ulong.MaxValue << from;
        return mask == 0 ? -1 : BitOperations.TrailingZeroCount(mask);
    }

    private protected override int Step(int filter) => filter + 1;

    private protected override FilterVerdict CallHead(FilterSlot slot, bool end) => slot.Filter.OnRequestHead(slot, end);

    private protected override FilterVerdict CallBody(FilterSlot slot, ref ReadOnlySpan<byte> body, bool end) =>
        slot.Filter.OnRequestBody(slot, ref body, end);

    private protected override FilterVerdict CallTrailers(FilterSlot slot) => slot.Filter.OnRequestTrailers(slot);

    private protected override void FinishHead(bool end)
    {
    }

    private protected override void FinishBody(ReadOnlySpan<byte> body, bool end)
    {
    }

    private protected override void FinishTrailers()
    {
    }

    private protected override bool EndsApart => Exchange.Stream.Version != Http.HttpVersion.Http2;

    private protected override void OnOverLimit(bool buffering) => Exchange.OnRequestHoldFull(buffering);

    private protected override void OnRelieved() => Exchange.OnRequestRelieved();
}

/// <summary>Responses: downwards, to the client.</summary>
internal sealed class ResponsePass(Exchange exchange, FilterSlot[] slots, FilterChain chain)
    : FilterPass(exchange, slots, chain.Wanting(FilterPhases.ResponseHead), chain.Wanting(FilterPhases.ResponseBody),
        chain.Wanting(FilterPhases.ResponseTrailers))
{
    private protected override int Next(ulong mask, int from)
    {
        if (from < 0)
            return -1;
        if (from < 63)
            mask &= (1ul << (from + 1)) - 1;
        return mask == 0 ? -1 : 63 - BitOperations.LeadingZeroCount(mask);
    }

    private protected override int Step(int filter) => filter - 1;

    private protected override FilterVerdict CallHead(FilterSlot slot, bool end) => slot.Filter.OnResponseHead(slot, end);

    private protected override FilterVerdict CallBody(FilterSlot slot, ref ReadOnlySpan<byte> body, bool end) =>
        slot.Filter.OnResponseBody(slot, ref body, end);

    private protected override FilterVerdict CallTrailers(FilterSlot slot) => slot.Filter.OnResponseTrailers(slot);

    private protected override void FinishHead(bool end) => Exchange.SendHead(end);

    private protected override void FinishBody(ReadOnlySpan<byte> body, bool end) => Exchange.SendBody(body, end);

    private protected override void FinishTrailers() => Exchange.SendTrailers();

    private protected override bool EndsApart =>
        Exchange.Upstream.Connection?.Version is Http.HttpVersion.Http11 or Http.HttpVersion.Http10;

    private protected override void OnOverLimit(bool buffering) => Exchange.OnResponseHoldFull(buffering);

    private protected override void OnRelieved() => Exchange.OnResponseRelieved();
}
