// GatewayApi: Kubernetes' Gateway API and Ingresses. Conversion vectors give manifests, and what they mean in Istio's own kinds with the
// statuses of the objects.
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Lateen.Api.Documents;
using Lateen.Config.Resources;
using Lateen.Registry;
using Lateen.Test.Conformance.Runners.Names;

namespace Lateen.Test.Conformance.Runners.GatewayApi;

/// <summary>What exists in every case: services with endpoints, secrets and config maps.</summary>
internal sealed class ConversionFixture
{
    private readonly List<Resource> _services = [];

    public ConversionFixture(string file)
    {
        string key = RSA.Create(2048).ExportPkcs8PrivateKeyPem();
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(file)
            .Replace("${TEST_RSA_PRIVATE_KEY}", JsonEncodedText.Encode(key).ToString(), StringComparison.Ordinal));
        DomainSuffix = document.RootElement.Text("domainSuffix");
        Objects = [.. document.RootElement.GetProperty("objects").EnumerateArray().SelectMany(written => Decode(written.GetRawText()))];
        foreach (JsonElement service in document.RootElement.GetProperty("services").EnumerateArray())
            _services.AddRange(Decode(Written(service)));
    }

    public string DomainSuffix { get; }

    /// <summary>Secrets and config maps.</summary>
    public IReadOnlyList<Resource> Objects { get; }

    /// <summary>The registry with the fixture's services beside those of a case.</summary>
    public RegistryView Registry(IEnumerable<Resource> own) =>
        new RegistryCompiler(new RegistryOptions { DomainSuffix = DomainSuffix }).Compile(
            [ClusterResources.Of("Kubernetes", [.. _services, .. own])]);

    public static IReadOnlyList<Resource> Decode(string text) =>
        new ResourceDecoder(new DecoderOptions { TellUnused = false }).Decode(text, "", []);

    /// <summary>Objects of a golden: their names are the product's own, which no user could write.</summary>
    public static IReadOnlyList<Resource> Golden(string text)
    {
        var found = new List<Resource>();
        foreach (MappingNode root in DocumentReader.Read(text, "", []).Select(document => document.Root).OfType<MappingNode>())
        {
            string version = root.Text("apiVersion")!;
            ResourceKind kind = Kinds.Find(version[..version.LastIndexOf('/')], root.Text("kind")!)!;
            var metadata = (MappingNode)root["metadata"]!;
            var message = kind.NewMessage();
            if (root["spec"] is { IsNull: false } spec) new MessageReader("", []).ReadInto(spec, message, "spec");
            var annotations = (metadata["annotations"] as MappingNode)?.Members.ToDictionary(m => m.Name,
                m => (m.Value as ScalarNode)?.Value ?? "") ?? [];
            found.Add(kind.NewResource(
                new ResourceMetadata
                {
                    Name = metadata.Text("name")!,
                    Namespace = metadata.Text("namespace") ?? "",
                    Annotations = annotations,
                }, message, null, ResourceOrigin.None));
        }
        return found;
    }

    private string Written(JsonElement service)
    {
        (string host, string ns) = (service.Text("hostname"), service.Text("namespace"));
        JsonElement[] ports = [.. service.GetProperty("ports").EnumerateArray()];
        var yaml = new StringBuilder();
        if (!host.EndsWith(".svc." + DomainSuffix, StringComparison.Ordinal))
        {
            yaml.Append($"apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata:\n  name: {host}\n  "
                + $"namespace: {ns}\nspec:\n  hosts: [{host}]\n  resolution: STATIC\n  endpoints: [{{address: 10.0.0.1}}]\n  ports:\n");
            foreach (JsonElement port in ports)
                yaml.Append($"  - {{name: {port.Text("name")}, number: {port.Number("port")}, protocol: {port.Text("protocol")}}}\n");
            return yaml.ToString();
        }
        string name = host.Split('.')[0];
        yaml.Append($"apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  namespace: {ns}\n");
        if (service.Map("labels") is { Count: > 0 } labels)
            yaml.Append("  labels:\n" + string.Concat(labels.Select(label => $"    {label.Key}: \"{label.Value}\"\n")));
        yaml.Append(
            $"spec:\n  clusterIP: 10.96.0.1\n{(service.Texts("externalAddresses").Count > 0 ? "  type: LoadBalancer\n" : "")}  ports:\n");
        foreach (JsonElement port in ports) yaml.Append($"  - {{name: {port.Text("name")}, port: {port.Number("port")}}}\n");
        if (service.Texts("externalAddresses") is { Count: > 0 } external)
            yaml.Append("status:\n  loadBalancer:\n    ingress:\n" + string.Concat(external.Select(ip => $"    - ip: {ip}\n")));
        yaml.Append($"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: {name}\n  namespace: {ns}\n  "
            + $"labels:\n    kubernetes.io/service-name: {name}\naddressType: IPv4\nendpoints:\n- addresses: [10.0.0.1]\nports:\n");
        // The first is served at 8080; that the others have some port is all that counts.
        foreach (JsonElement port in ports)
            yaml.Append($"- {{name: {port.Text("name")}, port: {(port.Number("port") == ports[0].Number("port") ? 8080 : 1)}}}\n");
        return yaml.ToString();
    }
}
