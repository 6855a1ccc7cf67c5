using System.Globalization;

namespace Lateen.Pilot.Generation.Clusters;

/// <summary>Names of clusters, which routes, statistics and tools rely on.</summary>
public static class ClusterNames
{
    /// <summary>Where traffic goes that must go nowhere.</summary>
    public const string BlackHole = "BlackHoleCluster";

    /// <summary>Outbound traffic to what the mesh does not know.</summary>
    public const string Passthrough = "PassthroughCluster";

    /// <summary>Inbound traffic on ports that no service declares.</summary>
    public const string InboundPassthrough = "InboundPassthroughCluster";

    /// <summary>Outbound traffic to unknown hosts, resolved by name.</summary>
    public const string AllowAnyDynamicDns = "AllowAnyDynamicDNSCluster";

    /// <summary>Cluster of a service port, or of a subset of it.</summary>
    public static string Outbound(int port, string subset, string hostname) =>
        string.Create(CultureInfo.InvariantCulture, $"outbound|{port}|{subset}|{hostname}");

    /// <summary>Cluster of a port of the workload itself.</summary>
    public static string Inbound(int port) => string.Create(CultureInfo.InvariantCulture, $"inbound|{port}||");

    /// <summary>Direction of the clusters of services behind a waypoint.</summary>
    public const string InboundVipDirection = "inbound-vip";

    /// <summary>Cluster of a service behind a waypoint.</summary>
    /// <param name="port">Service port.</param>
    /// <param name="reading">How the waypoint reads the connection: <c>http</c> or <c>tcp</c>.</param>
    /// <param name="subset">Subset; empty for the whole service.</param>
    /// <param name="hostname">Host.</param>
    public static string InboundVip(int port, string reading, string subset, string hostname) =>
        string.Create(CultureInfo.InvariantCulture,
            $"{InboundVipDirection}|{port}|{reading}{(subset.Length == 0 ? "" : "/" + subset)}|{hostname}");

    /// <summary>SNI of mesh TLS to a service port, and the cluster of that SNI in AUTO_PASSTHROUGH gateways.</summary>
    public static string Sni(int port, string subset, string hostname) =>
        string.Create(CultureInfo.InvariantCulture, $"outbound_.{port}_.{subset}_.{hostname}");

    /// <summary>Takes a cluster name (either form) apart; null when it is neither.</summary>
    public static (string Direction, int Port, string Subset, string Hostname, bool IsSni)? Parse(string name)
    {
        var isSni = name.StartsWith("outbound_.", StringComparison.Ordinal);
        var parts = isSni ? name.Split("_.", 4) : name.Split('|', 4);
        if (parts.Length != 4 || !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var port)) return null;
        return (parts[0], port, parts[2], parts[3], isSni);
    }
}
