using System.Runtime.CompilerServices;
using Istio.Security;
using Istio.Workload;
using Lateen.Pilot.Meaning;
using Lateen.Registry;
using Service = Istio.Workload.Service;

namespace Lateen.Pilot.Generation.Workloads;

/// <summary>All messages of one snapshot: made once for it, and shared by everybody who asks.</summary>
internal sealed class AmbientView
{
    private const string NetworkLabel = "topology.istio.io/network";
    private static readonly ConditionalWeakTable<MeshSnapshot, AmbientView> Made = [];

    private AmbientView(MeshSnapshot snapshot)
    {
        Policies = PoliciesOf(snapshot);
        if (snapshot.Registry.Sources.Count == 0) return;
        var source = snapshot.Registry.Sources[0];
        var world = WorldOf(snapshot, source);
        Waypoints = world.Waypoints;
        if (world.AdmitsWaypoints)
            Policies = [.. Policies, .. Waypoints.Values.Select(waypoint => WaypointPolicies.Of(waypoint, snapshot.Settings.TrustDomain))
                .OfType<Authorization>()];
        var services = new AmbientServices(world);
        Services = Canonical([.. source.Services.Select(services.Of).OfType<AmbientService>(),
            .. source.ServiceEntries.SelectMany(services.Of)]);
        Shared = Services.Where(static service => service.IsGlobal).Select(static service => service.Key).ToHashSet();
        var workloads = new AmbientWorkloads(world with { Services = Services });
        Workloads =
        [
            .. source.Pods.Select(workloads.Of).OfType<Istio.Workload.Workload>(), .. source.WorkloadEntries.Select(workloads.Of),
            .. source.ServiceEntries.SelectMany(workloads.Of),
            .. source.EndpointSlices.SelectMany(workloads.Of),
        ];
    }

    /// <summary>Services.</summary>
    public IReadOnlyList<AmbientService> Services { get; } = [];

    /// <summary>Those of them that all clusters share, as <c>namespace/hostname</c>.</summary>
    public IReadOnlySet<string> Shared { get; } = new HashSet<string>();

    /// <summary>Workloads.</summary>
    public IReadOnlyList<Istio.Workload.Workload> Workloads { get; } = [];

    /// <summary>Policies for node proxies.</summary>
    public IReadOnlyList<Authorization> Policies { get; } = [];

    /// <summary>Waypoints that are ready, by <c>namespace/name</c>.</summary>
    public IReadOnlyDictionary<string, Waypoint> Waypoints { get; } = new Dictionary<string, Waypoint>();

    /// <summary>The messages of a snapshot.</summary>
    public static AmbientView Of(MeshSnapshot snapshot) => Made.GetValue(snapshot, static made => new AmbientView(made));

    private static List<Authorization> PoliciesOf(MeshSnapshot snapshot)
    {
        var index = snapshot.Policies;
        var root = index.RootNamespace;
        var written = index.AuthorizationPolicies.Values.SelectMany(static policies => policies)
            .Select(policy => NodePolicies.Of(policy.Spec, policy.Origin.Namespace, policy.Origin.Name, root));
        var peers = index.PeerAuthentications.Values.SelectMany(static policies => policies).ToList();
        var demanded = peers.Select(
            policy => NodePeerPolicies.Of(policy.Spec, policy.Origin.Namespace, policy.Origin.Name, index.ModeOf(policy.Origin.Namespace),
                root));
        var all = written.Concat(demanded).OfType<Authorization>();
        if (peers.Count > 0) all = all.Append(NodePeerPolicies.Strict(root));
        return [.. all.OrderBy(static policy => $"{policy.Namespace}/{policy.Name}", StringComparer.Ordinal)];
    }

    private static AmbientWorld WorldOf(MeshSnapshot snapshot, ClusterResources source)
    {
        var settings = snapshot.Settings;
        var network = snapshot.Registry.Namespaces.GetValueOrDefault(settings.RootNamespace)?.GetValueOrDefault(NetworkLabel) ?? "";
        var classes = snapshot.Gateways.Classes.ToDictionary(static c => c.Name);
        var waypoints = new Dictionary<string, Waypoint>();
        foreach (var gateway in snapshot.Gateways.Kubernetes)
        {
            var accounts = source.Pods.Where(
                pod => pod.Namespace == gateway.Namespace && pod.Labels.GetValueOrDefault(WaypointBindings.InstanceLabel) == gateway.Name)
                .Select(static pod => pod.Spec.Spec?.ServiceAccountName ?? "").Distinct();
            var made = Generation.Workloads.Waypoints.Of(gateway, classes.GetValueOrDefault(gateway.Spec.Spec?.GatewayClassName ?? ""),
                accounts, network);
            if (made is not null) waypoints[made.FullName] = made;
        }
        return new AmbientWorld
        {
            ClusterId = source.ClusterId,
            Network = network,
            DomainSuffix = settings.DomainSuffix,
            Mesh = settings.Mesh,
            Namespaces = source.Namespaces.ToDictionary(static ns => ns.Name, static ns => new NamespaceMarks(ns.Labels, ns.Annotations)),
            Waypoints = waypoints,
            Slices = source.EndpointSlices,
            Nodes = snapshot.Registry.Nodes.Where(node => node.Key.Cluster == source.ClusterId && !node.Value.IsNone)
                .ToDictionary(static node => node.Key.Node,
                    static node => new Istio.Workload.Locality
                    {
                        Region = node.Value.Region ?? "",
                        Zone = node.Value.Zone ?? "",
                        Subzone = node.Value.Subzone ?? "",
                    }),
            Entrances = snapshot.Registry.NetworkGateways,
            PeerPolicies = snapshot.Policies,
            AdmitsWaypoints = settings.Features.Flag("PILOT_AUTO_ALLOW_WAYPOINT_POLICY", false),
            Policies = [.. snapshot.Policies.AuthorizationPolicies.Values.SelectMany(static p => p)
                .Where(p => p.Spec.Selector is { MatchLabels.Count: > 0 }
                    && NodePolicies.Of(p.Spec, p.Origin.Namespace, p.Origin.Name, settings.RootNamespace) is not null)
                .Select(static p => new SelectorPolicy(p.Origin.Namespace, p.Origin.Name, p.Spec.Selector.MatchLabels))],
        };
    }

    // One service of a host for each namespace, Kubernetes' before others, the oldest of these; one of all stands for the host in
    // namespaces that have none.
    private static List<AmbientService> Canonical(IReadOnlyList<AmbientService> all)
    {
        var chosen = all.GroupBy(static s => s.Key)
            .Select(static g => g.FirstOrDefault(static s => s.Source == AmbientSource.Service) ?? g.First()).ToList();
        foreach (var host in chosen.GroupBy(static s => s.Message.Hostname))
        {
            if (host.Any(static s => s.Source == AmbientSource.Service)) continue;
            var first = host.FirstOrDefault(static s => s.Message.Visibility != Service.Types.Visibility.Namespace);
            if (first is not null) first.Message.Canonical = true;
        }
        return chosen;
    }
}
