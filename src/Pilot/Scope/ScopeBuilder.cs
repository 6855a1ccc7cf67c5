using System.Collections.Immutable;
using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Scope.Clients;
using Lateen.Pilot.Scope.Gateways;
using Lateen.Registry;

namespace Lateen.Pilot.Scope;

/// <summary>Makes the scopes of one snapshot and remembers the parts that proxies share.</summary>
public sealed class ScopeBuilder
{
    private readonly Dictionary<(string Namespace, Meant<Sidecar>? Sidecar, bool IsGateway), SidecarScope> _imports = [];
    private readonly ScopeBuilder? _previous;
    private readonly MeshSnapshot? _followed;
    private readonly TargetIndex _targets;
    private readonly ClientScopes _clients;

    /// <summary>A builder for a snapshot.</summary>
    /// <param name="snapshot">Snapshot.</param>
    /// <param name="previous">Builder of the snapshot before, whose imports are taken over where nothing changed for them.</param>
    public ScopeBuilder(MeshSnapshot snapshot, ScopeBuilder? previous = null)
    {
        Snapshot = snapshot;
        // Imports depend on these indexes alone; endpoints and policies change without them.
        var last = previous?.Snapshot;
        var isSame = last is not null && ReferenceEquals(last.Services, snapshot.Services)
            && ReferenceEquals(last.VirtualServices, snapshot.VirtualServices)
            && ReferenceEquals(last.DestinationRules, snapshot.DestinationRules) && ReferenceEquals(last.Settings, snapshot.Settings);
        _previous = isSame ? new ScopeBuilder(previous!) : null;
        _followed = last is not null && DiffersInEndpointsAlone(last, snapshot) ? last : null;
        _targets = previous?._targets.IsOf(snapshot.Registry.Services) == true
            ? previous._targets : new TargetIndex(snapshot.Registry.Services);
        _clients = new ClientScopes(snapshot, previous?._clients);
    }

    // What a builder leaves to the next: its imports, without those of its own predecessor.
    private ScopeBuilder(ScopeBuilder left) =>
        (Snapshot, _imports, _targets, _clients) = (left.Snapshot, left._imports, left._targets, left._clients);

    /// <summary>The snapshot.</summary>
    public MeshSnapshot Snapshot { get; }

    /// <summary>What a proxy may see.</summary>
    /// <param name="node">The proxy.</param>
    /// <param name="before">What it might see before; null when that is not known.</param>
    public ProxyScope ScopeOf(ProxyNode node, ProxyScope? before = null)
    {
        var scope = before is not null && IsStill(before, node) ? before.Under(Snapshot) : Make(node);
        scope.Client = _clients.Of(scope, before);
        return scope;
    }

    private static bool DiffersInEndpointsAlone(MeshSnapshot last, MeshSnapshot now) =>
        ReferenceEquals(last.Settings, now.Settings) && ReferenceEquals(last.Services, now.Services)
        && ReferenceEquals(last.VirtualServices, now.VirtualServices) && ReferenceEquals(last.DestinationRules, now.DestinationRules)
        && ReferenceEquals(last.Gateways, now.Gateways) && ReferenceEquals(last.Credentials, now.Credentials)
        && ReferenceEquals(last.Sidecars, now.Sidecars) && ReferenceEquals(last.Policies, now.Policies)
        && ReferenceEquals(last.Telemetry, now.Telemetry) && ReferenceEquals(last.Extensions, now.Extensions)
        && last.Registry.Services == now.Registry.Services && ReferenceEquals(last.Registry.ByHost, now.Registry.ByHost)
        && ReferenceEquals(last.Registry.Namespaces, now.Registry.Namespaces) && ReferenceEquals(last.Registry.Nodes, now.Registry.Nodes)
        && last.Registry.NetworkGateways.AsSpan().SequenceEqual(now.Registry.NetworkGateways.AsSpan());

    // Sidecars alone: what a gateway is told of its servers looks at more.
    private bool IsStill(ProxyScope before, ProxyNode node) =>
        _followed is not null && ReferenceEquals(before.Snapshot, _followed) && ReferenceEquals(before.Node, node)
        && node.Type == ProxyType.Sidecar && ReferenceEquals(WorkloadOf(node), before.Workload) && ServesTheSame(node);

    private bool ServesTheSame(ProxyNode node)
    {
        var (last, now) = (_followed!.Registry, Snapshot.Registry);
        foreach (var address in node.Addresses)
        {
            var isServed = now.ServedAt.TryGetValue(address, out var keys);
            if (last.ServedAt.TryGetValue(address, out var before) != isServed || keys != before) return false;
            if (!isServed) continue;
            foreach (var key in keys)
            {
                if (!ReferenceEquals(last.EndpointsOf(key), now.EndpointsOf(key))) return false;
            }
        }
        return true;
    }

    private ProxyScope Make(ProxyNode node)
    {
        var workload = WorkloadOf(node);
        var labels = node.Labels.Count > 0 || workload is null ? node.Labels : workload.Labels;
        var locality = LocalityOf(node, labels, workload);
        var network = node.Metadata.Network.Length > 0 ? node.Metadata.Network : workload?.Network ?? "";
        var isGateway = node.Type != ProxyType.Sidecar;
        var targets = node.Type == ProxyType.Ztunnel ? [] : ServiceTargets.Of(Snapshot, _targets, node, workload, labels);
        return new ProxyScope
        {
            Snapshot = Snapshot,
            Node = node,
            Imports = ImportsOf(node.Namespace, isGateway ? null : SidecarOf(node.Namespace, labels), isGateway),
            AllTargets = targets,
            Targets = [.. targets.Where(target => target.Port.Protocol != Protocol.Udp)],
            Gateway = node.Type == ProxyType.Router
                ? GatewayMerger.Merge(Snapshot, node.VerifiedIdentity, labels, targets, node.Namespace) : null,
            Locality = locality,
            Labels = TopologyLabels.Add(labels, node.ClusterId, locality, node.Metadata.NodeName, network),
            Network = network,
            Workload = workload,
        };
    }

    private SidecarScope ImportsOf(string ns, Meant<Sidecar>? sidecar, bool isGateway)
    {
        var key = (ns, sidecar, isGateway);
        if (_imports.TryGetValue(key, out var known)) return known;
        if (_previous is null || !_previous._imports.TryGetValue(key, out var made))
        {
            made = isGateway ? SidecarImports.OfGateway(Snapshot, ns) : SidecarImports.Of(Snapshot, ns, sidecar);
        }
        _imports.Add(key, made);
        return made;
    }

    /// <summary>The Sidecar resource of a workload: selected by labels, else of its namespace, else of the mesh.</summary>
    private Meant<Sidecar>? SidecarOf(string ns, IReadOnlyDictionary<string, string> labels)
    {
        var index = Snapshot.Sidecars;
        foreach (var candidate in index.Selected.GetValueOrDefault(ns, []))
        {
            if (candidate.Spec.WorkloadSelector.Labels.All(pair => labels.TryGetValue(pair.Key, out var value) && value == pair.Value))
                return candidate;
        }
        return index.NamespaceDefault.GetValueOrDefault(ns) ?? index.MeshDefault;
    }

    private Workload? WorkloadOf(ProxyNode node)
    {
        foreach (var address in node.Addresses)
        {
            if (!Snapshot.Registry.WorkloadsByAddress.TryGetValue(address, out var workloads)) continue;
            var own = workloads.FirstOrDefault(workload => workload.ClusterId == node.ClusterId && workload.Namespace == node.Namespace
                && (workload.IsEntry || node.Metadata.Name.Length == 0 || workload.Name == node.Metadata.Name));
            if (own is not null) return own;
        }
        return null;
    }

    private Locality LocalityOf(ProxyNode node, IReadOnlyDictionary<string, string> labels, Workload? workload)
    {
        if (TopologyLabels.OfWorkload(labels) is { } labelled) return labelled;
        if (!node.Locality.IsNone) return node.Locality;
        if (workload is not null && !workload.Locality.IsNone) return workload.Locality;
        return Snapshot.Registry.Nodes.GetValueOrDefault((node.ClusterId, node.Metadata.NodeName));
    }
}
