// Names: the table from which a proxy's agent answers DNS queries of the application. One resource for a proxy; the agent
// derives the short forms of names from it by its own search domains.
//
// State: the generator's cache. A table depends on the imports of the proxy, on the endpoints of headless services and on
// where the proxy is; it never holds what the proxy may not see.
using System.Net;
using Istio.Networking.Nds.V1;
using Lateen.Registry;

namespace Lateen.Pilot.Generation.Names;

/// <summary>Where the asking proxy is.</summary>
/// <param name="Cluster">Cluster id; empty when unknown.</param>
/// <param name="Network">Network; empty when unknown.</param>
/// <param name="SpansClusters">Headless services answer with the pods of all clusters.</param>
public sealed record NameClient(string Cluster, string Network, bool SpansClusters);

/// <summary>Builds name tables.</summary>
public static class NameTables
{
    private const string ClusterSetSuffix = ".clusterset.local";

    /// <summary>The table of these services, in their order.</summary>
    /// <param name="services">Visible services.</param>
    /// <param name="addresses">Virtual addresses of a service as the proxy sees them.</param>
    /// <param name="endpoints">Endpoints of a service.</param>
    /// <param name="client">Where the proxy is.</param>
    public static NameTable Build(
        IEnumerable<Service> services, Func<Service, IReadOnlyList<string>> addresses, Func<Service, IReadOnlyList<Endpoint>> endpoints,
        NameClient client)
    {
        var table = new NameTable();
        foreach (var service in services)
        {
            var found = addresses(service);
            var ips = found is [Service.UnspecifiedAddress] or ["::"] or []
                ? Headless(table, service, endpoints(service), client)
                : [.. found.Where(address => IPAddress.TryParse(address, out _))];
            if (ips.Count > 0) Add(table, service, ips);
        }
        return table;
    }

    // Kubernetes shadows entries of the same name; entries of one name answer together.
    private static void Add(NameTable table, Service service, List<string> ips)
    {
        if (table.Table.TryGetValue(service.Hostname, out var existing))
        {
            if (existing.Registry == "Kubernetes") return;
            if (service.Source != ServiceSource.Kubernetes)
            {
                existing.Ips.Add(ips.Where(address => !existing.Ips.Contains(address)).ToList());
                return;
            }
        }
        table.Table[service.Hostname] = Entry(service, service.Name, ips);
    }

    private static NameTable.Types.NameInfo Entry(Service service, string shortName, IEnumerable<string> ips)
    {
        var entry = new NameTable.Types.NameInfo
        {
            Registry = service.Source == ServiceSource.Kubernetes ? "Kubernetes" : "External",
            Ips = { ips },
        };
        if (service.Source == ServiceSource.Kubernetes && !service.Hostname.EndsWith(ClusterSetSuffix, StringComparison.Ordinal))
        {
            entry.Namespace = service.Namespace;
            entry.Shortname = shortName;
        }
        return entry;
    }

    /// <summary>A service without address answers with its pods; pods that have a name of their own get a record of their own.</summary>
    private static List<string> Headless(NameTable table, Service service, IReadOnlyList<Endpoint> endpoints, NameClient client)
    {
        var hasPods = service.Source == ServiceSource.Kubernetes || service.Selector.Count > 0;
        if (service.Resolution != ServiceResolution.Passthrough || !hasPods) return [];
        var ips = new List<string>();
        foreach (var port in service.Ports)
        {
            foreach (var endpoint in endpoints)
            {
                if (endpoint.PortName != port.Name || endpoint.Health is not (EndpointHealth.Healthy or EndpointHealth.Unknown)) continue;
                var own = endpoint.Addresses.Where(address => IPAddress.TryParse(address, out _)).ToList();
                if (own.Count == 0) continue;
                var isNear = Agrees(endpoint.ClusterId, client.Cluster);
                AddPod(table, service, endpoint, own, isNear);
                var spans = client.SpansClusters && service.Source == ServiceSource.Kubernetes;
                var counts = (isNear || spans) && Agrees(endpoint.Network, client.Network);
                if (counts) ips.AddRange(own.Where(address => !ips.Contains(address)));
            }
            // Every port has the same pods: the first that has any tells them all.
            if (ips.Count > 0) break;
        }
        return ips;
    }

    private static void AddPod(NameTable table, Service service, Endpoint endpoint, List<string> ips, bool isNear)
    {
        var dot = service.Hostname.IndexOf('.', StringComparison.Ordinal);
        if (endpoint.PodHostname.Length == 0 || endpoint.PodSubdomain.Length == 0 || dot < 0) return;
        var shortName = $"{endpoint.PodHostname}.{endpoint.PodSubdomain}";
        var host = shortName + service.Hostname[dot..];
        // Pods of stateful sets have the same names in every cluster: the near one is meant.
        if (!table.Table.ContainsKey(host) || isNear) table.Table[host] = Entry(service, shortName, ips);
    }

    private static bool Agrees(string one, string other) => one.Length == 0 || other.Length == 0 || one == other;
}
