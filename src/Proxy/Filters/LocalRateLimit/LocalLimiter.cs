using System.Collections.Concurrent;
using System.Text;
using Lateen.Proxy.Filters.RateLimit;

namespace Lateen.Proxy.Filters.LocalRateLimit;

/// <summary>A bucket for requests with certain entries; an empty value stands for any, and each value that comes has a bucket of its
/// own.</summary>
/// <param name="Entries">Keys and values, in order.</param>
/// <param name="Make">Makes a bucket.</param>
public sealed record LocalDescriptor(IReadOnlyList<(string Key, string Value)> Entries, Func<TokenBucket> Make);

/// <summary>The buckets of one local rate limit: one for all requests, others for those with certain descriptors. Shared by the workers;
/// buckets need no lock.</summary>
public sealed class LocalLimiter
{
    private readonly TokenBucket? _all;
    private readonly (LocalDescriptor Descriptor, TokenBucket? Bucket)[] _descriptors;
    private readonly bool _takeFromAllToo;
    private readonly int _madeMax;
    private readonly ConcurrentDictionary<string, TokenBucket> _made = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<string> _order = new();

    /// <param name="all">The bucket for all requests; null for none.</param>
    /// <param name="descriptors">The others.</param>
    /// <param name="takeFromAllToo">A request with a descriptor's bucket takes from the bucket for all, too.</param>
    /// <param name="madeMax">How many buckets are kept for values that requests bring; the oldest goes first.</param>
    public LocalLimiter(TokenBucket? all, IReadOnlyList<LocalDescriptor> descriptors, bool takeFromAllToo, int madeMax)
    {
        _all = all;
        _descriptors = [.. descriptors.Select(d => (d, d.Entries.Any(static e => e.Value.Length == 0) ? null : d.Make()))];
        _takeFromAllToo = takeFromAllToo;
        _madeMax = madeMax;
    }

    /// <summary>Descriptors of requests are looked at.</summary>
    public bool HasDescriptors => _descriptors.Length > 0;

    /// <summary>Takes a token from each bucket that the request belongs to; false where one is empty. The bucket that decided is told, null
    /// where there is none.</summary>
    public bool TryTake(long now, List<RateLimitDescriptor>? request, out TokenBucket? decided)
    {
        decided = null;
        if (request is { Count: > 0 })
        {
            foreach (TokenBucket bucket in Matching(request).OrderBy(static b => b.FillRate))
            {
                decided ??= bucket;
                if (bucket.TryTake(now, out _))
                    continue;
                decided = bucket;
                return false;
            }
        }
        if (_all is null || (decided is not null && !_takeFromAllToo))
            return true;
        if (!_all.TryTake(now, out _))
        {
            decided = _all;
            return false;
        }
        decided ??= _all;
        return true;
    }

    private IEnumerable<TokenBucket> Matching(List<RateLimitDescriptor> request)
    {
        foreach (RateLimitDescriptor one in request)
        {
            foreach ((LocalDescriptor descriptor, TokenBucket? bucket) in _descriptors)
            {
                if (!Fits(descriptor.Entries, one.Entries))
                    continue;
                yield return bucket ?? Made(descriptor, one);
                break;
            }
        }
    }

    private static bool Fits(IReadOnlyList<(string Key, string Value)> wanted, IReadOnlyList<(string Key, string Value)> entries)
    {
        if (wanted.Count != entries.Count)
            return false;
        for (int i = 0; i < wanted.Count; i++)
        {
            if (wanted[i].Key != entries[i].Key || (wanted[i].Value.Length > 0 && wanted[i].Value != entries[i].Value))
                return false;
        }
        return true;
    }

    private TokenBucket Made(LocalDescriptor descriptor, RateLimitDescriptor request)
    {
        var key = new StringBuilder();
        foreach ((string name, string value) in request.Entries)
            key.Append(name).Append('\0').Append(value).Append('\0');
        string text = key.ToString();
        if (_made.TryGetValue(text, out TokenBucket? bucket))
            return bucket;
        bucket = _made.GetOrAdd(text, _ => descriptor.Make());
        _order.Enqueue(text);
        while (_made.Count > _madeMax && _order.TryDequeue(out string? oldest))
            _made.TryRemove(oldest, out _);
        return bucket;
    }
}
