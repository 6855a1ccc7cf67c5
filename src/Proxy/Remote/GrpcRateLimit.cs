using System.Text;
using System.Text.Json;
using Envoy.Service.Ratelimit.V3;
using Envoy.Type.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Documents;
using Lateen.Proxy.Filters.RateLimit;
using Lateen.Proxy.Formats;
using Wire = Envoy.Extensions.Common.Ratelimit.V3.RateLimitDescriptor;

namespace Lateen.Proxy.Remote;

/// <summary>A rate limiter that speaks gRPC (envoy.service.ratelimit.v3).</summary>
public sealed class GrpcRateLimitService(GrpcMethod method) : RateLimitService
{
    /// <inheritdoc/>
    public override RateLimitCall NewCall(RateLimitReceiver receiver) => new Call(method, receiver);

    private sealed class Call(GrpcMethod method, RateLimitReceiver receiver) : RateLimitCall
    {
        private readonly UnaryCall _call = new(new Reply(receiver));

        public override void Cancel() => _call.Cancel();

        public override void Ask(Worker worker, string domain, IReadOnlyList<RateLimitDescriptor> descriptors, uint hits)
        {
            var request = new RateLimitRequest { Domain = domain, HitsAddend = hits };
            foreach (RateLimitDescriptor descriptor in descriptors)
            {
                var one = new Wire();
                foreach ((string key, string value) in descriptor.Entries)
                    one.Entries.Add(new Wire.Types.Entry { Key = key, Value = value });
                if (descriptor.Limit is { } limit)
                    one.Limit = new Wire.Types.RateLimitOverride { RequestsPerUnit = limit.Requests, Unit = (RateLimitUnit)limit.Unit };
                request.Descriptors.Add(one);
            }
            _call.Begin(worker, method, request);
        }
    }

    private sealed class Reply(RateLimitReceiver receiver) : UnaryReceiver
    {
        public override void OnReply(ReadOnlySpan<byte> message)
        {
            RateLimitResponse? response = null;
            try
            {
                response = RateLimitResponse.Parser.ParseFrom(message);
            }
            catch (Exception e) when (BrokenBytes.Shown(e))
            {
                // Not a RateLimitResponse: the server failed.
            }
            receiver.OnAnswer(response is null || response.OverallCode == RateLimitResponse.Types.Code.Unknown ? null : Answer(response));
        }

        public override void OnError(int status, string message) => receiver.OnAnswer(null);
    }

    private static RateLimitAnswer Answer(RateLimitResponse response) => new()
    {
        OverLimit = response.OverallCode == RateLimitResponse.Types.Code.OverLimit,
        Statuses = [.. response.Statuses.Select(Status)],
        ResponseHeaders = [.. response.ResponseHeadersToAdd.Select(
            static h => (Encoding.Latin1.GetBytes(h.Key.ToLowerInvariant()), Encoding.UTF8.GetBytes(h.Value)))],
        RequestHeaders = [.. response.RequestHeadersToAdd.Select(
            static h => (Encoding.Latin1.GetBytes(h.Key.ToLowerInvariant()), Encoding.UTF8.GetBytes(h.Value)))],
        Body = response.RawBody.ToByteArray(),
        Metadata = Values(response.DynamicMetadata),
    };

    private static RateLimitStatus Status(RateLimitResponse.Types.DescriptorStatus status) =>
        new(status.CurrentLimit?.RequestsPerUnit, status.CurrentLimit is null ? 0 : Window(status.CurrentLimit.Unit),
            status.CurrentLimit?.Name ?? "", status.LimitRemaining, status.DurationUntilReset?.Seconds ?? 0);

    private static long Window(RateLimitResponse.Types.RateLimit.Types.Unit unit) => unit switch
    {
        RateLimitResponse.Types.RateLimit.Types.Unit.Second => 1,
        RateLimitResponse.Types.RateLimit.Types.Unit.Minute => 60,
        RateLimitResponse.Types.RateLimit.Types.Unit.Hour => 3600,
        RateLimitResponse.Types.RateLimit.Types.Unit.Day => 86_400,
        RateLimitResponse.Types.RateLimit.Types.Unit.Month => 2_592_000,
        RateLimitResponse.Types.RateLimit.Types.Unit.Year => 31_536_000,
        _ => 0,
    };

    private static JsonElement Values(Struct? values)
    {
        if (values is null || values.Fields.Count == 0)
            return default;
        using JsonDocument document = JsonDocument.Parse(JsonFormatter.Default.Format(values));
        return StructJson.Sorted(document.RootElement);
    }
}
