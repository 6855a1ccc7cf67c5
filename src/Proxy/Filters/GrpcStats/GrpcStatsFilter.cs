using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Http;

namespace Lateen.Proxy.Filters.GrpcStats;

/// <summary>Messages of a gRPC exchange, as filter state for logs and statistics.</summary>
public sealed class GrpcMessageCounts
{
    /// <summary>The key of the filter state.</summary>
    public const string Key = "envoy.filters.http.grpc_stats";

    /// <summary>Messages of the request.</summary>
    public long Requests { get; internal set; }

    /// <summary>Messages of the response.</summary>
    public long Responses { get; internal set; }

    /// <summary>As protobuf's JSON writes Envoy's message: 64-bit numbers as texts, none where there were none.</summary>
    public override string ToString()
    {
        string requests = Requests > 0 ? $"\"requestMessageCount\":\"{Requests}\"" : "", responses = Responses > 0 ? $"\"responseMessageCount\":\"{Responses}\"" : "";
        return $"{{{requests}{(requests.Length > 0 && responses.Length > 0 ? "," : "")}{responses}}}";
    }
}

/// <summary>
/// Counts gRPC messages on their way through by their five-byte prefixes (envoy.extensions.filters.http.grpc_stats.v3). Changes nothing.
/// </summary>
/// <param name="name">Its name.</param>
/// <param name="emitFilterState">The counts are filter state.</param>
public sealed class GrpcStatsFilter(string name, bool emitFilterState) : HttpFilter(name)
{
    /// <inheritdoc/>
    public override FilterPhases Phases => FilterPhases.RequestHead | FilterPhases.RequestBody | FilterPhases.ResponseBody;

    /// <inheritdoc/>
    public override FilterSlot NewSlot() => new CountingSlot();

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
    {
        var own = (CountingSlot)slot;
        own.Counts.Requests = own.Counts.Responses = 0;
        own.Active = slot.Exchange.IsGrpc;
        if (own.Active && emitFilterState)
            slot.Exchange.SetFilterState(GrpcMessageCounts.Key, own.Counts);
        return FilterVerdict.Continue;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnRequestBody(FilterSlot slot, ref ReadOnlySpan<byte> body, bool end)
    {
        var own = (CountingSlot)slot;
        if (own.Active)
            own.Counts.Requests += own.Request.Count(body);
        return FilterVerdict.Continue;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnResponseBody(FilterSlot slot, ref ReadOnlySpan<byte> body, bool end)
    {
        var own = (CountingSlot)slot;
        if (own.Active)
            own.Counts.Responses += own.Response.Count(body);
        return FilterVerdict.Continue;
    }

    private sealed class CountingSlot : FilterSlot
    {
        public GrpcMessageCounts Counts { get; } = new();

        public bool Active;
        public MessageCounter Request, Response;

        protected internal override void Reset()
        {
            Active = false;
            Request = Response = default;
        }
    }
}

/// <summary>Counts messages in a stream of gRPC frames: one flag byte, four bytes of length, the message.</summary>
public struct MessageCounter
{
    private uint _left, _length;
    private int _prefix;

    /// <summary>Looks at a part; the number of messages whose prefix is complete in it.</summary>
    public int Count(ReadOnlySpan<byte> part)
    {
        int messages = 0;
        while (!part.IsEmpty)
        {
            if (_left > 0)
            {
                int skip = (int)Math.Min(_left, (uint)part.Length);
                _left -= (uint)skip;
                part = part[skip..];
                continue;
            }
            if (_prefix > 0)
                _length = _length << 8 | part[0];
            part = part[1..];
            if (++_prefix < 5)
                continue;
            messages++;
            _left = _length;
            _length = 0;
            _prefix = 0;
        }
        return messages;
    }
}
