using Lateen.Proxy.Net;

namespace Lateen.Proxy.Clusters.Balancing;

/// <summary>What a request says to the balancer. Embedded in who asks, filled anew for each pick.</summary>
public abstract class PickInputs
{
    /// <summary>There is a hash.</summary>
    public bool HasHash { get; set; }

    /// <summary>The hash of the request's policies.</summary>
    public ulong Hash { get; set; }

    /// <summary>The subset that the route wants; null for none.</summary>
    public SubsetCriteria? Criteria { get; set; }

    /// <summary>Hosts that shall be taken if they are there, first preferred; empty for none.</summary>
    public List<Address> Overrides { get; } = [];

    /// <summary>No other host than an override.</summary>
    public bool OverrideStrictly { get; set; }

    /// <summary>Shares of the priorities in place of the cluster's (retry priorities); null for those.</summary>
    public PriorityLoad? Load { get; set; }

    /// <summary>How often a host may be refused before the last one is taken all the same.</summary>
    public int AttemptsMax { get; set; } = 1;

    /// <summary>The name and port that the request is meant for (dynamic forward proxy); empty for none.</summary>
    public virtual string ForwardName(bool secure, out int port)
    {
        port = 0;
        return "";
    }

    /// <summary>True where this host shall not be taken while there are others.</summary>
    public abstract bool Rejects(Host host);
}
