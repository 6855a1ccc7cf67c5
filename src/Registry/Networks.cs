using System.Net;
using Istio.Mesh.V1Alpha1;

namespace Lateen.Registry;

/// <summary>In which network something is: by its label, else by its cluster's system namespace, else by the networks file.</summary>
internal sealed class Networks
{
    /// <summary>Label of pods, namespaces and gateway Services.</summary>
    public const string Label = "topology.istio.io/network";

    private readonly Dictionary<string, string> _byCluster = [];
    private readonly List<(IPNetwork Range, string Network)> _ranges = [];
    private readonly Dictionary<string, string> _systemNetwork;

    public Networks(MeshNetworks? networks, Dictionary<string, string> systemNetwork)
    {
        _systemNetwork = systemNetwork;
        foreach (var (name, network) in networks?.Networks ?? [])
        {
            foreach (var endpoints in network.Endpoints)
            {
                if (endpoints.NeCase == Network.Types.NetworkEndpoints.NeOneofCase.FromRegistry) _byCluster[endpoints.FromRegistry] = name;
                else if (IPNetwork.TryParse(endpoints.FromCidr, out var range)) _ranges.Add((range, name));
            }
        }
        // The narrowest range that contains an address decides.
        _ranges.Sort((left, right) => right.Range.PrefixLength.CompareTo(left.Range.PrefixLength));
    }

    public string Of(string cluster, string address, string? label)
    {
        if (!string.IsNullOrEmpty(label)) return label;
        if (_systemNetwork.TryGetValue(cluster, out var system)) return system;
        if (_byCluster.TryGetValue(cluster, out var named)) return named;
        if (_ranges.Count == 0 || !IPAddress.TryParse(address, out var parsed)) return "";
        foreach (var (range, network) in _ranges)
        {
            if (range.Contains(parsed)) return network;
        }
        return "";
    }
}
