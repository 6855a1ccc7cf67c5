// Stage: the whole mesh in one process: the control plane, a proxy for each pod, applications and a network, under one seed and a virtual
// clock. Everything but the applications, the callers and the gRPC server in front of the control loop is the product itself. The mesh owns
// the network and nothing else reads the machine's clock or makes a thread.
using System.Globalization;
using System.Text;
using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;
using Lateen.Config.Store;
using Lateen.Config.Validation;
using Lateen.ControlPlane;
using Lateen.ControlPlane.Operator;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Lateen.Test.Rigs.Text;

namespace Lateen.Test.Rigs.Stage;

/// <summary>A mesh on the in-memory network.</summary>
internal sealed class Mesh
{
    private const long SettleMicros = 60_000_000;
    private const string LogFormat =
        "%REQ(X-CALL)%~%RESPONSE_FLAGS%~%UPSTREAM_CLUSTER%~%ROUTE_NAME%~%RESPONSE_CODE_DETAILS%~%UPSTREAM_HOST%\\n";

    private readonly ResourceStore _store;
    private readonly List<ServiceManifest> _services = [];
    private readonly List<Pod> _pods = [];
    private readonly Dictionary<string, Address> _names = [];
    private List<string>? _together;
    private int _nextPod = 10, _nextService = 10, _nextCall;

    public Mesh(ulong seed)
    {
        Network = new MemoryNetwork(seed);
        var time = new VirtualTime(Network);
        _store = new ResourceStore(Validator.Check, time);
        Discovery = new DiscoveryWay(ControlPlaneAt);
        ControlPlaneHost = Network.AddHost("istiod", ControlPlaneAt);
        ControlPlane = new ControlPlaneProcess(ControlPlaneHost, _store, time);
        ControlPlane.Start();
        Outside = Network.AddHost("outside", Address.V4(0xc6336401, 0)).AddLoop("client");
        MeshConfig("");
    }

    /// <summary>Where the control plane is.</summary>
    public static Address ControlPlaneAt { get; } = Address.V4(0x0a000002, ControlPlaneProcess.Port);

    public MemoryNetwork Network { get; }

    /// <summary>How proxies of pods that are added from now on ask for their configuration.</summary>
    public DiscoveryWay Discovery { get; set; }

    /// <summary>Everything that is written, as an API server has it. The control plane reads it there.</summary>
    public ResourceStore Store => _store;

    /// <summary>Everything that is written.</summary>
    public ResourceView Written => _store.Current;

    public MemoryHost ControlPlaneHost { get; }

    public ControlPlaneProcess ControlPlane { get; }

    /// <summary>A machine outside of the mesh from which gateways are called.</summary>
    public MemoryLoop Outside { get; }

    public IReadOnlyList<Pod> Pods => _pods;

    /// <summary>Pods that are added from now on have the product's own agent, and certificates of the control plane's authority.</summary>
    public bool HasAgents { get; set; }

    /// <summary>Signs the identities of pods that have one.</summary>
    public Authority Authority => field ??= new Authority("cluster.local");

    /// <summary>What the callers got, in order.</summary>
    public List<Call> Calls { get; } = [];

    /// <summary>External servers by their names.</summary>
    public Dictionary<string, Application> External { get; } = [];

    // Building

    /// <summary>Builds a stage in one change, and starts the proxies when the control plane has compiled it: one push a proxy instead of a
    /// dozen.</summary>
    public void Together(Action build)
    {
        _together = [];
        build();
        string all = string.Join("---\n", _together.Append(Endpoints()));
        _together = null;
        ApplyOrFail("stage", all);
        Network.Advance(2 * (long)new ControlPlaneOptions { StateFolder = "" }.DebounceAfter.TotalMicroseconds);
        foreach (Pod pod in _pods) pod.StartProxy();
        Settle();
    }

    /// <summary>Settings of the mesh on top of an access log that scenarios read.</summary>
    public void MeshConfig(string yaml) =>
        ApplyOrFail("mesh",
            $"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: istio\n  namespace: istio-system\ndata:\n  mesh: "
            + $"|\n{Indented(Settings(yaml), 4)}");

    /// <summary>Settings of the mesh as they are written, with the access log that scenarios read.</summary>
    public static string Settings(string yaml) => $"accessLogFile: /dev/stdout\naccessLogFormat: \"{LogFormat}\"\n{yaml}";

    /// <summary>One more process of the control plane, which does not run yet.</summary>
    public ControlPlaneProcess AddControlPlane(string name, Address at) => new(Network.AddHost(name, at), _store, new VirtualTime(Network));

    public void AddService(string name, string inNamespace, params PortManifest[] ports)
    {
        var service = new ServiceManifest(name, inNamespace, Address.V4(0x0a600000u + (uint)_nextService++, 0), ports);
        _services.Add(service);
        _names[name] = _names[$"{name}.{inNamespace}"] = _names[$"{name}.{inNamespace}.svc.cluster.local"] = service.ClusterIp;
        ApplyOrFail(name, service.ToYaml());
    }

    /// <summary>A pod with an application and a sidecar, behind every service that selects its app.</summary>
    /// <param name="app">The application's name and its label <c>app</c>.</param>
    /// <param name="version">Its label <c>version</c>.</param>
    /// <param name="inNamespace">Its namespace.</param>
    /// <param name="account">The service account whose identity its sidecar has, for mutual TLS; null for a sidecar without one.</param>
    public Pod AddPod(string app, string version, string inNamespace, string? account = null)
    {
        int number = _nextPod++;
        var ports = new Dictionary<int, string>();
        foreach (PortManifest port in _services.Where(s => s.Name == app && s.Namespace == inNamespace).SelectMany(s => s.Ports))
            ports[port.Target] = port.Protocol;
        string name = $"{app}-{version}-{number}";
        MemoryHost host = Network.AddHost(name, Address.V4(0x0af40000u + (uint)number, 0));
        var application = new Application(host, $"{app} {version}", ports);
        var labels = new Dictionary<string, string> { ["app"] = app, ["version"] = version };
        if (account is not null || HasAgents) labels["security.istio.io/tlsMode"] = "istio";
        if (HasAgents) account ??= $"bookinfo-{app}";
        var pod = new Pod(host, name, inNamespace, labels, application, Discovery, account ?? "default",
            account is null || HasAgents ? null : Authority, HasAgents ? ControlPlane.Secure : null);
        Add(pod);
        application.Start();
        return pod;
    }

    /// <summary>A gateway's proxy behind the service of the same name.</summary>
    public Pod AddGateway(string name, string inNamespace, string? account = null)
    {
        int number = _nextPod++;
        MemoryHost host = Network.AddHost(name, Address.V4(0x0af40000u + (uint)number, 0));
        var pod = new Pod(host, $"{name}-{number}", inNamespace,
            new Dictionary<string, string> { ["app"] = name, ["istio"] = name.Replace("istio-", "", StringComparison.Ordinal) }, null,
            Discovery,
            account ?? "default", account is null || HasAgents ? null : Authority, HasAgents ? ControlPlane.Secure : null);
        Add(pod);
        return pod;
    }

    /// <summary>A pod as somebody else describes it, whose endpoints he writes himself.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="inNamespace">Its namespace.</param>
    /// <param name="labels">Its labels.</param>
    /// <param name="application">The name that its application answers with; null for a gateway.</param>
    /// <param name="ports">Ports that the application serves, and their protocols.</param>
    /// <param name="hasProxy">Whether it is in the mesh.</param>
    public Pod Place(string name, string inNamespace, IReadOnlyDictionary<string, string> labels, string? application,
        IReadOnlyDictionary<int, string> ports, bool hasProxy)
    {
        int number = _nextPod++;
        MemoryHost host = Network.AddHost($"{name}-{number}", Address.V4(0x0af40000u + (uint)number, 0));
        Application? served = application is null ? null : new Application(host, application, ports);
        var pod = new Pod(host, $"{name}-{number}", inNamespace, labels, served, Discovery);
        Add(pod, hasProxy);
        served?.Start();
        return pod;
    }

    /// <summary>A server that the mesh knows nothing of.</summary>
    public void AddExternal(string name, string ip, int port, string protocol)
    {
        if (!Address.TryParse(ip, 0, out Address at)) throw new ScenarioException($"{ip} is no IP address");
        var application = new Application(Network.AddHost(name, at), name, new Dictionary<int, string> { [port] = protocol });
        application.Start();
        External[name] = application;
        _names[name] = at;
    }

    /// <summary>A name as a caller's DNS knows it.</summary>
    public void Name(string host, string ip)
    {
        if (!Address.TryParse(ip, 0, out Address at)) throw new ScenarioException($"{ip} is no IP address");
        _names[host] = at;
    }

    private void Add(Pod pod, bool hasProxy = true)
    {
        _pods.Add(pod);
        ApplyOrFail(pod.Name, PodManifest.Of(pod));
        if (_together is not null) return;
        WriteEndpoints();
        if (hasProxy) pod.StartProxy();
    }

    /// <summary>Tells the control plane which pods are there and ready, as Kubernetes would.</summary>
    public void WriteEndpoints()
    {
        if (_services.Count > 0) ApplyOrFail("endpoints", Endpoints());
    }

    private string Endpoints() => string.Join("---\n", _services.Select(service =>
        service.EndpointsYaml([.. _pods.Where(pod => pod.Namespace == service.Namespace && pod.Labels["app"] == service.Name)])));

    // Changing

    public ChangeAnswer Apply(string name, string yaml, string? inNamespace = null) => ControlPlane.Apply(name, yaml, inNamespace);

    /// <summary>Applies what has to be right.</summary>
    public void ApplyOrFail(string name, string yaml, string? inNamespace = null)
    {
        if (_together is not null && inNamespace is null)
        {
            _together.Add(yaml.TrimEnd('\n') + "\n");
            return;
        }
        ChangeAnswer answer = Apply(name, yaml, inNamespace);
        if (!answer.Accepted) throw new ScenarioException(
            $"{name} was refused: {string.Join("; ", answer.Findings.Where(f => f.Level == "error").Select(f => $"{f.Place} {f.Text}"))}");
    }

    /// <summary>Waits until every proxy runs what is written.</summary>
    public void Settle()
    {
        if (ControlPlane.Control is null) return;
        int proxies = _pods.Count(pod => pod.Proxy is not null);
        bool done = Network.RunUntil(() => ControlPlane.Control.Streams.Count >= proxies && ControlPlane.IsSettled, SettleMicros);
        string[] refusals = [.. ControlPlane.Refusals];
        if (refusals.Length > 0) throw new ScenarioException(string.Join("\n", refusals));
        if (!done)
            throw new ScenarioException(
                $"the proxies do not run the newest configuration after 60 s; they "
                + $"said: {string.Join("; ", _pods.SelectMany(pod => pod.Said.Select(said => $"{pod.Name}: {said}")).Take(5))}");
        // A proxy that has its clusters is settled for a moment, before it asks for listeners.
        Network.Advance(2_000);
    }

    /// <summary>Writes and deletes in one change, past the control plane, which may be away: as an API server takes it.</summary>
    public void Write(string yaml, IReadOnlyList<ResourceKey> gone)
    {
        var found = new DiagnosticBag();
        IReadOnlyList<Resource> resources = yaml.Length == 0 ? [] : new ResourceDecoder().Decode(yaml, "written", found);
        ApplyResult result = _store.Apply(new ChangeSet { Put = resources, Delete = gone, Author = "scenario" });
        if (found.HasErrors || !result.Accepted)
            throw new ScenarioException(
                $"this was refused: {string.Join("; ", found.Concat(result.Diagnostics).Where(d => d.IsError))}\n{yaml}");
        ControlPlane.Look();
    }

    // Calling

    /// <summary>Where a caller's DNS sends a name; what nobody knows is somewhere in the internet.</summary>
    public Address Resolve(string host, int port)
    {
        if (Address.TryParse(host, port, out Address literal)) return literal;
        return _names.TryGetValue(host, out Address known) ? known.WithPort(port) : Address.V4(0xcb007109, port);
    }

    public Call Call(MemoryLoop from, Address to, CallRequest request, Pod? proxy)
    {
        var call = new Call(from, to, request, $"call-{++_nextCall}", proxy);
        Calls.Add(call);
        return call;
    }

    /// <summary>Runs until calls are over; those that are not after a minute broke.</summary>
    public void Await(IReadOnlyCollection<Call> calls, long micros = 60_000_000)
    {
        if (Network.RunUntil(() => calls.All(call => call.IsOver), micros)) return;
        foreach (Call call in calls) call.GiveUp();
    }

    /// <summary>Pods that a scenario means by an app, or an app and a version.</summary>
    public IReadOnlyList<Pod> Find(string words)
    {
        Pod[] found = [.. _pods.Where(pod => pod.Application is { } app
            ? app.Name == words || pod.Labels["app"] == words : pod.Labels["istio"] == words || pod.Labels["app"] == words)];
        return found.Length > 0 ? found : throw new ScenarioException($"there is no {words} on the stage");
    }

    internal static string Indented(string text, int by) =>
        string.Concat(text.TrimEnd('\n').Split('\n').Select(line => new string(' ', by) + line + "\n"));
}

/// <summary>A port of a service.</summary>
internal sealed record PortManifest(int Port, int Target, string Protocol);

/// <summary>A service and its endpoints as Kubernetes would write them.</summary>
internal sealed record ServiceManifest(string Name, string Namespace, Address ClusterIp, IReadOnlyList<PortManifest> Ports)
{
    public string ToYaml()
    {
        var yaml = new StringBuilder(
            $"apiVersion: v1\nkind: Service\nmetadata:\n  name: {Name}\n  namespace: {Namespace}\nspec:\n  "
            + $"clusterIP: {ClusterIp.Host}\n  selector:\n    app: {Name}\n  ports:\n");
        foreach (PortManifest port in Ports)
            yaml.Append(CultureInfo.InvariantCulture,
                $"  - name: {port.Protocol}-{port.Port}\n    port: {port.Port}\n    targetPort: {port.Target}\n");
        return yaml.ToString();
    }

    public string EndpointsYaml(IReadOnlyList<Pod> pods)
    {
        var yaml = new StringBuilder(
            $"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: {Name}-slice\n  namespace: {Namespace}\n  "
            + $"labels:\n    kubernetes.io/service-name: {Name}\naddressType: IPv4\nports:\n");
        foreach (PortManifest port in Ports)
            yaml.Append(CultureInfo.InvariantCulture, $"- name: {port.Protocol}-{port.Port}\n  port: {port.Target}\n  protocol: TCP\n");
        yaml.Append(pods.Count == 0 ? "endpoints: []\n" : "endpoints:\n");
        foreach (Pod pod in pods)
            yaml.Append($"- addresses: [{pod.Host.Ip.Host}]\n  conditions:\n    ready: {(pod.IsReady ? "true" : "false")}\n  "
                + $"targetRef:\n    kind: Pod\n    name: {pod.Name}\n    namespace: {pod.Namespace}\n");
        return yaml.ToString();
    }
}

/// <summary>A pod as Kubernetes would write it.</summary>
internal static class PodManifest
{
    public static string Of(Pod pod) =>
        $"apiVersion: v1\nkind: Pod\nmetadata:\n  name: {pod.Name}\n  namespace: {pod.Namespace}\n  "
        + $"labels:\n{Mesh.Indented(string.Join('\n', pod.Labels.Select(label => $"{label.Key}: {label.Value}")), 4)}"
        + $"spec:\n  serviceAccountName: {pod.Account}\n  containers:\n  - name: app\n    image: app\nstatus:\n  phase: Running\n  "
            + $"podIP: {pod.Host.Ip.Host}\n  podIPs:\n  - ip: {pod.Host.Ip.Host}\n  conditions:\n  - type: Ready\n    status: \"True\"\n";
}
