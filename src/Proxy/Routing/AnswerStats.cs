using Lateen.Proxy.Http;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Routing;

/// <summary>What is counted of a route, or of a virtual cluster: <c>vhost.HOST.route.NAME.</c>, <c>vhost.HOST.vcluster.NAME.</c>.</summary>
public sealed class AnswerStats
{
    /// <summary>Names, in the order of <see cref="AnswerStat"/>.</summary>
    private static readonly StatSchema Schema =
        StatSchema.Of<AnswerStat>(s => s == AnswerStat.UpstreamRqTime ? StatKind.Histogram : StatKind.Counter);

    private readonly StatGroup _group;
    private readonly StatusCodes _codes;

    /// <summary>Counters under a prefix.</summary>
    public AnswerStats(StatStore store, string prefix)
    {
        _group = store.Group(prefix, Schema);
        _codes = store.Codes(prefix);
    }

    /// <summary>Counts, on a worker.</summary>
    public void Count(int worker, AnswerStat stat) => _group.Of(worker).Count((int)stat);

    /// <summary>Counts an answer.</summary>
    public void CountAnswer(int worker, int status) => _codes.Count(worker, status);

    /// <summary>Records how long an answer took, in milliseconds.</summary>
    public void Record(int worker, long millis) => _group.Of(worker).Record((int)AnswerStat.UpstreamRqTime, millis);
}

/// <summary>Counters of <see cref="AnswerStats"/>.</summary>
public enum AnswerStat : byte
{
    UpstreamRqRetry,
    UpstreamRqRetryLimitExceeded,
    UpstreamRqRetryOverflow,
    UpstreamRqRetrySuccess,
    UpstreamRqTimeout,
    UpstreamRqTotal,
    UpstreamRqTime,
}

/// <summary>A class of requests of a virtual host that is counted apart.</summary>
/// <param name="Name">Its name; "other" for those that belong to none.</param>
/// <param name="Headers">All must hold.</param>
/// <param name="Stats">Its counters.</param>
public sealed record VirtualCluster(string Name, IReadOnlyList<HeaderMatch> Headers, AnswerStats? Stats)
{
    /// <summary>True where a request belongs to it.</summary>
    public bool Holds(HeaderMap head)
    {
        for (int i = 0; i < Headers.Count; i++)
        {
            if (!Headers[i].Matches(head))
                return false;
        }
        return true;
    }
}
