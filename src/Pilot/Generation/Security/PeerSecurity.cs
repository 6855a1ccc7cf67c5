using Envoy.Extensions.TransportSockets.Tls.V3;
using Istio.Security.V1Beta1;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Meaning;
using Lateen.Registry;
using Mode = Istio.Security.V1Beta1.PeerAuthentication.Types.MutualTLS.Types.Mode;

namespace Lateen.Pilot.Generation.Security;

/// <summary>Mutual TLS that a workload demands, for all ports and for some.</summary>
/// <param name="Default">Ports without a mode of their own.</param>
/// <param name="Ports">Modes by workload port.</param>
public sealed record PeerDemands(MtlsMode Default, IReadOnlyDictionary<int, MtlsMode> Ports)
{
    /// <summary>The mode of a workload port.</summary>
    public MtlsMode For(int port) => Ports.GetValueOrDefault(port, Default);

    /// <summary>Combines the PeerAuthentications that select a workload: mesh, namespace, workload; of each level the oldest
    /// counts.</summary>
    /// <param name="policies">Policies of the root namespace and the workload's namespace that select the workload.</param>
    /// <param name="rootNamespace">Root namespace.</param>
    public static PeerDemands Compose(IEnumerable<Meant<PeerAuthentication>> policies, string rootNamespace)
    {
        ArgumentNullException.ThrowIfNull(policies);
        Meant<PeerAuthentication>? mesh = null, ns = null, workload = null;
        foreach (var policy in policies)
        {
            // Only the mesh-wide and namespace-wide form have no selector; a root policy with selector counts for nothing.
            if (policy.Spec.Selector is { MatchLabels.Count: > 0 })
            {
                if (policy.Origin.Namespace != rootNamespace) workload = Older(workload, policy);
            }
            else if (policy.Origin.Namespace == rootNamespace) mesh = Older(mesh, policy);
            else ns = Older(ns, policy);
        }
        var mode = MtlsMode.Permissive;
        foreach (var level in new[] { mesh, ns, workload })
        {
            if (level is not null) mode = Read(level.Spec.Mtls?.Mode ?? Mode.Unset, mode);
        }
        var ports = new SortedDictionary<int, MtlsMode>();
        foreach (var (port, demand) in workload?.Spec.PortLevelMtls ?? [])
        {
            ports[(int)port] = Read(demand?.Mode ?? Mode.Unset, mode);
        }
        return new PeerDemands(mode, ports);
    }

    private static Meant<PeerAuthentication> Older(Meant<PeerAuthentication>? known, Meant<PeerAuthentication> other) =>
        known is null || other.Origin.Created < known.Origin.Created ? other : known;

    private static MtlsMode Read(Mode mode, MtlsMode inherited) => mode switch
    {
        Mode.Disable => MtlsMode.Disable,
        Mode.Permissive => MtlsMode.Permissive,
        Mode.Strict => MtlsMode.Strict,
        _ => inherited,
    };
}

/// <summary>Mutual TLS settings of one inbound port.</summary>
/// <param name="Port">Workload port; 0 for all others.</param>
/// <param name="Mode">Mode.</param>
/// <param name="Tcp">Context of opaque chains; null without mTLS.</param>
/// <param name="Http">Context of HTTP chains; null without mTLS.</param>
internal sealed record PortMtls(int Port, MtlsMode Mode, DownstreamTlsContext? Tcp, DownstreamTlsContext? Http);

/// <summary>Mutual TLS of one proxy.</summary>
internal sealed class PeerSecurity
{
    private readonly ProxyInputs _inputs;
    private readonly PeerDemands _demands;
    private readonly IReadOnlyList<string> _trustDomains;

    public PeerSecurity(ProxyInputs inputs)
    {
        _inputs = inputs;
        var settings = inputs.Scope.Snapshot.Settings;
        var policies = WorkloadPolicies.PeerAuthentications(inputs.Scope.Snapshot.Policies, inputs.Node.Namespace, settings.RootNamespace,
            inputs.Scope.Labels);
        _demands = PeerDemands.Compose(policies, settings.RootNamespace);
        var skips = inputs.Features.Flag("PILOT_SKIP_VALIDATE_TRUST_DOMAIN", false);
        _trustDomains = skips ? [] : TrustDomains.Accepted(inputs.Mesh);
    }

    /// <summary>Settings of a workload port.</summary>
    public PortMtls For(int port) => Of(port, _demands.For(port));

    /// <summary>Settings of the chains for ports that no service declares: the default, then the ports that differ from it in being
    /// named.</summary>
    public IEnumerable<PortMtls> ForUndeclared(IReadOnlySet<int> declared)
    {
        yield return Of(0, _demands.Default);
        foreach (var port in _demands.Ports.Keys.Where(p => !declared.Contains(p)).Order()) yield return Of(port, _demands.Ports[port]);
    }

    private PortMtls Of(int port, MtlsMode mode)
    {
        if (mode == MtlsMode.Disable) return new PortMtls(port, mode, null, null);
        var compliance = _inputs.Features.CompliancePolicy;
        var exchanges = _inputs.Features.MetadataExchange && !_inputs.Features.DisableMetadataExchangeAlpn;
        return new PortMtls(
            port, mode,
            TlsContexts.Inbound(_inputs.Node, _inputs.Mesh, _trustDomains, TlsUse.Tcp, compliance, exchanges),
            TlsContexts.Inbound(_inputs.Node, _inputs.Mesh, _trustDomains, TlsUse.Http, compliance));
    }
}

/// <summary>Trust domains.</summary>
public static class TrustDomains
{
    /// <summary>Those whose peers are let in: the own one, its aliases, those of additional trust anchors.</summary>
    public static IReadOnlyList<string> Accepted(Istio.Mesh.V1Alpha1.MeshConfig mesh)
    {
        ArgumentNullException.ThrowIfNull(mesh);
        return new[] { mesh.TrustDomain }.Concat(mesh.TrustDomainAliases).Concat(mesh.CaCertificates.SelectMany(static c => c.TrustDomains))
            .Where(static d => d.Length > 0).Distinct().ToList();
    }
}
