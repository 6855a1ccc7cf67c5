using Lateen.Proxy.Clusters;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Upstream.Calls;

/// <summary>Where side calls go and how: published with the filter that makes them, shared by all workers.</summary>
/// <param name="Upstreams">The workers' upstream sides.</param>
/// <param name="Cluster">The cluster; it may become known later.</param>
public sealed record SideTarget(Upstreams Upstreams, ClusterHandle Cluster)
{
    /// <summary>From the beginning to the whole answer, retries included; 0 for no limit.</summary>
    public long TimeoutMicros { get; init; }

    /// <summary>The largest body that is taken.</summary>
    public int BodyBytesMax { get; init; } = 1 << 20;

    /// <summary>When and how often it is tried again; null for never.</summary>
    public RetryPolicy? Retry { get; init; }

    /// <summary>Our own address for x-forwarded-for; kind None tells none.</summary>
    public Address OwnAddress { get; init; }
}
