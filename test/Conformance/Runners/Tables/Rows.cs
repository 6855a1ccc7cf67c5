using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Text.Json;
using Google.Protobuf;
using Istio.Mesh.V1Alpha1;
using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Meaning.Compile;
using Lateen.Pilot.Meaning.Settings;
using Lateen.Pilot.Scope;
using Lateen.Registry;
using Lateen.Registry.Compile;
using Resource = Lateen.Config.Resources.Resource;

namespace Lateen.Test.Conformance.Runners.Tables;

/// <summary>Fields of rows as the model's objects.</summary>
internal static class Rows
{
    private static readonly JsonParser Lenient = new(JsonParser.Settings.Default.WithIgnoreUnknownFields(true));

    public static JsonElement? Field(this JsonElement row, string name) =>
        row.ValueKind == JsonValueKind.Object && row.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null
            ? value : null;

    public static string Text(this JsonElement row, string name) =>
        row.Field(name) is { ValueKind: JsonValueKind.String } value ? value.GetString()! : "";

    public static bool Flag(this JsonElement row, string name) => row.Field(name)?.ValueKind == JsonValueKind.True;

    public static int Number(this JsonElement row, string name) =>
        row.Field(name) is { ValueKind: JsonValueKind.Number } value ? value.GetInt32() : 0;

    public static IEnumerable<JsonElement> Items(this JsonElement row, string name) =>
        row.Field(name) is { ValueKind: JsonValueKind.Array } list ? list.EnumerateArray() : [];

    public static string[] Texts(this JsonElement row, string name) => [.. row.Items(name).Select(item => item.GetString()!)];

    public static FrozenDictionary<string, string> Labels(this JsonElement row, string name) =>
        row.Field(name)?.EnumerateObject().ToFrozenDictionary(pair => pair.Name, pair => pair.Value.ToString())
            ?? FrozenDictionary<string, string>.Empty;

    public static T? Message<T>(this JsonElement row, string name) where T : class, IMessage<T>, new() =>
        row.Field(name) is { } value ? Lenient.Parse<T>(value.GetRawText()) : null;

    public static T Message<T>(JsonElement value) where T : IMessage<T>, new() => Lenient.Parse<T>(value.GetRawText());

    public static string? Same<T>(T actual, T want) =>
        EqualityComparer<T>.Default.Equals(actual, want) ? null : $"have {actual}, want {want}";

    public static string? SameList(IEnumerable<string> actual, IEnumerable<string> want) =>
        Same(string.Join(", ", actual), string.Join(", ", want));

    public static MeshConfig Mesh(JsonElement? overlay) => MeshConfigs.Load(overlay?.GetRawText() ?? "", "row", []);

    public static MeshSettings Settings(JsonElement? mesh = null, params (string Key, string Value)[] environment) => new()
    {
        Mesh = Mesh(mesh),
        Networks = new(),
        Features = new Features(environment.ToDictionary(pair => pair.Key, pair => pair.Value)),
    };

    public static Service Service(JsonElement row)
    {
        var attributes = row.Field("attributes") ?? default;
        var addresses = row.Field("clusterVIPs")?.Field("addresses");
        var hostname = row.Text("hostname");
        return new Service
        {
            Hostname = hostname,
            Namespace = attributes.Text("namespace"),
            Name = attributes.Text("name"),
            Source = attributes.Text("serviceRegistry") == "Kubernetes" ? ServiceSource.Kubernetes : ServiceSource.ServiceEntry,
            Resolution = Resolution(row.Text("resolution")),
            MeshExternal = row.Flag("meshExternal"),
            Ports = [.. row.Items("ports").Select(Port)],
            DefaultAddress = row.Text("defaultAddress") is { Length: > 0 } address ? address : Lateen.Registry.Service.UnspecifiedAddress,
            ClusterAddresses = addresses?.EnumerateObject()
                .ToFrozenDictionary(pair => pair.Name,
                    pair => pair.Value.EnumerateArray().Select(item => item.GetString()!).ToImmutableArray())
                ?? FrozenDictionary<string, ImmutableArray<string>>.Empty,
            AutoAllocatedIPv4 = row.Field("autoAllocatedIPv4Address")?.GetString(),
            AutoAllocatedIPv6 = row.Field("autoAllocatedIPv6Address")?.GetString(),
            Labels = attributes.Labels("labels"),
            Selector = attributes.Labels("labelSelectors"),
            ExportTo = ExportTo(attributes).ToFrozenSet(),
            NodeLocal = attributes.Field("k8sAttributes")?.Flag("nodeLocal") == true,
            ExternalName = attributes.Field("k8sAttributes")?.Text("externalName"),
            TrafficDistribution = Distribution(attributes.Text("trafficDistribution")),
            Clusters = ["Kubernetes", ""],
        };
    }

    public static ServicePort Port(JsonElement row) => new(row.Text("name"), row.Number("port"), Protocols.Parse(row.Text("protocol")));

    public static Endpoint Endpoint(JsonElement row, string portName = "")
    {
        var locality = row.Field("locality");
        return new Endpoint
        {
            Addresses = [.. row.Texts("addresses")],
            PortName = row.Text("servicePortName") is { Length: > 0 } name ? name : portName,
            Port = row.Number("endpointPort"),
            Identity = row.Text("serviceAccount"),
            Network = row.Text("network"),
            ClusterId = locality?.Text("clusterID") ?? "",
            Locality = Locality.Parse(locality?.Text("label")),
            Weight = (uint)row.Number("lbWeight"),
            AcceptsMtls = row.Text("tlsMode") == "istio",
            Namespace = row.Text("namespace"),
            WorkloadName = row.Text("workloadName"),
            PodHostname = row.Text("hostName"),
            PodSubdomain = row.Text("subDomain"),
            NodeName = row.Text("nodeName"),
            Health = Health(row.Field("healthStatus")),
            Labels = row.Labels("labels"),
        };
    }

    public static ProxyNode Node(JsonElement row, ProxyType otherwise = ProxyType.Sidecar)
    {
        var metadata = row.Field("metadata") ?? default;
        return new ProxyNode
        {
            Id = row.Text("id"),
            Type = row.Text("type") switch { "router" => ProxyType.Router, "waypoint" => ProxyType.Waypoint, _ => otherwise },
            Addresses = [.. row.Texts("ipAddresses")],
            Namespace = row.Text("configNamespace"),
            DnsDomain = row.Text("dnsDomain"),
            Labels = metadata.Labels("labels"),
            Metadata = new NodeMetadata
            {
                ClusterId = metadata.Text("clusterID"),
                Network = metadata.Text("network"),
                NodeName = metadata.Text("nodeName"),
                Namespace = metadata.Text("namespace"),
                NetworkView = metadata.Texts("requestedNetworkView").ToFrozenSet(),
                TlsClient = (metadata.Text("tlsClientCertChain"), metadata.Text("tlsClientKey"), metadata.Text("tlsClientRootCert")),
            },
        };
    }

    public static Resource<T> Resource<T>(ResourceKind<T> kind, JsonElement row, int age = 0) where T : class, IMessage<T>, new()
    {
        var metadata = row.Field("metadata") ?? default;
        return kind.Create(metadata.Text("namespace"), metadata.Text("name"), row.Message<T>("spec") ?? new T(), new ResourceMetadata
        {
            Name = metadata.Text("name"),
            CreationTime = DateTimeOffset.UnixEpoch.AddSeconds(age),
            Labels = metadata.Labels("labels"),
            Annotations = metadata.Labels("annotations"),
        });
    }

    /// <summary>Rows have no times, so that names decide who is first.</summary>
    public static List<Service> ByName(IEnumerable<Service> services) =>
        [.. services.OrderBy(service => $"{service.Name}.{service.Namespace}", StringComparer.Ordinal)];

    public static RegistryView Registry(IReadOnlyList<Service> services,
        IReadOnlyDictionary<ServiceKey, ServiceEndpoints>? endpoints = null)
    {
        var view = new RegistryView
        {
            Services = [.. services],
            ByHost = new(services.GroupBy(service => service.Hostname)
                .ToDictionary(group => group.Key, group => group.ToImmutableArray())),
            Endpoints = new(endpoints?.ToDictionary() ?? []),
        };
        return view with { ServedAt = ServedAddresses.Of(view.Endpoints, view.ByHost) };
    }

    public static MeshSnapshot Snapshot(RegistryView registry, MeshSettings settings, params Resource[] resources) =>
        new SnapshotCompiler().Compile(SnapshotResources.Of("row", registry, settings, resources));

    private static IEnumerable<string> ExportTo(JsonElement attributes) => attributes.Field("exportTo") switch
    {
        { ValueKind: JsonValueKind.Array } list => list.EnumerateArray().Select(item => item.GetString()!),
        { ValueKind: JsonValueKind.Object } map => map.EnumerateObject().Select(pair => pair.Name),
        _ => [],
    };

    private static ServiceResolution Resolution(string word) => word switch
    {
        "DNSLB" => ServiceResolution.Dns,
        "DNSRoundRobinLB" => ServiceResolution.DnsRoundRobin,
        "Passthrough" => ServiceResolution.Passthrough,
        "Alias" => ServiceResolution.Alias,
        "DynamicDNS" => ServiceResolution.DynamicDns,
        _ => ServiceResolution.ClientSide,
    };

    private static TrafficDistribution Distribution(string word) => word switch
    {
        "TrafficDistributionPreferSameZone" => TrafficDistribution.PreferSameZone,
        "TrafficDistributionPreferSameNode" => TrafficDistribution.PreferSameNode,
        _ => TrafficDistribution.Any,
    };

    private static EndpointHealth Health(JsonElement? value) => value switch
    {
        { ValueKind: JsonValueKind.Number } number => number.GetInt32() switch
        {
            1 => EndpointHealth.Healthy,
            2 => EndpointHealth.Unhealthy,
            3 => EndpointHealth.Draining,
            4 => EndpointHealth.Terminating,
            _ => EndpointHealth.Unknown,
        },
        { ValueKind: JsonValueKind.String } text => text.GetString() switch
        {
            "UnHealthy" => EndpointHealth.Unhealthy,
            "Draining" => EndpointHealth.Draining,
            "Terminating" => EndpointHealth.Terminating,
            "Healthy" => EndpointHealth.Healthy,
            _ => EndpointHealth.Unknown,
        },
        _ => EndpointHealth.Unknown,
    };
}
