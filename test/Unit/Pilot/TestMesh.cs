using Xunit;
using System.Text;
using Envoy.Config.Core.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Meaning.Compile;
using Lateen.Pilot.Meaning.Settings;
using Lateen.Registry;

namespace Lateen.Test.Unit.Pilot;

/// <summary>A mesh out of YAML, compiled again with each change.</summary>
internal sealed class TestMesh
{
    private readonly RegistryCompiler _registry = new(new RegistryOptions());
    private readonly SnapshotCompiler _snapshots = new();
    private readonly Dictionary<ResourceKey, Resource> _resources = [];
    private int _revision;

    public MeshSettings Settings { get; init; } = new()
    {
        Mesh = MeshConfigs.Defaults(),
        Networks = new(),
        Features = Features.Default,
    };

    public RegistryView Registry { get; private set; } = RegistryView.Empty;

    public MeshSnapshot Apply(string yaml)
    {
        var diagnostics = new DiagnosticBag();
        foreach (var resource in new ResourceDecoder().Decode(yaml, "test.yaml", diagnostics)) _resources[resource.Key] = resource;
        Assert.Empty(diagnostics);
        return Compile(_resources.Values);
    }

    public MeshSnapshot Delete(ResourceKind kind, string ns, string name)
    {
        Assert.True(_resources.Remove(new ResourceKey(kind, ns, name)));
        return Compile(_resources.Values);
    }

    public MeshSnapshot Compile(IEnumerable<Resource> resources)
    {
        var list = resources.ToList();
        Registry = _registry.Compile([ClusterResources.Of("Kubernetes", list)]);
        return _snapshots.Compile(SnapshotResources.Of($"r{++_revision}", Registry, Settings, list));
    }

    public IReadOnlyCollection<Resource> Resources => _resources.Values;

    public static Node NodeOf(string name, string ip, string ns = "default") => new()
    {
        Id = $"sidecar~{ip}~{name}.{ns}~{ns}.svc.cluster.local",
        Metadata = new Struct
        {
            Fields =
            {
                ["NAMESPACE"] = Value.ForString(ns),
                ["CLUSTER_ID"] = Value.ForString("Kubernetes"),
                ["INSTANCE_IPS"] = Value.ForString(ip),
            },
        },
    };

    /// <summary>A Service with a slice of plain addresses.</summary>
    public static string Service(string name, string vip, params string[] addresses)
    {
        var text = new StringBuilder($"""
            apiVersion: v1
            kind: Service
            metadata: {"{"}name: {name}, namespace: default{"}"}
            spec:
              clusterIP: {vip}
              clusterIPs: [{vip}]
              ports: [{"{"}name: http, port: 80, protocol: TCP, targetPort: 8080{"}"}]
            ---
            {Slice(name, addresses)}
            """);
        return text.ToString();
    }

    public static string Slice(string service, params string[] addresses)
    {
        var endpoints = string.Concat(addresses.Select(address => $"- addresses: [{address}]\n"));
        return $"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: {service}-1\n  namespace: default\n  "
            + $"labels:\n    kubernetes.io/service-name: {service}\n"
            + $"addressType: IPv4\nendpoints:\n{endpoints}ports:\n- name: http\n  port: 8080\n  protocol: TCP\n---\n";
    }
}
