using System.Text.Json;

namespace Lateen.Proxy.Filters.RateLimit;

/// <summary>What the server said of one descriptor.</summary>
/// <param name="Limit">Requests in the window; null where it has no limit.</param>
/// <param name="WindowSeconds">The window; 0 for unknown.</param>
/// <param name="Name">The limit's name; empty for none.</param>
/// <param name="Remaining">Requests left.</param>
/// <param name="ResetSeconds">Until the window ends.</param>
public readonly record struct RateLimitStatus(uint? Limit, long WindowSeconds, string Name, uint Remaining, long ResetSeconds);

/// <summary>What the server said.</summary>
public sealed class RateLimitAnswer
{
    /// <summary>Some descriptor is over its limit.</summary>
    public bool OverLimit { get; init; }

    /// <summary>Of each descriptor.</summary>
    public IReadOnlyList<RateLimitStatus> Statuses { get; init; } = [];

    /// <summary>Headers for the client.</summary>
    public IReadOnlyList<(byte[] Name, byte[] Value)> ResponseHeaders { get; init; } = [];

    /// <summary>Headers for the upstream.</summary>
    public IReadOnlyList<(byte[] Name, byte[] Value)> RequestHeaders { get; init; } = [];

    /// <summary>The body of a refusal.</summary>
    public byte[] Body { get; init; } = [];

    /// <summary>What goes to dynamic metadata; undefined for nothing.</summary>
    public JsonElement Metadata { get; init; }
}

/// <summary>Who waits for the server.</summary>
public abstract class RateLimitReceiver
{
    /// <summary>It has answered, or (null) failed; once, never inside the question.</summary>
    public abstract void OnAnswer(RateLimitAnswer? answer);
}

/// <summary>The server, as the filter sees it; one for all workers.</summary>
public abstract class RateLimitService
{
    /// <summary>A call that is used again and again by one slot.</summary>
    public abstract RateLimitCall NewCall(RateLimitReceiver receiver);
}

/// <summary>One question at a time.</summary>
public abstract class RateLimitCall
{
    /// <summary>Asks.</summary>
    public abstract void Ask(Worker worker, string domain, IReadOnlyList<RateLimitDescriptor> descriptors, uint hits);

    /// <summary>Gives the question up; harmless where there is none.</summary>
    public abstract void Cancel();
}
