// Standard: the conformance tests of the Gateway API itself. Manifests go to the real control plane; what a cluster would add to them
// (addresses, pods, endpoints, a deployment and a service for each gateway) is added here. Requests go through real proxies on the
// in-memory network, and conditions are those that the control plane would write down.
using System.Globalization;
using System.Text;
using Kubernetes.Apps.V1;
using Kubernetes.Core.V1;
using Kubernetes.Meta.V1;
using Lateen.Config.Resources;
using Lateen.Proxy.Tls;
using Lateen.Test.Rigs.Stage;
using Lateen.Test.Rigs.Text;
using Gateway = Kubernetes.Gateway.V1.Gateway;
using StagePod = Lateen.Test.Rigs.Stage.Pod;

namespace Lateen.Test.Conformance.Runners.GatewayApi.Standard;

/// <summary>A cluster with the manifests of one test.</summary>
internal sealed class Cluster
{
    /// <summary>The class of gateways that is tested.</summary>
    public const string GatewayClass = "istio";

    // Where the backends of the tests speak TLS.
    private const int TlsPort = 8443;

    private const string GatewayName = "gateway.networking.k8s.io/gateway-name";

    private readonly Mesh? _mesh;
    private readonly List<Resource> _objects = [];
    private readonly List<StagePod> _pods = [];
    private int _nextAddress = 1;

    /// <param name="manifests">As written.</param>
    /// <param name="gateways">Which gateways have a proxy ("namespace/name"); null where nobody sends a request, so that there is no mesh
    /// at all.</param>
    /// <param name="sidecars">Whether applications are in the mesh.</param>
    public Cluster(IEnumerable<string> manifests, IReadOnlySet<string>? gateways, bool sidecars)
    {
        _mesh = gateways is null && !sidecars ? null : new Mesh(1);
        // Gateways prove who they are, or they would get no certificate of a server.
        if (_mesh is not null)
            _mesh.ControlPlane.ProvenBy =
                from => _mesh.Pods.FirstOrDefault(pod => pod.Application is null && pod.Host.Ip.Host == from.Host) is { } gateway
                    ? [$"spiffe://cluster.local/ns/{gateway.Namespace}/sa/{gateway.Account}"] : null;
        Apply($"apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata:\n  name: {GatewayClass}\nspec:\n  "
            + $"controllerName: istio.io/gateway-controller\n");
        foreach (string document in manifests.SelectMany(text => ("\n" + text).Split("\n---")))
            Apply(Addressed(document.Replace("{GATEWAY_CLASS_NAME}", GatewayClass, StringComparison.Ordinal)));
        foreach (string certificate in Certificates.Objects()) Apply(certificate);
        foreach (var deployment in _objects.OfType<Resource<Deployment>>().ToArray()) Place(deployment, sidecars);
        foreach (var gateway in _objects.OfType<Resource<Gateway>>().Where(g => g.Spec.Spec?.GatewayClassName == GatewayClass).ToArray())
            Deploy(gateway, gateways?.Contains($"{gateway.Namespace}/{gateway.Name}") == true);
        foreach (var service in _objects.OfType<Resource<Service>>().Where(s => s.Spec.Spec is { Selector.Count: > 0 }).ToArray())
            Apply(Endpoints(service));
        // Slices that a test wrote without addresses get those of its first backend: it knows them only when it runs.
        foreach (var slice in _objects.OfType<Resource<Kubernetes.Discovery.V1.EndpointSlice>>()
            .Where(s => s.Spec.Endpoints.Count == 0 && s.Spec.AddressType == "IPv4").ToArray()) Fill(slice);
        _mesh?.Settle();
    }

    public Mesh Mesh => _mesh ?? throw new ScenarioException("nobody sends a request in this test");

    /// <summary>What the control plane refused.</summary>
    public List<string> Refusals { get; } = [];

    /// <summary>Everything that there is.</summary>
    public IReadOnlyList<Resource> Objects => _objects;

    /// <summary>Pods with an application.</summary>
    public IEnumerable<StagePod> Applications => _pods.Where(pod => pod.Application is not null);

    /// <summary>The proxy of a gateway.</summary>
    public StagePod? GatewayPod(string ns, string name) =>
        _pods.FirstOrDefault(pod => pod.Namespace == ns && pod.Labels.GetValueOrDefault(GatewayName) == name);

    /// <summary>The address of a service that a client in a namespace names.</summary>
    public string AddressOf(string host, string ns)
    {
        string[] parts = host.Split('.');
        var service = _objects.OfType<Resource<Service>>()
            .FirstOrDefault(s => s.Name == parts[0] && s.Namespace == (parts.Length > 1 ? parts[1] : ns));
        return service?.Spec.Spec?.ClusterIp ?? throw new ScenarioException($"there is no service {host}");
    }

    // A test may hold objects that are refused; they are then not there.
    private void Apply(string yaml)
    {
        if (yaml.Trim().Length == 0) return;
        IReadOnlyList<Resource> decoded = ConversionFixture.Decode(yaml);
        if (_mesh is not null && _mesh.Apply("test", yaml) is { Accepted: false } refusal)
        {
            Refusals.Add(string.Join("; ", refusal.Findings.Where(f => f.Level == "error").Select(f => $"{f.Object} {f.Text}")));
            return;
        }
        _objects.RemoveAll(known => decoded.Any(one => one.Key == known.Key));
        _objects.AddRange(decoded);
    }

    private void Add(StagePod pod)
    {
        _pods.Add(pod);
        _objects.AddRange(ConversionFixture.Decode(PodManifest.Of(pod)));
    }

    private string Addressed(string document)
    {
        if (!document.Contains("\nkind: Service\n", StringComparison.Ordinal) || document.Contains("clusterIP", StringComparison.Ordinal))
            return document;
        return document.Replace("\nspec:\n",
            string.Create(CultureInfo.InvariantCulture, $"\nspec:\n  clusterIP: 10.96.0.{_nextAddress++}\n"), StringComparison.Ordinal);
    }

    private void Place(Resource<Deployment> deployment, bool sidecars)
    {
        if (_mesh is null || deployment.Spec.Spec?.Template is not { } template) return;
        var labels = template.Metadata.Labels.ToDictionary();
        var ports = new Dictionary<int, string>();
        foreach (ServicePort port in _objects.OfType<Resource<Service>>()
            .Where(s => s.Namespace == deployment.Namespace && s.Spec.Spec is { Selector.Count: > 0 } spec
                && spec.Selector.All(l => labels.GetValueOrDefault(l.Key) == l.Value)).SelectMany(s => s.Spec.Spec.Ports))
            ports[Target(port)] = port.Name.StartsWith("tcp", StringComparison.Ordinal) ? "tcp" : Target(port) == TlsPort ? "tls" : "http";
        StagePod pod = _mesh.Place(deployment.Name, deployment.Namespace, labels, $"{deployment.Namespace}/{deployment.Name}", ports,
            sidecars);
        if (pod.Application is { } application) application.Tls = Certificates.OfBackend();
        Add(pod);
    }

    // What the controller of gateways does: a deployment and a service with the gateway's name and class.
    private void Deploy(Resource<Gateway> gateway, bool hasProxy)
    {
        string name = $"{gateway.Name}-{GatewayClass}";
        var labels = new Dictionary<string, string> { [GatewayName] = gateway.Name };
        string address = string.Create(CultureInfo.InvariantCulture, $"10.97.0.{_nextAddress++}");
        if (hasProxy && _mesh is not null)
            Add(_mesh.Place(name, gateway.Namespace, labels, null, new Dictionary<int, string>(), hasProxy: true));
        var sets = _objects.OfType<Resource<Kubernetes.Gateway.V1.ListenerSet>>()
            .Where(set => set.Spec.Spec?.ParentRef?.Name == gateway.Name).SelectMany(set => set.Spec.Spec.Listeners).Select(l => l.Port);
        var yaml = new StringBuilder(
            $"apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  namespace: {gateway.Namespace}\n  "
            + $"labels:\n    {GatewayName}: {gateway.Name}\nspec:\n  type: LoadBalancer\n  clusterIP: {address}\n  "
                + $"selector:\n    {GatewayName}: {gateway.Name}\n  ports:\n");
        foreach (int port in gateway.Spec.Spec.Listeners.Select(listener => listener.Port).Concat(sets).Append(15021).Distinct())
            yaml.Append(CultureInfo.InvariantCulture, $"  - name: port-{port}\n    port: {port}\n    targetPort: {port}\n");
        yaml.Append($"status:\n  loadBalancer:\n    ingress:\n    - ip: {address}\n");
        Apply(yaml.ToString());
        // Gateways without a proxy are there, too, for everybody but the network.
        if (!hasProxy)
            Apply($"apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  namespace: {gateway.Namespace}\n  "
                + $"labels:\n    {GatewayName}: {gateway.Name}\nspec:\n  containers: [{{name: istio-proxy, image: proxy}}]\nstatus:\n  "
                    + $"phase: Running\n  podIP: {address}\n");
    }

    private string Endpoints(Resource<Service> service)
    {
        var behind = _pods.Where(
            pod => pod.Namespace == service.Namespace
                && service.Spec.Spec.Selector.All(label => pod.Labels.GetValueOrDefault(label.Key) == label.Value))
                .Select(pod => (pod.Host.Ip.Host, pod.Name)).ToList();
        // Without a mesh every service has an endpoint, as in a cluster whose pods are ready.
        if (behind.Count == 0) behind.Add((service.Spec.Spec.ClusterIp is { Length: > 0 } ip and not "None" ? ip : "10.98.0.1", ""));
        var yaml = new StringBuilder(
            $"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: {service.Name}-slice\n  "
            + $"namespace: {service.Namespace}\n  labels:\n    kubernetes.io/service-name: {service.Name}\naddressType: IPv4\nports:\n");
        foreach (ServicePort port in service.Spec.Spec.Ports)
            yaml.Append(CultureInfo.InvariantCulture, $"- name: \"{port.Name}\"\n  port: {Target(port)}\n  protocol: TCP\n");
        yaml.Append("endpoints:\n");
        foreach ((string address, string pod) in behind)
        {
            yaml.Append($"- addresses: [{address}]\n  conditions:\n    ready: true\n");
            if (pod.Length > 0) yaml.Append($"  targetRef:\n    kind: Pod\n    name: {pod}\n    namespace: {service.Namespace}\n");
        }
        return yaml.ToString();
    }

    private void Fill(Resource<Kubernetes.Discovery.V1.EndpointSlice> slice)
    {
        if (_pods.FirstOrDefault(pod => pod.Namespace == slice.Namespace
            && pod.Labels.GetValueOrDefault("app") == "infra-backend-v1") is not { } backend) return;
        string ports = string.Concat(
            slice.Spec.Ports.Select(port =>
                string.Create(CultureInfo.InvariantCulture, $"- name: \"{port.Name}\"\n  port: {port.Port}\n  protocol: TCP\n")));
        Apply($"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: {slice.Name}\n  "
            + $"namespace: {slice.Namespace}\n  labels:\n    kubernetes.io/service-name: {slice.Labels["kubernetes.io/service-name"]}\n"
            + $"addressType: IPv4\nports:\n{ports}endpoints:\n- addresses: [{backend.Host.Ip.Host}]\n  conditions:\n    ready: true\n");
    }

    private static int Target(ServicePort port) =>
        port.TargetPort is { ValueCase: IntOrString.ValueOneofCase.Number } target ? target.Number : port.Port;
}

/// <summary>Certificates that the tests make before they begin.</summary>
internal static class Certificates
{
    private const string Infrastructure = "gateway-conformance-infra";
    private static readonly Lazy<Authority> Signer = new(() => new Authority("conformance")), Other = new(() => new Authority("mismatch"));
    private static readonly Lazy<string[]> All = new(() =>
    [
        Secret("gateway-conformance-web-backend", "certificate", "*"),
        Secret(Infrastructure, "tls-validity-checks-certificate", "*", "*.org"),
        Secret(Infrastructure, "tls-passthrough-checks-certificate", "abc.example.com"),
        Secret(Infrastructure, "tls-terminate-checks-certificate", "abc.example.com"),
        Secret(Infrastructure, "tls-checks-certificate", "abc.example.com"),
        Secret("gateway-conformance-app-backend", "tls-checks-certificate", "abc.example.com"),
        Trust("tls-checks-ca-certificate", Signer.Value), Trust("mismatch-ca-certificate", Other.Value),
        Trust("tls-validity-checks-ca-certificate", Signer.Value),
        Trust("tls-validity-checks-per-port-ca-certificate", Signer.Value),
        Secret(Infrastructure, "tls-checks-client-certificate", "client.example.org"),
    ]);

    public static IReadOnlyList<string> Objects() => All.Value;

    /// <summary>What a client shows that the tests' authority knows.</summary>
    public static (string Chain, string Key) Client() => Signer.Value.Server("client.example.org");

    /// <summary>TLS of backends: the certificate that base manifests mount into them.</summary>
    public static TlsContext OfBackend()
    {
        (string chain, string key) = Signer.Value.Server("abc.example.com", "spiffe.abc.example.com");
        var options = new TlsOptions
        {
            IsServer = true,
            Alpn = ["h2", "http/1.1"],
            Certificates = [new TlsCertificate(Encoding.ASCII.GetBytes(chain), Encoding.ASCII.GetBytes(key))],
        };
        return TlsContext.Create(options, out string error) ?? throw new ScenarioException(error);
    }

    private static string Secret(string ns, string name, params string[] hosts)
    {
        (string chain, string key) = Signer.Value.Server(hosts);
        return $"apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\n  namespace: {ns}\ntype: kubernetes.io/tls\ndata:\n  "
            + $"tls.crt: {Encoded(chain)}\n  tls.key: {Encoded(key)}\n";
    }

    private static string Trust(string name, Authority authority) =>
        $"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  namespace: {Infrastructure}\ndata:\n  ca.crt: "
        + $"|\n{Mesh.Indented(authority.RootPem, 4)}";

    private static string Encoded(string text) => Convert.ToBase64String(Encoding.ASCII.GetBytes(text));
}
