using System.Globalization;
using System.Text;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Scope;
using Lateen.Registry;

namespace Lateen.ControlPlane.Operator;

/// <summary>Mutual TLS as people ask for it: which modes a workload's sidecar takes, and which PeerAuthentication says so.</summary>
public static class PeerPlaces
{
    private const string Endpoints = ", endpoints: ";

    /// <summary>The policies that say what the endpoints of a decision take, each once; null stands for endpoints of which none
    /// speaks.</summary>
    /// <param name="balanced">The decision of the station Balance, with the endpoints' addresses.</param>
    /// <param name="snapshot">What is meant now.</param>
    public static IReadOnlyList<Origin?> Deciding(string balanced, MeshSnapshot snapshot)
    {
        int at = balanced.IndexOf(Endpoints, StringComparison.Ordinal);
        if (at < 0) return [];
        return [.. balanced[(at + Endpoints.Length)..].Split(", ").SelectMany(told => Deciding(told.Split(' ')[0], snapshot.Registry,
            snapshot.Policies)).Distinct()];
    }

    private static IEnumerable<Origin?> Deciding(string address, RegistryView registry, PolicyIndex policies)
    {
        int colon = address.LastIndexOf(':');
        if (colon < 0 || !int.TryParse(address[(colon + 1)..], CultureInfo.InvariantCulture, out int port)
            || !registry.WorkloadsByAddress.TryGetValue(address[..colon].Trim('[', ']'), out var workloads)) return [];
        return workloads.Select(one => PeerAuthenticationRules.Deciding(policies, one.Namespace, one.Labels, port)?.Origin);
    }

    /// <summary>What a sidecar takes: its mode, and ports of which another is said. Null for proxies that are no sidecars.</summary>
    public static string? ModesOf(ProxyNode node, PolicyIndex policies)
    {
        if (node.Type != ProxyType.Sidecar) return null;
        MtlsMode mode = PeerAuthenticationRules.ModeFor(policies, node.Namespace, node.Labels, port: 0);
        var text = new StringBuilder(Word(mode));
        IEnumerable<uint> ports = PeerAuthenticationRules.Selecting(policies, node.Namespace, node.Labels)?.Spec.PortLevelMtls.Keys ?? [];
        foreach (uint port in ports.Order())
        {
            MtlsMode ofPort = PeerAuthenticationRules.ModeFor(policies, node.Namespace, node.Labels, (int)port);
            if (ofPort != mode) text.Append(CultureInfo.InvariantCulture, $", {port} {Word(ofPort)}");
        }
        return text.ToString();
    }

    // As it is written in YAML.
    private static string Word(MtlsMode mode) => mode.ToString().ToUpperInvariant();
}
