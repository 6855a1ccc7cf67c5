using System.Text.Json;
using Envoy.Config.Core.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Kubernetes.Core.V1;
using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Meaning.Compile;
using Lateen.Pilot.Meaning.Settings;
using Lateen.Pilot.Scope;
using Lateen.Registry;

namespace Lateen.Test.Conformance.Runners.Xds;

/// <summary>One golden: a mesh, and what each of some proxies is to be told.</summary>
internal sealed class XdsCase
{
    private readonly string _dir;
    private readonly JsonElement _case;

    public XdsCase(string dir)
    {
        _dir = dir;
        _case = JsonDocument.Parse(File.ReadAllText(Path.Combine(dir, "case.json"))).RootElement;
        Snapshot = Compile();
    }

    public MeshSnapshot Snapshot { get; }

    /// <summary>Mistakes found while reading the inputs.</summary>
    public DiagnosticBag Diagnostics { get; } = [];

    public IEnumerable<(string Name, ProxyNode Node, JsonElement Want)> Proxies()
    {
        foreach (var proxy in _case.GetProperty("proxies").EnumerateArray())
        {
            var name = proxy.GetProperty("name").GetString()!;
            var want = JsonDocument.Parse(File.ReadAllText(Path.Combine(_dir, "want", name + ".json"))).RootElement;
            yield return (name, NodeOf(proxy), want);
        }
    }

    /// <summary>The listeners that a library asks for by name; null for a proxy, which asks for all.</summary>
    public IReadOnlySet<string>? Subscriptions(string proxy)
    {
        var played = _case.GetProperty("proxies").EnumerateArray().First(candidate => candidate.GetProperty("name").GetString() == proxy);
        return played.TryGetProperty("subscribe", out var names)
            ? names.EnumerateArray().Select(name => name.GetString()!).ToHashSet() : null;
    }

    private static ProxyNode NodeOf(JsonElement proxy)
    {
        var node = new Envoy.Config.Core.V3.Node
        {
            Id = proxy.GetProperty("nodeId").GetString(),
            Metadata = JsonParser.Default.Parse<Struct>(proxy.GetProperty("metadata").GetRawText()),
        };
        if (proxy.TryGetProperty("locality", out var locality))
        {
            var parts = locality.GetString()!.Split('/');
            node.Locality = new Envoy.Config.Core.V3.Locality
            {
                Region = parts[0],
                Zone = parts.Length > 1 ? parts[1] : "",
                SubZone = parts.Length > 2 ? parts[2] : "",
            };
        }
        var (parsed, error) = NodeParser.Parse(node);
        return parsed ?? throw new InvalidOperationException(error);
    }

    private MeshSnapshot Compile()
    {
        var settings = new MeshSettings
        {
            Mesh = MeshConfigs.Load(Text("mesh.yaml"), "mesh.yaml", Diagnostics),
            Networks = MeshConfigs.LoadNetworks(Text("networks.yaml"), "networks.yaml", Diagnostics),
            Features = Features(),
        };
        var config = DiscoverySelectors.Select(Decode("input.yaml"), settings.Mesh);
        var clusters = new List<ClusterResources> { ClusterOf("Kubernetes", config) };
        if (_case.TryGetProperty("clusters", out var others))
        {
            foreach (var name in others.EnumerateArray()
                .Select(other => other.ValueKind == JsonValueKind.String ? other.GetString()! : other.GetProperty("name").GetString()!))
            {
                if (name != "Kubernetes") clusters.Add(ClusterOf(name, Decode($"input-{name}.yaml")));
            }
        }
        var registry = new RegistryCompiler(new RegistryOptions
        {
            TrustDomain = settings.TrustDomain,
            // The recording knew no system namespace: the network label of istio-system says nothing about unlabelled pods there.
            SystemNamespace = "",
            Networks = settings.Networks,
            DualStack = settings.Features.DualStack,
        }).Compile(clusters);
        return new SnapshotCompiler().Compile(SnapshotResources.Of("1", registry, settings, config));
    }

    private Features Features() => new(_case.TryGetProperty("settings", out var settings)
        ? settings.EnumerateObject().ToDictionary(setting => setting.Name, setting => setting.Value.ToString())
        : []);

    private static ClusterResources ClusterOf(string id, IReadOnlyList<Resource> resources) => ClusterResources.Of(id, resources);

    private IReadOnlyList<Resource> Decode(string file) => new ResourceDecoder().Decode(Text(file), file, Diagnostics);

    private string Text(string file)
    {
        var path = Path.Combine(_dir, file);
        return File.Exists(path) ? TestKeys.In(File.ReadAllText(path)) : "";
    }
}
