using System.Collections.Frozen;
using System.Collections.Immutable;
using Lateen.Api.Names;
using Lateen.Config.Resources;
using WrittenService = Kubernetes.Core.V1.Service;

namespace Lateen.Registry.Kubernetes;

/// <summary>Kubernetes Services as services of the mesh.</summary>
public static class KubernetesServices
{
    /// <summary>Annotation of services and namespaces that names a preference for near endpoints.</summary>
    public const string DistributionAnnotation = "networking.istio.io/traffic-distribution";

    private const string ExportToAnnotation = "networking.istio.io/exportTo";

    /// <summary>The fully qualified name of a Kubernetes service.</summary>
    public static string Hostname(string name, string ns, string suffix) => $"{name}.{ns}.svc.{suffix}";

    /// <summary>One cluster's Service.</summary>
    internal static Service Of(Resource<WrittenService> resource, string cluster, RegistryOptions options,
        IReadOnlyList<NodeAddresses> nodes, string distributionOfNamespace)
    {
        var meta = resource.Metadata;
        var spec = resource.Spec.Spec ?? new();
        var isAlias = spec.Type == "ExternalName" && spec.ExternalName.Length > 0;
        var addresses = AddressesOf(spec);
        var external = ExternalAddresses(resource, nodes, out var isByNode);
        return new Service
        {
            Hostname = Hostname(meta.Name, meta.Namespace, options.DomainSuffix),
            Namespace = meta.Namespace,
            Name = meta.Name,
            Source = ServiceSource.Kubernetes,
            Resolution = isAlias ? ServiceResolution.Alias : spec.ClusterIp == "None"
                ? ServiceResolution.Passthrough : ServiceResolution.ClientSide,
            ExternalName = isAlias ? spec.ExternalName : null,
            Ports = [.. spec.Ports.Select(PortOf)],
            DefaultAddress = addresses.IsEmpty ? Service.UnspecifiedAddress : addresses[0],
            ClusterAddresses = addresses.IsEmpty ? FrozenDictionary<string, ImmutableArray<string>>.Empty : Single(cluster, addresses),
            SubjectAltNames = AccountsOf(meta.Annotations, meta.Namespace, options.TrustDomain),
            CreationTime = meta.CreationTime.GetValueOrDefault(),
            Labels = meta.Labels,
            Selector = LabelSet.Of(spec.Selector),
            ExportTo = Split(meta.Annotations.GetValueOrDefault(ExportToAnnotation)).ToFrozenSet(),
            NodeLocal = spec.InternalTrafficPolicy == "Local",
            PublishNotReady = spec.PublishNotReadyAddresses,
            KubernetesType = spec.Type,
            TrafficDistribution = Distribution(spec.TrafficDistribution, meta.Annotations, distributionOfNamespace),
            ExternalAddresses = external.IsEmpty ? FrozenDictionary<string, ImmutableArray<string>>.Empty : Single(cluster, external),
            ExternalPorts = isByNode
                ? Single(cluster, spec.Ports.Where(port => port.NodePort > 0).ToFrozenDictionary(port => port.Port, port => port.NodePort))
                : FrozenDictionary<string, FrozenDictionary<int, int>>.Empty,
            Clusters = [cluster],
            Declaration = $"Service {meta.Namespace}/{meta.Name}",
            PersistentSession = Session(meta.Labels),
        };
    }

    /// <summary>The same Service of several clusters as one: each cluster's addresses, everything else of the first.</summary>
    internal static Service Merge(IReadOnlyList<Service> parts)
    {
        if (parts.Count == 1) return parts[0];
        var first = parts[0];
        return new Service
        {
            Hostname = first.Hostname,
            Namespace = first.Namespace,
            Name = first.Name,
            Source = first.Source,
            Resolution = first.Resolution,
            ExternalName = first.ExternalName,
            Ports = first.Ports,
            DefaultAddress = first.DefaultAddress,
            ClusterAddresses = parts.SelectMany(part => part.ClusterAddresses).DistinctBy(pair => pair.Key).ToFrozenDictionary(),
            SubjectAltNames = [.. parts.SelectMany(part => part.SubjectAltNames).Distinct().Order(StringComparer.Ordinal)],
            CreationTime = first.CreationTime,
            Labels = first.Labels,
            Selector = first.Selector,
            ExportTo = first.ExportTo,
            NodeLocal = first.NodeLocal,
            PublishNotReady = first.PublishNotReady,
            KubernetesType = first.KubernetesType,
            TrafficDistribution = first.TrafficDistribution,
            ExternalAddresses = parts.SelectMany(part => part.ExternalAddresses).DistinctBy(pair => pair.Key).ToFrozenDictionary(),
            ExternalPorts = parts.SelectMany(part => part.ExternalPorts).DistinctBy(pair => pair.Key).ToFrozenDictionary(),
            Clusters = [.. parts.SelectMany(part => part.Clusters).Distinct()],
            Declaration = first.Declaration,
            PersistentSession = first.PersistentSession,
        };
    }

    /// <summary>Preference for near endpoints: the field over the service's annotation over that of its namespace.</summary>
    public static TrafficDistribution Distribution(string? field, IReadOnlyDictionary<string, string> annotations, string ofNamespace = "")
    {
        var word = !string.IsNullOrEmpty(field) ? field : annotations.GetValueOrDefault(DistributionAnnotation, ofNamespace);
        return word.ToLowerInvariant() switch
        {
            "preferclose" => TrafficDistribution.PreferSameZone,
            "prefersamezone" => TrafficDistribution.PreferSameZone,
            "prefersamenode" => TrafficDistribution.PreferSameNode,
            _ => TrafficDistribution.Any,
        };
    }

    /// <summary>Cookie or header of persistent sessions, when the labels ask for them.</summary>
    internal static string? Session(IReadOnlyDictionary<string, string> labels) =>
        labels.GetValueOrDefault("istio.io/persistent-session") ?? labels.GetValueOrDefault("istio.io/persistent-session-header");

    private static ServicePort PortOf(global::Kubernetes.Core.V1.ServicePort port) => new(
        port.Name, port.Port, Protocols.OfKubernetesPort(port.Port, port.Name, port.Protocol, port.AppProtocol))
    {
        WorkloadPort = port.TargetPort?.ValueCase switch
        {
            global::Kubernetes.Meta.V1.IntOrString.ValueOneofCase.Text => port.TargetPort.Text,
            global::Kubernetes.Meta.V1.IntOrString.ValueOneofCase.Number when port.TargetPort.Number > 0 =>
                port.TargetPort.Number.ToString(System.Globalization.CultureInfo.InvariantCulture),
            _ => port.Port.ToString(System.Globalization.CultureInfo.InvariantCulture),
        },
    };

    private static ImmutableArray<string> AddressesOf(global::Kubernetes.Core.V1.ServiceSpec spec)
    {
        var addresses = spec.ClusterIps.Where(address => address is not "None" and not "").ToImmutableArray();
        return addresses.IsEmpty && spec.ClusterIp is not "None" and not "" ? [spec.ClusterIp] : addresses;
    }

    private static ImmutableArray<string> ExternalAddresses(Resource<WrittenService> resource, IReadOnlyList<NodeAddresses> nodes,
        out bool isByNode)
    {
        var spec = resource.Spec.Spec ?? new();
        isByNode = false;
        if (spec.Type == "NodePort" && NodeSelector.Of(resource.Metadata.Annotations) is { } selector)
        {
            isByNode = true;
            return [.. nodes.Where(node => LabelSelection.IsSubset(selector, node.Labels)).SelectMany(node => node.External).Distinct()
                .Order(StringComparer.Ordinal)];
        }
        var addresses = new List<string>();
        if (spec.Type == "LoadBalancer")
        {
            foreach (var ingress in resource.Spec.Status?.LoadBalancer?.Ingress ?? [])
            {
                if (ingress.Ip.Length > 0) addresses.Add(ingress.Ip);
                else if (ingress.Hostname.Length > 0) addresses.Add(ingress.Hostname);
            }
        }
        addresses.AddRange(spec.ExternalIps);
        return [.. addresses.Distinct()];
    }

    private static ImmutableArray<string> AccountsOf(IReadOnlyDictionary<string, string> annotations, string ns, string trustDomain)
    {
        var canonical = Split(annotations.GetValueOrDefault("alpha.istio.io/canonical-serviceaccounts"));
        var kubernetes = Split(annotations.GetValueOrDefault("alpha.istio.io/kubernetes-serviceaccounts"))
            .Select(account => Identities.Of(trustDomain, ns, account));
        return [.. canonical.Concat(kubernetes).Order(StringComparer.Ordinal)];
    }

    private static string[] Split(string? list) =>
        (list ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static FrozenDictionary<string, T> Single<T>(string key, T value) =>
        new Dictionary<string, T> { [key] = value }.ToFrozenDictionary();
}

/// <summary>A node's labels and addresses, for services that are reached by node ports.</summary>
internal sealed record NodeAddresses(IReadOnlyDictionary<string, string> Labels, ImmutableArray<string> External);
