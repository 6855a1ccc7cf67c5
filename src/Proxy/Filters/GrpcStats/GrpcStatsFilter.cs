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
        string requests = Requests > 0 ? $"\"requestMessageCount\":\"{Requests}\"" : "", responses = Responses > 0
            ? $"\"responseMessageCount\":\"{Responses}\"" : "";
        return $"{{{requests}{(requests.Length > 0 && responses.Length > 0 ? "," : "")}{responses}}}";
    }
}

/// <summary>What is counted where.</summary>
public sealed record GrpcStatsOptions
{
    /// <summary>The counts are filter state.</summary>
    public bool EmitFilterState { get; init; }

    /// <summary>Every method has counters of its own.</summary>
    public bool AllMethods { get; init; }

    /// <summary>How long upstreams take is counted, too.</summary>
    public bool UpstreamTimes { get; init; }

    /// <summary>Methods (as paths) with counters of their own.</summary>
    public IReadOnlyList<byte[]> Methods { get; init; } = [];
}

/// <summary>
/// Counts gRPC messages on their way through by their five-byte prefixes (envoy.extensions.filters.http.grpc_stats.v3). Changes nothing.
/// </summary>
/// <param name="name">Its name.</param>
/// <param name="options">What is counted where.</param>
/// <param name="table">The counters; null counts for filter state alone.</param>
public sealed class GrpcStatsFilter(string name, GrpcStatsOptions options, GrpcCounterTable? table) : HttpFilter(name)
{
    /// <inheritdoc/>
    public override FilterPhases Phases => FilterPhases.RequestHead | FilterPhases.RequestBody | FilterPhases.ResponseHead
        | FilterPhases.ResponseBody | FilterPhases.ResponseTrailers;

    /// <inheritdoc/>
    public override FilterSlot NewSlot() => new CountingSlot();

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
    {
        var own = (CountingSlot)slot;
        own.Counts.Requests = own.Counts.Responses = 0;
        own.Active = slot.Exchange.IsGrpc;
        if (!own.Active)
            return FilterVerdict.Continue;
        own.Counters = table?.Of(slot.Exchange, ByMethod(slot.Exchange.RequestHead[KnownHeader.Path]));
        if (options.EmitFilterState)
            slot.Exchange.SetFilterState(GrpcMessageCounts.Key, own.Counts);
        return FilterVerdict.Continue;
    }

    private bool ByMethod(ReadOnlySpan<byte> path)
    {
        if (options.AllMethods || options.Methods.Count == 0)
            return options.AllMethods;
        int query = path.IndexOf((byte)'?');
        ReadOnlySpan<byte> bare = query < 0 ? path : path[..query];
        foreach (byte[] method in options.Methods)
        {
            if (bare.SequenceEqual(method))
                return true;
        }
        return false;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnRequestBody(FilterSlot slot, ref ReadOnlySpan<byte> body, bool end)
    {
        var own = (CountingSlot)slot;
        if (own.Active)
        {
            long messages = own.Request.Count(body);
            own.Counts.Requests += messages;
            own.Counters?.CountRequests(slot.Exchange.Worker, messages);
        }
        return FilterVerdict.Continue;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnResponseHead(FilterSlot slot, bool end)
    {
        if (end)
            CountStatus((CountingSlot)slot, slot.Exchange.ResponseHead);
        return FilterVerdict.Continue;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnResponseBody(FilterSlot slot, ref ReadOnlySpan<byte> body, bool end)
    {
        var own = (CountingSlot)slot;
        if (own.Active)
        {
            long messages = own.Response.Count(body);
            own.Counts.Responses += messages;
            own.Counters?.CountResponses(slot.Exchange.Worker, messages);
        }
        return FilterVerdict.Continue;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnResponseTrailers(FilterSlot slot)
    {
        CountStatus((CountingSlot)slot, slot.Exchange.ResponseTrailers!);
        return FilterVerdict.Continue;
    }

    private void CountStatus(CountingSlot own, HeaderMap map)
    {
        if (own.Counters is not { } counters)
            return;
        Worker worker = own.Exchange.Worker;
        if (map.Has(KnownHeader.GrpcStatus))
            counters.CountStatus(worker, Formats.GrpcStatus.Read(map, out int code) ? code : 2);

        // The response ends with what is being shown: that its end was noted is not sure yet.
        if (options.UpstreamTimes && own.Exchange.Facts.Times.UpstreamSendEnd is > 0 and var sent)
            counters.RecordTime(worker, Math.Max(0, worker.Loop.Now - sent) / 1000);
    }

    private sealed class CountingSlot : FilterSlot
    {
        public GrpcMessageCounts Counts { get; } = new();

        public GrpcCounters? Counters;
        public bool Active;
        public MessageCounter Request, Response;

        protected internal override void Reset()
        {
            Active = false;
            Counters = null;
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
