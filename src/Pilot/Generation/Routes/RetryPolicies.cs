using Envoy.Config.Route.V3;
using Envoy.Extensions.Retry.Host.PreviousHosts.V3;
using Envoy.Extensions.Retry.Priority.PreviousPriorities.V3;
using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Generation.Filters;

namespace Lateen.Pilot.Generation.Routes;

/// <summary>Retries of a route: the mesh's default or what the rule asks for.</summary>
internal static class RetryPolicies
{
    private const string DefaultConditions = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes";
    private const string InboundConditions = "reset-before-request";
    private const string StatusCodes = "retriable-status-codes";

    /// <summary>The policy for an outbound route.</summary>
    /// <param name="retries">The rule's setting, else the mesh's, else null for the built-in one.</param>
    /// <param name="consistentHash">A hashed request belongs to its host: no other host is preferred for the retry.</param>
    /// <returns>Null when retries are switched off.</returns>
    public static RetryPolicy? Outbound(HTTPRetry? retries, bool consistentHash)
    {
        var policy = new RetryPolicy { NumRetries = 2, RetryOn = DefaultConditions, HostSelectionRetryMaxAttempts = 5 };
        if (!consistentHash) policy.RetryHostPredicate.Add(PreviousHosts());
        if (retries is null) return policy;
        if (retries.Attempts <= 0) return null;
        policy.NumRetries = (uint)retries.Attempts;
        if (retries.RetryOn.Length > 0) ApplyConditions(policy, retries.RetryOn);
        if (retries.PerTryTimeout is not null) policy.PerTryTimeout = retries.PerTryTimeout;
        if (retries.RetryIgnorePreviousHosts is { } ignorePrevious)
        {
            policy.RetryHostPredicate.Clear();
            if (ignorePrevious) policy.RetryHostPredicate.Add(PreviousHosts());
        }
        if (retries.RetryRemoteLocalities == true) policy.RetryPriority = PreviousPriorities();
        if (retries.Backoff is not null) policy.RetryBackOff = new RetryPolicy.Types.RetryBackOff { BaseInterval = retries.Backoff };
        return policy;
    }

    /// <summary>The policy for an inbound route: it only covers the race of a request with a connection that the application
    /// closes.</summary>
    /// <param name="retries">The mesh's setting, or null for the built-in one; attempts, conditions and backoff of it count.</param>
    /// <param name="isGrpc">gRPC streams do not get on with it.</param>
    public static RetryPolicy? Inbound(HTTPRetry? retries, bool isGrpc)
    {
        if (isGrpc) return null;
        var policy = new RetryPolicy { NumRetries = 2, RetryOn = InboundConditions };
        if (retries is null) return policy;
        if (retries.Attempts <= 0) return null;
        policy.NumRetries = (uint)retries.Attempts;
        if (retries.RetryOn.Length > 0) ApplyConditions(policy, retries.RetryOn);
        if (retries.Backoff is not null) policy.RetryBackOff = new RetryPolicy.Types.RetryBackOff { BaseInterval = retries.Backoff };
        return policy;
    }

    // The list mixes Envoy's words with status codes; the codes go into a field of their own.
    private static void ApplyConditions(RetryPolicy policy, string retryOn)
    {
        var words = new List<string>();
        policy.RetriableStatusCodes.Clear();
        foreach (var part in retryOn.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (uint.TryParse(part, out var code) && HttpStatus.IsKnown(code)) policy.RetriableStatusCodes.Add(code);
            else words.Add(part);
        }
        policy.RetryOn = string.Join(',', words);
        if (policy.RetriableStatusCodes.Count > 0 && !policy.RetryOn.Contains(StatusCodes, StringComparison.Ordinal))
            policy.RetryOn += "," + StatusCodes;
    }

    private static RetryPolicy.Types.RetryHostPredicate PreviousHosts() => new()
    {
        Name = "envoy.retry_host_predicates.previous_hosts",
        TypedConfig = Wire.Pack(new PreviousHostsPredicate()),
    };

    private static RetryPolicy.Types.RetryPriority PreviousPriorities() => new()
    {
        Name = "envoy.retry_priorities.previous_priorities",
        TypedConfig = Wire.Pack(new PreviousPrioritiesConfig { UpdateFrequency = 2 }),
    };
}

/// <summary>Status codes that have a name (IANA registry); other numbers in a retry list are words.</summary>
internal static class HttpStatus
{
    /// <summary>Whether the registry names the code.</summary>
    public static bool IsKnown(uint code) => code switch
    {
        >= 100 and <= 103 or >= 200 and <= 208 or 226 => true,
        >= 300 and <= 308 and not 306 => true,
        >= 400 and <= 418 or >= 421 and <= 426 or 428 or 429 or 431 or 451 => true,
        >= 500 and <= 508 or 510 or 511 => true,
        _ => false,
    };
}
