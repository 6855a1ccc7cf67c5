using System.Net;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Istio.Networking.V1Alpha3;
using Istio.Workload;
using Kubernetes.Core.V1;
using Kubernetes.Discovery.V1;
using Lateen.Config.Resources;
using Lateen.Registry;
using Lateen.Registry.Kubernetes;
using Port = Istio.Workload.Port;
using WorkloadMessage = Istio.Workload.Workload;
using WorkloadPlace = Istio.Workload.Locality;

namespace Lateen.Pilot.Generation.Workloads;

/// <summary>Messages of workloads.</summary>
/// <param name="world">What else exists.</param>
internal sealed class AmbientWorkloads(AmbientWorld world)
{
    private const string DefaultTrustDomain = "cluster.local";
    private const string RedirectionAnnotation = "ambient.istio.io/redirection";
    private const string TunnelLabel = "networking.istio.io/tunnel";
    private const string GroupAnnotation = "istio.io/autoRegistrationGroup";
    private const string WorkloadLabel = "service.istio.io/workload-name";
    private const string ServiceLabel = "kubernetes.io/service-name";

    private readonly WaypointBindings _bindings = new(world);

    // ---- pods

    /// <summary>The workload of a pod; null while it has no address, and after its end.</summary>
    public WorkloadMessage? Of(Resource<Pod> resource)
    {
        var (spec, status) = (resource.Spec.Spec ?? new(), resource.Spec.Status ?? new());
        if (status.Phase is "Succeeded" or "Failed") return null;
        var addresses = status.PodIps.Count > 0 ? status.PodIps.Select(static a => a.Ip) : status.PodIp.Length > 0 ? [status.PodIp] : [];
        if (Parse(addresses) is not { Count: > 0 } parsed) return null;
        var marks = ObjectMarks.Of(resource.Metadata);
        var isReady = resource.Metadata.DeletionTime is null && status.Conditions.Any(static c => c is { Type: "Ready", Status: "True" });
        var owner = resource.Metadata.Owners.FirstOrDefault(static o => o.IsController);
        var services = Selecting(marks).ToList();
        services.AddRange(Pointing(resource, services));
        var made = New(marks, $"{world.ClusterId}//Pod/{marks.Namespace}/{marks.Name}", world.Network,
            WorkloadNames.Of(marks.Name, "", marks.Labels, owner?.Kind, owner?.Name ?? "", owner?.ApiVersion ?? "").Name);
        made.Addresses.Add(parsed);
        made.ServiceAccount = spec.ServiceAccountName;
        made.Node = spec.NodeName;
        made.NetworkMode = spec.HostNetwork ? NetworkMode.HostNetwork : NetworkMode.Standard;
        made.Status = isReady ? WorkloadStatus.Healthy : WorkloadStatus.Unhealthy;
        made.Locality = world.Nodes.GetValueOrDefault(spec.NodeName);
        foreach (var service in services) made.Services[service.Key] = PortsOf(service, spec);
        return Finish(made, marks);
    }

    private IEnumerable<AmbientService> Selecting(ObjectMarks marks) =>
        world.Services.Where(s => s.Message.Namespace == marks.Namespace && s.Selector.Count > 0
            && LabelSelection.IsSubset(s.Selector, marks.Labels));

    // A service without selector has the pods that its slices point to. A slice that only has a pod's address means something of its own.
    private IEnumerable<AmbientService> Pointing(Resource<Pod> pod, IReadOnlyCollection<AmbientService> known)
    {
        foreach (var slice in world.Slices)
        {
            if (slice.Spec.AddressType == "FQDN" || !slice.Labels.TryGetValue(ServiceLabel, out var name)) continue;
            var isOfPod = slice.Spec.Endpoints.Any(e => e.TargetRef is { Kind: "Pod" } target && target.Namespace == pod.Namespace
                && target.Name == pod.Name && (target.Uid.Length == 0 || target.Uid == pod.Metadata.Uid));
            if (isOfPod && KubernetesService(slice.Namespace, name) is { } service
                && known.All(k => k.Message.Hostname != service.Message.Hostname)) yield return service;
        }
    }

    private AmbientService? KubernetesService(string ns, string name)
    {
        var hostname = KubernetesServices.Hostname(name, ns, world.DomainSuffix);
        return world.Services.FirstOrDefault(
            s => s.Source == AmbientSource.Service && s.Message.Namespace == ns && s.Message.Hostname == hostname);
    }

    private static PortList PortsOf(AmbientService service, PodSpec pod)
    {
        var list = new PortList();
        foreach (var port in service.Message.Ports)
        {
            var target = port.TargetPort;
            if (service.Ports.TryGetValue(port.ServicePort, out var names))
            {
                if (names.Target.Length > 0)
                {
                    // A port that the pod doesn't have is none of it.
                    if (Named(pod, names.Target) is not { } own) continue;
                    target = own;
                }
                else if (service.Source == AmbientSource.ServiceEntry && names.Name.Length > 0)
                    target = Named(pod, names.Name) ?? (target == 0 ? port.ServicePort : target);
            }
            list.Ports.Add(new Port { ServicePort = port.ServicePort, TargetPort = target });
        }
        return list;
    }

    private static uint? Named(PodSpec pod, string name)
    {
        var sidecars = pod.InitContainers.Where(static c => c.RestartPolicy == "Always");
        var found = pod.Containers.Concat(sidecars).SelectMany(static c => c.Ports)
            .FirstOrDefault(p => p.Name == name && p.Protocol is "" or "TCP");
        return found is null ? null : (uint)found.ContainerPort_;
    }

    // ---- entries

    /// <summary>The workload of a WorkloadEntry.</summary>
    public WorkloadMessage Of(Resource<WorkloadEntry> resource)
    {
        var entry = resource.Spec;
        var labels = new Dictionary<string, string>(resource.Labels);
        foreach (var (key, value) in entry.Labels) labels[key] = value;
        var marks = new ObjectMarks(resource.Namespace, resource.Name, labels, resource.Annotations);
        var name = resource.Annotations.GetValueOrDefault(GroupAnnotation) ?? labels.GetValueOrDefault(WorkloadLabel) ?? resource.Name;
        var made = New(marks, $"{world.ClusterId}/networking.istio.io/WorkloadEntry/{marks.Namespace}/{marks.Name}",
            entry.Network.Length > 0 ? entry.Network : world.Network, name);
        foreach (var service in Selecting(marks)) made.Services[service.Key] = PortsOf(service, entry);
        Fill(made, entry);
        return Finish(made, marks);
    }

    /// <summary>The workloads of a ServiceEntry: those that are written into it, else each of its hosts where names are resolved.</summary>
    public IEnumerable<WorkloadMessage> Of(Resource<ServiceEntry> resource)
    {
        var own = world.Services.Where(s => s.Source == AmbientSource.ServiceEntry && s.Message.Namespace == resource.Namespace
            && s.DeclaredBy == resource.Name).ToList();
        var isImplicit = resource.Spec.Endpoints.Count == 0 && resource.Spec.WorkloadSelector is null
            && resource.Spec.Resolution is ServiceEntry.Types.Resolution.Dns or ServiceEntry.Types.Resolution.DnsRoundRobin
                or ServiceEntry.Types.Resolution.DynamicDns;
        if (isImplicit)
            return own.Select(service => OfEndpoint(resource, new WorkloadEntry { Address = service.Message.Hostname }, [service], false));
        return own.Count == 0 ? [] : resource.Spec.Endpoints.Select(endpoint => OfEndpoint(resource, endpoint, own, true));
    }

    private WorkloadMessage OfEndpoint(Resource<ServiceEntry> resource, WorkloadEntry endpoint, IEnumerable<AmbientService> services,
        bool mayBind)
    {
        var marks = ObjectMarks.Of(resource.Metadata);
        var made = New(
            marks, $"{world.ClusterId}/networking.istio.io/ServiceEntry/{marks.Namespace}/{marks.Name}/{endpoint.Address}",
            endpoint.Network.Length > 0 ? endpoint.Network : world.Network, marks.Name);
        foreach (var service in services) made.Services[service.Key] = PortsOf(service, endpoint);
        Fill(made, endpoint);
        // Labels of the endpoint bind it, those of the entry say everything else.
        return Finish(made, marks, mayBind ? marks with { Labels = endpoint.Labels } : null);
    }

    private static PortList PortsOf(AmbientService service, WorkloadEntry entry)
    {
        var list = new PortList();
        foreach (var port in service.Message.Ports)
        {
            var target = port.TargetPort;
            if (service.Ports.TryGetValue(port.ServicePort, out var names))
            {
                var isNamed = service.Source == AmbientSource.Service && names.Target.Length > 0;
                if (entry.Ports.TryGetValue(isNamed ? names.Target : names.Name, out var own)) target = own;
                else if (isNamed) continue;
                else if (service.Source == AmbientSource.ServiceEntry && target == 0) target = port.ServicePort;
            }
            list.Ports.Add(new Port { ServicePort = port.ServicePort, TargetPort = target });
        }
        return list;
    }

    private static void Fill(WorkloadMessage made, WorkloadEntry entry)
    {
        made.ServiceAccount = entry.ServiceAccount;
        made.Locality = PlaceOf(entry.Locality);
        if (entry.Weight > 0) made.Capacity = entry.Weight;
        if (IPAddress.TryParse(entry.Address, out var ip)) made.Addresses.Add(ByteString.CopyFrom(ip.GetAddressBytes()));
        else made.Hostname = entry.Address;
    }

    private static WorkloadPlace? PlaceOf(string text)
    {
        var place = Lateen.Registry.Locality.Parse(text);
        return place.IsNone ? null : new WorkloadPlace { Region = place.Region, Zone = place.Zone, Subzone = place.Subzone };
    }

    // ---- endpoints that are no pods

    /// <summary>The workloads of a slice that somebody wrote by hand. Nothing is known of them but their addresses, which others may
    /// share.</summary>
    public IEnumerable<WorkloadMessage> Of(Resource<EndpointSlice> resource)
    {
        if (resource.Spec.AddressType == "FQDN" || !resource.Labels.TryGetValue(ServiceLabel, out var name)
            || KubernetesService(resource.Namespace, name) is not { } service) yield break;
        var ports = new PortList();
        foreach (var port in resource.Spec.Ports.Where(static p => p.HasName && p.HasPort && p.Protocol == "TCP"))
        {
            var declared = service.Message.Ports.FirstOrDefault(
                p => service.Ports.TryGetValue(p.ServicePort, out var names) && names.Name == port.Name);
            if (declared is not null) ports.Ports.Add(new Port { ServicePort = declared.ServicePort, TargetPort = (uint)port.Port });
        }
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var endpoint in resource.Spec.Endpoints)
        {
            if (endpoint.TargetRef is { Kind: "Pod" } || endpoint.Addresses.Count == 0 || !seen.Add(endpoint.Addresses[0])
                || Parse(endpoint.Addresses) is not { } addresses) continue;
            var made = new WorkloadMessage
            {
                Uid = $"{world.ClusterId}/discovery.k8s.io/EndpointSlice/{resource.Namespace}/{resource.Name}/{endpoint.Addresses[0]}",
                Name = resource.Name,
                Namespace = resource.Namespace,
                Network = world.Network,
                TrustDomain = TrustDomain,
                ClusterId = world.ClusterId,
                Status = endpoint.Conditions is { HasReady: true, Ready: false } ? WorkloadStatus.Unhealthy : WorkloadStatus.Healthy,
                NetworkMode = NetworkMode.HostNetwork,
            };
            made.Addresses.Add(addresses);
            made.Services[service.Key] = ports.Clone();
            yield return made;
        }
    }

    // ---- all

    private string TrustDomain => world.Mesh.TrustDomain == DefaultTrustDomain ? "" : world.Mesh.TrustDomain;

    private WorkloadMessage New(ObjectMarks marks, string uid, string network, string workload)
    {
        var (name, revision) = CanonicalService.Of(marks.Labels, workload);
        return new WorkloadMessage
        {
            Uid = uid,
            Name = marks.Name,
            Namespace = marks.Namespace,
            Network = network,
            NetworkGateway = Entrance(network),
            ClusterId = world.ClusterId,
            TrustDomain = TrustDomain,
            CanonicalName = name,
            CanonicalRevision = revision,
            WorkloadName = workload,
            // Node proxies of older releases know no other type.
            WorkloadType = WorkloadType.Pod,
        };
    }

    private WorkloadMessage Finish(WorkloadMessage made, ObjectMarks marks) => Finish(made, marks, marks);

    private WorkloadMessage Finish(WorkloadMessage made, ObjectMarks marks, ObjectMarks? binding)
    {
        if (binding is not null) Bind(made, binding);
        var selected = world.Policies.Where(p => (p.Namespace == marks.Namespace || p.Namespace == world.Mesh.RootNamespace)
            && LabelSelection.IsSubset(p.Selector, marks.Labels));
        made.AuthorizationPolicies.Add(selected.Select(static p => $"{p.Namespace}/{p.Name}").Order(StringComparer.Ordinal));
        if (world.PeerPolicies is { } peers)
            made.AuthorizationPolicies.Add(NodePeerPolicies.NamesFor(peers, marks.Namespace, marks.Labels));
        if (world.AdmitsWaypoints)
        {
            var own = binding is null || _bindings.InstanceOf(binding) is not null
                ? null : _bindings.OfWorkload(binding).Waypoint?.FullName;
            var all = world.Services.Where(s => made.Services.ContainsKey(s.Key)).Select(static s => s.Waypoint).Append(own ?? "");
            made.AuthorizationPolicies.Add(WaypointPolicies.NamesFor(world, all));
        }
        if (marks.Annotations.GetValueOrDefault(RedirectionAnnotation) == "enabled") made.TunnelProtocol = TunnelProtocol.Hbone;
        if (marks.Labels.GetValueOrDefault(TunnelLabel, "").Split(',').Contains("http"))
            (made.TunnelProtocol, made.NativeTunnel) = (TunnelProtocol.Hbone, true);
        return made;
    }

    private void Bind(WorkloadMessage made, ObjectMarks marks)
    {
        if (_bindings.InstanceOf(marks) is not { } own) made.Waypoint = _bindings.OfWorkload(marks).Waypoint?.Address;
        else if (own.Binding is { } binding)
            made.ApplicationTunnel = new ApplicationTunnel { Protocol = binding.Protocol, Port = binding.Port };
    }

    private GatewayAddress? Entrance(string network)
    {
        if (world.Entrances.FirstOrDefault(e => e.Network == network && e.HbonePort > 0) is not { } entrance) return null;
        var address = new GatewayAddress { HboneMtlsPort = (uint)entrance.HbonePort };
        if (IPAddress.TryParse(entrance.Address, out var ip))
            address.Address = new NetworkAddress { Network = network, Address = ByteString.CopyFrom(ip.GetAddressBytes()) };
        else address.Hostname = new NamespacedHostname { Hostname = entrance.Address };
        return address;
    }

    private static List<ByteString>? Parse(IEnumerable<string> addresses)
    {
        var parsed = new List<ByteString>();
        foreach (var address in addresses)
        {
            if (!IPAddress.TryParse(address, out var ip)) return null;
            parsed.Add(ByteString.CopyFrom(ip.GetAddressBytes()));
        }
        return parsed;
    }
}
