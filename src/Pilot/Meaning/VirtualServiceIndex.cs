using System.Collections.Frozen;
using System.Collections.Immutable;
using Istio.Networking.V1Alpha3;

namespace Lateen.Pilot.Meaning;

/// <summary>VirtualServices by gateway and by who may see them. Hosts, gateways and destinations are fully qualified, delegates
/// expanded.</summary>
public sealed record VirtualServiceIndex
{
    /// <summary>Name of the gateway that stands for all sidecars.</summary>
    public const string MeshGateway = "mesh";

    /// <summary>Visible to everybody, by gateway (<c>mesh</c> or <c>namespace/name</c>), oldest first.</summary>
    public required FrozenDictionary<string, ImmutableArray<Meant<VirtualService>>> PublicByGateway { get; init; }

    /// <summary>Visible to their own namespace alone, by (namespace, gateway).</summary>
    public required FrozenDictionary<(string Namespace, string Gateway),
        ImmutableArray<Meant<VirtualService>>> PrivateByNamespace { get; init; }

    /// <summary>Exported to namespaces by name, by (namespace, gateway).</summary>
    public required FrozenDictionary<(string Namespace, string Gateway),
        ImmutableArray<Meant<VirtualService>>> ExportedToNamespace { get; init; }

    /// <summary>Delegates by <c>namespace/name</c> of the root that took them in.</summary>
    public required FrozenDictionary<string, ImmutableArray<string>> DelegatesOf { get; init; }

    /// <summary>All of them; one for several gateways or audiences comes several times.</summary>
    public IEnumerable<Meant<VirtualService>> All() =>
        PublicByGateway.Values.Concat(PrivateByNamespace.Values).Concat(ExportedToNamespace.Values).SelectMany(static rules => rules);

    /// <summary>The VirtualServices that a namespace sees at a gateway: private, exported to it, public.</summary>
    public IEnumerable<Meant<VirtualService>> VisibleTo(string ns, string gateway)
    {
        if (PrivateByNamespace.TryGetValue((ns, gateway), out var own))
        {
            foreach (var rule in own) yield return rule;
        }
        if (ExportedToNamespace.TryGetValue((ns, gateway), out var exported))
        {
            foreach (var rule in exported) yield return rule;
        }
        if (PublicByGateway.TryGetValue(gateway, out var open))
        {
            foreach (var rule in open) yield return rule;
        }
    }
}
