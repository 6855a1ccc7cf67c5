
namespace Lateen.Proxy.Filters.LocalRateLimit;

/// <summary>
/// Tokens that come back with time, shared by all workers without a lock: the state is the virtual time at which the bucket is empty (the
/// generic cell rate algorithm), moved by compare-and-swap. Full at the start.
/// </summary>
public sealed class TokenBucket(uint tokensMax, uint tokensPerFill, long fillMicros)
{
    private long _emptyAt = long.MinValue;

    /// <summary>The most that it holds.</summary>
    public uint TokensMax => tokensMax;

    /// <summary>Takes one where there is one; <paramref name="left"/> is what remains.</summary>
    public bool TryTake(long now, out uint left)
    {
        double perToken = (double)fillMicros / Math.Max(1, tokensPerFill);
        while (true)
        {
            long emptyAt = Volatile.Read(ref _emptyAt), full = now - (long)(perToken * tokensMax);

            // Older than full counts as full.
            long from = Math.Max(emptyAt, full);
            double tokens = Math.Floor((now - from) / perToken + 1e-9);
            if (tokens < 1 || tokensMax == 0)
            {
                left = 0;
                return false;
            }
            if (Interlocked.CompareExchange(ref _emptyAt, from + (long)Math.Ceiling(perToken), emptyAt) == emptyAt)
            {
                left = (uint)tokens - 1;
                return true;
            }
        }
    }

    /// <summary>Tokens a second that come back: of several buckets the slowest is asked first.</summary>
    public double FillRate => fillMicros == 0 ? 0 : tokensPerFill * 1e6 / fillMicros;

    /// <summary>Whole tokens that it holds, and the seconds until the next where there are none.</summary>
    public (uint Left, long SecondsToNext) Look(long now)
    {
        double perToken = (double)fillMicros / Math.Max(1, tokensPerFill);
        long from = Math.Max(Volatile.Read(ref _emptyAt), now - (long)(perToken * tokensMax));
        double tokens = (now - from) / perToken + 1e-9;
        return tokens >= 1 ? ((uint)tokens, 0) : (0, (long)Math.Ceiling((perToken - (now - from)) / 1e6));
    }
}
