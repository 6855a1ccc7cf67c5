using System.Globalization;
using System.Text.Json.Nodes;
using Lateen.Cli.Network;
using Lateen.Cli.Processes;

namespace Lateen.Cli.Up;

/// <summary>A workload that runs: its place, its sidecar and its program.</summary>
internal sealed class Workload
{
    private readonly MeshState _state;
    private readonly Placement _placement;

    public Workload(int number, WorkloadPlan plan, Placement placement, Spawner spawner, MeshState state, Action<string> say)
    {
        (Number, Plan, _placement, _state) = (number, plan, placement, state);
        Folder = state.WorkloadFolder(plan.Name);
        ProxyPorts = plan.IsGateway || placement.Network is null
            ? Up.ProxyPorts.Free(placement.Network is null && !plan.IsGateway ? placement.Address : null) : Up.ProxyPorts.Istio;
        Sidecar = new Supervised(plan.IsGateway ? plan.Deployment : $"the sidecar of {plan.Deployment}", spawner, SidecarSpec, say);
        if (plan.Command.Count > 0) Program = new Supervised(plan.Deployment, spawner, ProgramSpec, say);
    }

    public int Number { get; }

    public WorkloadPlan Plan { get; }

    public Placement Placement => _placement;

    public string Address => _placement.Address.ToString();

    public string Folder { get; }

    public ProxyPorts ProxyPorts { get; }

    /// <summary>The proxy with its agent.</summary>
    public Supervised Sidecar { get; }

    /// <summary>The program, or null for a gateway and for one that `lateen run` looks after.</summary>
    public Supervised? Program { get; }

    /// <summary>True once the sidecar has said that it is ready (it writes a file, see the agent).</summary>
    public bool IsReady => File.Exists(Path.Combine(Folder, "ready"));

    /// <summary>The log of the program, and that of its sidecar.</summary>
    public string Log => _state.Log(Plan.IsGateway ? "ingressgateway" : Plan.Deployment);

    public string SidecarLog => Plan.IsGateway ? Log : _state.Log(Plan.Deployment + ".sidecar");

    public async Task StopAsync()
    {
        // The program first: while it ends its answers still leave through the sidecar.
        if (Program is not null) await Program.StopAsync(TimeSpan.FromSeconds(3)).ConfigureAwait(false);
        await Sidecar.StopAsync(TimeSpan.FromSeconds(1)).ConfigureAwait(false);
    }

    /// <summary>The sidecar's process: this program again, told about its workload as Istio's agent is.</summary>
    public ProcessSpec SidecarSpec()
    {
        File.Delete(Path.Combine(Folder, "ready"));
        var environment = OwnEnvironment();
        foreach ((string name, string value) in SidecarEnvironment()) environment[name] = value;
        (string program, string[] first) = Self();
        return new ProcessSpec
        {
            Program = program,
            Arguments = [.. first, "agent", Plan.IsGateway ? "router" : "sidecar"],
            Environment = environment,
            Folder = Folder,
            Network = _placement.Network,
            Group = Plan.IsGateway ? null : _placement.SidecarGroup,
            Log = SidecarLog,
            // Asked to end rather than ended: a sidecar whose starter has gone ends what its program has started in turn, see the agent.
            DeathSignal = Posix.SignalTerminate,
        };
    }

    /// <summary>What the program sees beside its own settings.</summary>
    public Dictionary<string, string> ProgramEnvironment()
    {
        Dictionary<string, string> environment = OwnEnvironment();
        environment["HOSTNAME"] = environment["POD_NAME"] = Plan.Name;
        environment["POD_NAMESPACE"] = Plan.Namespace;
        environment["POD_IP"] = Address;
        environment["SERVICE_ACCOUNT"] = Plan.ServiceAccount;
        if (Plan.Ports is [int port, ..]) environment["PORT"] = port.ToString(CultureInfo.InvariantCulture);
        foreach ((string name, string value) in _placement.Program) environment[name] = value;
        foreach ((string name, string value) in Plan.Environment) environment[name] = WorkloadPlan.Expand(value, environment);
        return environment;
    }

    /// <summary>Where a workload's folder has its token.</summary>
    public const string TokenFile = "var/run/secrets/tokens/istio-token";

    /// <summary>The file in a workload's folder that tells its program's number, which is its group's, too.</summary>
    public const string ProgramFile = "program";

    /// <summary>This program, and what must stand before its arguments where it runs under `dotnet`.</summary>
    public static (string Program, string[] First) Self()
    {
        string path = Environment.ProcessPath ?? "lateen";
        return Path.GetFileNameWithoutExtension(path) == "dotnet"
            ? (path, [Path.Combine(AppContext.BaseDirectory, "lateen.dll")]) : (path, []);
    }

    private ProcessSpec ProgramSpec()
    {
        Dictionary<string, string> environment = ProgramEnvironment();
        string[] command = [.. Plan.Command.Select(part => WorkloadPlan.Expand(part, environment))];
        return new ProcessSpec
        {
            Program = command[0],
            Arguments = command[1..],
            NumberFile = Path.Combine(Folder, ProgramFile),
            Environment = environment,
            Folder = Plan.Folder,
            Network = _placement.Network,
            Log = Log,
        };
    }

    private Dictionary<string, string> SidecarEnvironment()
    {
        var labels = new JsonObject(
            Plan.Labels.Select(l => KeyValuePair.Create(l.Key, (JsonNode?)l.Value))) { [ClusterObjects.MutualTls] = "istio" };
        var environment = new Dictionary<string, string>
        {
            ["POD_NAME"] = Plan.Name,
            ["POD_NAMESPACE"] = Plan.Namespace,
            ["INSTANCE_IP"] = Address,
            ["SERVICE_ACCOUNT"] = Plan.ServiceAccount,
            ["TRUST_DOMAIN"] = "cluster.local",
            ["LATEEN_DISCOVERY"] = "tls+unix:" + Path.GetRelativePath(Folder, _state.SecureSocket),
            ["XDS_ROOT_CA"] = Path.GetRelativePath(Folder, Path.Combine(_state.Authority, "root-cert.pem")),
            ["ISTIO_META_CLUSTER_ID"] = "Kubernetes",
            ["ISTIO_META_MESH_ID"] = "cluster.local",
            ["ISTIO_META_NODE_NAME"] = ClusterObjects.NodeName,
            ["ISTIO_META_WORKLOAD_NAME"] = Plan.Deployment,
            ["ISTIO_META_OWNER"] = $"kubernetes://apis/apps/v1/namespaces/{Plan.Namespace}/deployments/{Plan.Deployment}",
            ["ISTIO_META_INTERCEPTION_MODE"] = "REDIRECT",
            ["ISTIO_META_DNS_CAPTURE"] = "true",
            ["ISTIO_META_APP_CONTAINERS"] = Plan.Labels.GetValueOrDefault("app", Plan.Deployment),
            ["ISTIO_META_POD_PORTS"] =
                new JsonArray(Plan.Ports.Select(port => (JsonNode)new JsonObject { ["containerPort"] = port, ["protocol"] = "TCP" })
                    .ToArray()).ToJsonString(),
            ["ISTIO_META_LATEEN_ADMIN"] = Plan.IsGateway ? $"127.0.0.1:{ProxyPorts.Admin}" : _placement.Network is null
                ? $"{Address}:{ProxyPorts.Admin}" : $"{Address}:{ProxyPorts.Agent}/admin",
            ["ISTIO_METAJSON_LABELS"] = labels.ToJsonString(),
            // A sidecar is small: one heap, small steps, no background compiler threads that outlive its start.
            ["DOTNET_GCgen0size"] = "0x200000",
            ["DOTNET_TieredPGO"] = "0",
            // No door for debuggers and profilers: three threads, and files in /tmp that a killed process leaves behind.
            ["DOTNET_EnableDiagnostics"] = "0",
            ["LATEEN_CONCURRENCY"] = Plan.IsGateway ? "2" : "1",
        };
        foreach ((string name, string value) in ProxyPorts.Environment()) environment[name] = value;
        foreach ((string name, string value) in _placement.Sidecar) environment[name] = value;
        return environment;
    }

    private static Dictionary<string, string> OwnEnvironment() =>
        Environment.GetEnvironmentVariables().Cast<System.Collections.DictionaryEntry>()
            .ToDictionary(pair => (string)pair.Key, pair => (string?)pair.Value ?? "");
}
