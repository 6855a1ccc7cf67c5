namespace Lateen.Proxy.Clusters;

/// <summary>What a cluster has in use, over all workers, for both priorities. Counting is atomic, and left out where there is no limit and nothing asks for the number.</summary>
public sealed class Breakers
{
    private readonly Use _default = new(), _high = new();

    /// <summary>What one priority has in use.</summary>
    public Use Of(RoutePriority priority) => priority == RoutePriority.High ? _high : _default;

    /// <summary>Numbers in use for one priority.</summary>
    public sealed class Use
    {
        private int _connections, _pending, _requests, _retries;

        /// <summary>Connections.</summary>
        public int Connections => Volatile.Read(ref _connections);

        /// <summary>Requests waiting.</summary>
        public int Pending => Volatile.Read(ref _pending);

        /// <summary>Requests in flight.</summary>
        public int Requests => Volatile.Read(ref _requests);

        /// <summary>Retries in flight.</summary>
        public int Retries => Volatile.Read(ref _retries);

        /// <summary>Takes one where fewer than <paramref name="limit"/> are in use.</summary>
        public bool TryConnection(uint limit) => Try(ref _connections, limit);

        /// <summary>Takes one whatever the limit says: each host may have its first connection.</summary>
        public void ForceConnection() => Interlocked.Increment(ref _connections);

        /// <summary>Gives one back.</summary>
        public void FreeConnection() => Interlocked.Decrement(ref _connections);

        /// <summary>Takes one where fewer are in use.</summary>
        public bool TryPending(uint limit) => Try(ref _pending, limit);

        /// <summary>Gives one back.</summary>
        public void FreePending() => Interlocked.Decrement(ref _pending);

        /// <summary>Takes one where fewer are in use.</summary>
        public bool TryRequest(uint limit) => Try(ref _requests, limit);

        /// <summary>Gives one back.</summary>
        public void FreeRequest() => Interlocked.Decrement(ref _requests);

        /// <summary>Takes one where the number, or the budget, allows.</summary>
        public bool TryRetry(BreakerLimits limits)
        {
            uint limit = limits.MaxRetries;
            if (limits.Budget is { } budget)
                limit = Math.Max(budget.MinimumConcurrency, (uint)((Requests + Pending) * budget.Percent / 100.0));
            return Try(ref _retries, limit);
        }

        /// <summary>Gives one back.</summary>
        public void FreeRetry() => Interlocked.Decrement(ref _retries);

        private static bool Try(ref int count, uint limit)
        {
            if ((uint)Interlocked.Increment(ref count) <= limit)
                return true;
            Interlocked.Decrement(ref count);
            return false;
        }
    }
}
