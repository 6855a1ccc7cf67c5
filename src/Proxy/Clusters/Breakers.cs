namespace Lateen.Proxy.Clusters;

/// <summary>What a cluster has in use, over all workers, for both priorities. Counting is atomic, and left out where there is no limit and
/// nothing asks for the number.</summary>
public sealed class Breakers
{
    private readonly Use _default = new(), _high = new();

    /// <summary>The resources as statistics name them: of their gauge "open", and of what remains.</summary>
    internal static readonly (string Name, string Remaining, BreakerResource Resource)[] Resources =
    [
        ("cx", "cx", BreakerResource.Connections), ("cx_pool", "cx_pools", BreakerResource.Pools), ("rq", "rq", BreakerResource.Requests),
        ("rq_pending", "pending", BreakerResource.Pending), ("rq_retry", "retries", BreakerResource.Retries),
    ];

    /// <summary>What one priority has in use.</summary>
    public Use Of(RoutePriority priority) => priority == RoutePriority.High ? _high : _default;

    /// <summary>Numbers in use for one priority.</summary>
    public sealed class Use
    {
        private int _connections, _pending, _requests, _retries, _pools;
        private byte _used;

        /// <summary>Connections.</summary>
        public int Connections => Volatile.Read(ref _connections);

        /// <summary>Requests waiting.</summary>
        public int Pending => Volatile.Read(ref _pending);

        /// <summary>Requests in flight.</summary>
        public int Requests => Volatile.Read(ref _requests);

        /// <summary>Retries in flight.</summary>
        public int Retries => Volatile.Read(ref _retries);

        /// <summary>True once the resource was taken: what was never used is not told.</summary>
        internal bool WasUsed(BreakerResource resource) => (_used >> (int)resource & 1) != 0;

        /// <summary>True where nothing more may be taken.</summary>
        internal bool IsOpen(BreakerResource resource, BreakerLimits limits) => Remaining(resource, limits) == 0;

        /// <summary>How many more may be taken.</summary>
        internal long Remaining(BreakerResource resource, BreakerLimits limits)
        {
            // No limit on pools is a limit of 2^64 - 1, of which statistics tell what is left.
            if (resource == BreakerResource.Pools && limits.MaxPools == uint.MaxValue)
                return unchecked((long)(ulong.MaxValue - (ulong)Volatile.Read(ref _pools)));
            (long limit, long inUse) = resource switch
            {
                BreakerResource.Connections => (limits.MaxConnections, Connections),
                BreakerResource.Pools => (limits.MaxPools, Volatile.Read(ref _pools)),
                BreakerResource.Requests => (limits.MaxRequests, Requests),
                BreakerResource.Pending => (limits.MaxPending, Pending),
                _ => ((long)RetriesMax(limits), Retries),
            };
            return Math.Max(0, limit - inUse);
        }

        private void Mark(BreakerResource resource)
        {
            // Lost when two workers mark at once; the next use marks again.
            if ((_used & 1 << (int)resource) == 0)
                _used |= (byte)(1 << (int)resource);
        }

        /// <summary>A pool began or ended.</summary>
        public void CountPool(int change)
        {
            Mark(BreakerResource.Pools);
            if (change != 0)
                Interlocked.Add(ref _pools, change);
        }

        /// <summary>Takes one where fewer than <paramref name="limit"/> are in use.</summary>
        public bool TryConnection(uint limit) => Try(ref _connections, limit, BreakerResource.Connections);

        /// <summary>Takes one whatever the limit says: each host may have its first connection.</summary>
        public void ForceConnection()
        {
            Mark(BreakerResource.Connections);
            Interlocked.Increment(ref _connections);
        }

        /// <summary>Gives one back.</summary>
        public void FreeConnection() => Interlocked.Decrement(ref _connections);

        /// <summary>Takes one where fewer are in use.</summary>
        public bool TryPending(uint limit) => Try(ref _pending, limit, BreakerResource.Pending);

        /// <summary>Gives one back.</summary>
        public void FreePending() => Interlocked.Decrement(ref _pending);

        /// <summary>Takes one where fewer are in use.</summary>
        public bool TryRequest(uint limit) => Try(ref _requests, limit, BreakerResource.Requests);

        /// <summary>Gives one back.</summary>
        public void FreeRequest() => Interlocked.Decrement(ref _requests);

        /// <summary>Takes one where the number, or the budget, allows.</summary>
        public bool TryRetry(BreakerLimits limits) => Try(ref _retries, RetriesMax(limits), BreakerResource.Retries);

        private uint RetriesMax(BreakerLimits limits) =>
            limits.Budget is { } budget
                ? Math.Max(budget.MinimumConcurrency, (uint)((Requests + Pending) * budget.Percent / 100.0)) : limits.MaxRetries;

        /// <summary>Gives one back.</summary>
        public void FreeRetry() => Interlocked.Decrement(ref _retries);

        private bool Try(ref int count, uint limit, BreakerResource resource)
        {
            Mark(resource);
            if ((uint)Interlocked.Increment(ref count) <= limit)
                return true;
            Interlocked.Decrement(ref count);
            return false;
        }
    }
}

/// <summary>What circuit breakers limit.</summary>
internal enum BreakerResource : byte
{
    Connections,
    Pools,
    Requests,
    Pending,
    Retries,
}
