using System.Net;
using Google.Protobuf;
using Istio.Mesh.V1Alpha1;
using Istio.Networking.V1Alpha3;
using Istio.Workload;
using Lateen.Config.Resources;
using Lateen.Pilot.Meaning.Compile;
using Lateen.Pilot.Meaning.Settings;
using Lateen.Registry;
using Lateen.Registry.Kubernetes;
using AppProtocol = Istio.Workload.AppProtocol;
using HealthPolicy = Istio.Workload.LoadBalancing.Types.HealthPolicy;
using KubernetesService = Kubernetes.Core.V1.Service;
using Mode = Istio.Workload.LoadBalancing.Types.Mode;
using Place = Istio.Workload.LoadBalancing.Types.Scope;
using Port = Istio.Workload.Port;
using Resource = Lateen.Config.Resources.Resource;
using Protocol = Lateen.Registry.Protocol;
using Service = Istio.Workload.Service;
using Visibility = Istio.Mesh.V1Alpha1.MeshConfig.Types.ServiceEntryVisibility.Types.Visibility;

namespace Lateen.Pilot.Generation.Workloads;

/// <summary>Messages of services.</summary>
/// <param name="world">What else exists.</param>
internal sealed class AmbientServices(AmbientWorld world)
{
    private const string AllocateLabel = "networking.istio.io/enable-autoallocate-ip";
    private readonly WaypointBindings _bindings = new(world);

    // ---- Kubernetes

    /// <summary>The service of a Service; null for names of foreign hosts, which DNS alone resolves.</summary>
    public AmbientService? Of(Resource<KubernetesService> resource)
    {
        var spec = resource.Spec.Spec ?? new();
        if (spec.Type == "ExternalName") return null;
        var marks = ObjectMarks.Of(resource.Metadata);
        var (waypoint, problem) = _bindings.OfService(marks);
        var message = new Service
        {
            Name = resource.Name,
            Namespace = resource.Namespace,
            Hostname = KubernetesServices.Hostname(resource.Name, resource.Namespace, world.DomainSuffix),
            Waypoint = waypoint?.Address,
            LoadBalancing = Balancing(spec, resource),
            IpFamilies = spec.IpFamilies switch
            {
                { Count: 2 } => IPFamilies.Dual,
                ["IPv4"] => IPFamilies.Ipv4Only,
                [_] => IPFamilies.Ipv6Only,
                _ => IPFamilies.Automatic,
            },
            // What Kubernetes declares stands for its name in every namespace.
            Canonical = true,
        };
        message.Addresses.Add(VirtualAddresses(spec).Select(Address).OfType<NetworkAddress>());
        message.Ports.Add(spec.Ports.Select(static port => new Port
        {
            ServicePort = (uint)port.Port,
            TargetPort = (uint)(port.TargetPort?.Number ?? 0),
            AppProtocol = AppProtocolOf(Protocols.OfKubernetesPort(port.Port, port.Name, port.Protocol, port.AppProtocol)),
        }));
        var bound = Bind(message, marks, waypoint);
        return new AmbientService(message, AmbientSource.Service)
        {
            DeclaredBy = resource.Name,
            Ports = spec.Ports.GroupBy(static p => (uint)p.Port)
                .ToDictionary(static g => g.Key, static g => new PortNames(g.Last().Name, g.Last().TargetPort?.Text ?? "")),
            Selector = spec.Selector,
            Waypoint = waypoint?.FullName ?? "",
            Problem = problem ?? bound,
            IsGlobal = IsGlobal(resource.Namespace, resource.Labels),
        };
    }

    /// <summary>Whether a service is for all clusters: by the first of the mesh's rules that selects it.</summary>
    public bool IsGlobal(string ns, IReadOnlyDictionary<string, string> labels)
    {
        if (!world.Namespaces.TryGetValue(ns, out var known)) return false;
        return world.Mesh.ServiceScopeConfigs.Any(rule => rule.Scope == MeshConfig.Types.ServiceScopeConfigs.Types.Scope.Global
            && (rule.NamespaceSelector is not { } ofNamespace || Lateen.Config.Resources.LabelSelectors.Selects(ofNamespace, known.Labels))
            && (rule.ServicesSelector is not { } ofService || Lateen.Config.Resources.LabelSelectors.Selects(ofService, labels)));
    }

    private static IEnumerable<string> VirtualAddresses(Kubernetes.Core.V1.ServiceSpec spec) =>
        (spec.ClusterIps.Count > 0
            ? spec.ClusterIps : (IEnumerable<string>)[spec.ClusterIp]).Where(static address => address is not ("" or "None"));

    private LoadBalancing? Balancing(Kubernetes.Core.V1.ServiceSpec spec, Resource resource)
    {
        var made = spec.InternalTrafficPolicy == "Local"
            ? new LoadBalancing { RoutingPreference = { Place.Node }, Mode = Mode.Strict }
            : Preference(KubernetesServices.Distribution(spec.TrafficDistribution, resource.Annotations,
                world.AnnotationOf(resource.Namespace, KubernetesServices.DistributionAnnotation)));
        if (spec.PublishNotReadyAddresses) (made ??= new LoadBalancing()).HealthPolicy = HealthPolicy.AllowAll;
        return made;
    }

    private static LoadBalancing? Preference(TrafficDistribution distribution) => distribution switch
    {
        TrafficDistribution.PreferSameZone =>
            new LoadBalancing { RoutingPreference = { Place.Network, Place.Region, Place.Zone }, Mode = Mode.Failover },
        TrafficDistribution.PreferSameNode => new LoadBalancing
        {
            RoutingPreference = { Place.Network, Place.Region, Place.Zone, Place.Subzone, Place.Node },
            Mode = Mode.Failover,
        },
        _ => null,
    };

    // ---- entries

    /// <summary>The services of a ServiceEntry, one for each host; none where the mesh hides it.</summary>
    public IEnumerable<AmbientService> Of(Resource<ServiceEntry> resource)
    {
        var limits = world.Mesh.ServiceEntryVisibility;
        var visibility = limits is null ? Visibility.Public : ServiceVisibility.LimitOf(limits, world.LabelsOf(resource.Namespace));
        return visibility == Visibility.None
            ? [] : resource.Spec.Hosts.Select(host => OfHost(resource, host, visibility == Visibility.Namespace));
    }

    private AmbientService OfHost(Resource<ServiceEntry> resource, string host, bool isHidden)
    {
        var entry = resource.Spec;
        var marks = ObjectMarks.Of(resource.Metadata);
        var (waypoint, problem) = _bindings.OfService(marks);
        // What other namespaces may not see can't be served by a waypoint of theirs.
        if (isHidden && waypoint is { } foreign && foreign.Namespace != resource.Namespace)
        {
            problem = BindingProblem.Denied(foreign.FullName);
            waypoint = null;
        }
        var message = new Service
        {
            Name = resource.Name,
            Namespace = resource.Namespace,
            Hostname = host,
            Waypoint = waypoint?.Address,
            LoadBalancing = Balancing(resource),
            Visibility = isHidden ? Service.Types.Visibility.Namespace : Service.Types.Visibility.Public,
        };
        message.SubjectAltNames.Add(entry.SubjectAltNames);
        message.Addresses.Add(Addresses(resource, host));
        message.Ports.Add(entry.Ports.Select(static port => new Port
        {
            ServicePort = port.Number,
            TargetPort = port.TargetPort == 0 ? port.Number : port.TargetPort,
            AppProtocol = AppProtocolOf(Protocols.Parse(port.Protocol)),
        }));
        var bound = Bind(message, marks, waypoint);
        return new AmbientService(message, AmbientSource.ServiceEntry)
        {
            DeclaredBy = resource.Name,
            Ports = entry.Ports.GroupBy(static p => p.Number).ToDictionary(static g => g.Key, static g => new PortNames(g.Last().Name, "")),
            Selector = entry.WorkloadSelector?.Labels ?? [],
            Waypoint = waypoint?.FullName ?? "",
            Problem = problem ?? bound,
        };
    }

    private LoadBalancing? Balancing(Resource<ServiceEntry> resource) => resource.Spec.Resolution == ServiceEntry.Types.Resolution.None
        ? new LoadBalancing { Mode = Mode.Passthrough, HealthPolicy = HealthPolicy.AllowAll }
        : Preference(KubernetesServices.Distribution(null, resource.Annotations,
            world.AnnotationOf(resource.Namespace, KubernetesServices.DistributionAnnotation)));

    // Written addresses, else those that the allocator put into the status; not where clients know the address already, and for patterns
    // of names only where these are resolved one by one.
    private IEnumerable<NetworkAddress> Addresses(Resource<ServiceEntry> resource, string host)
    {
        var entry = resource.Spec;
        if (entry.Addresses.Count > 0) return entry.Addresses.Select(Address).OfType<NetworkAddress>();
        var isPassthrough = entry.Resolution == ServiceEntry.Types.Resolution.None;
        var isPattern = host.StartsWith('*') && entry.Resolution != ServiceEntry.Types.Resolution.DynamicDns;
        if (isPassthrough || isPattern || resource.Labels.GetValueOrDefault(AllocateLabel) == "false") return [];
        return ((resource.Status as ServiceEntryStatus)?.Addresses ?? []).Where(given => given.Host == host || given.Host.Length == 0)
            .Select(given => Address(given.Value)).OfType<NetworkAddress>();
    }

    // ---- both

    private BindingProblem? Bind(Service message, ObjectMarks marks, Waypoint? waypoint)
    {
        message.IngressUseWaypoint = waypoint is not null
            && WaypointBindings.FromIngress(marks.Labels, world.LabelsOf(marks.Namespace)).Uses;
        var (shares, problem) = _bindings.Shares(marks, waypoint);
        message.WeightedWaypoints.Add(shares);
        return problem;
    }

    // A range of more than one address can't be said.
    private NetworkAddress? Address(string text)
    {
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        if (!IPAddress.TryParse(slash < 0 ? text : text[..slash], out var ip)) return null;
        var bytes = ip.GetAddressBytes();
        if (slash >= 0 && text[(slash + 1)..] != (bytes.Length == 4 ? "32" : "128")) return null;
        return new NetworkAddress { Network = world.Network, Address = ByteString.CopyFrom(bytes) };
    }

    private static AppProtocol AppProtocolOf(Protocol protocol) => protocol switch
    {
        Protocol.Http => AppProtocol.Http11,
        Protocol.Http2 => AppProtocol.Http2,
        Protocol.Grpc => AppProtocol.Grpc,
        Protocol.Tcp => AppProtocol.Tcp,
        Protocol.Tls or Protocol.Https => AppProtocol.Tls,
        _ => AppProtocol.Unknown,
    };
}
