using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;

namespace Lateen.Agent;

/// <summary>What an agent is told from outside. The names of the variables are those of Istio's agent; the few with LATEEN_ are for agents
/// that share a machine.</summary>
public sealed record AgentOptions
{
    private const string AuthorityHeaderPrefix = "CA_HEADER_";

    // Where the injector mounts what Kubernetes says of the pod.
    private const string PodFolder = "/etc/istio/pod";

    /// <summary>sidecar or router.</summary>
    public string Role { get; init; } = "sidecar";

    /// <summary>POD_NAME.</summary>
    public required string Name { get; init; }

    /// <summary>POD_NAMESPACE.</summary>
    public string Namespace { get; init; } = "default";

    /// <summary>INSTANCE_IP.</summary>
    public string Address { get; init; } = "127.0.0.1";

    /// <summary>SERVICE_ACCOUNT.</summary>
    public string ServiceAccount { get; init; } = "default";

    /// <summary>The cluster's domain.</summary>
    public string Domain { get; init; } = "cluster.local";

    /// <summary>LATEEN_DISCOVERY, else PROXY_CONFIG's discoveryAddress: host:port, unix:PATH, or tls+unix:PATH.</summary>
    public string Discovery { get; init; } = "istiod.istio-system.svc:15012";

    /// <summary>Where the agent keeps its files.</summary>
    public string Folder { get; init; } = ".";

    /// <summary>LATEEN_BIND: the address the workload's ports are served on; null for all.</summary>
    public string? Bind { get; init; }

    /// <summary>LATEEN_PROGRAM: the address the program listens on where it is not the workload's own.</summary>
    public string? Program { get; init; }

    /// <summary>LATEEN_PORTS: the ports of the program that are served on <see cref="Bind"/>.</summary>
    public IReadOnlyList<int> ProgramPorts { get; init; } = [];

    /// <summary>LATEEN_WORKLOADS: the addresses of workloads that share this machine's loopback interface; null where they do
    /// not.</summary>
    public IPNetwork? Workloads { get; init; }

    /// <summary>LATEEN_MARK: the mark of every connection that the proxy makes, where capture rules tell its traffic by it; 0 for
    /// none.</summary>
    public int Mark { get; init; }

    /// <summary>Threads of the proxy that serve traffic; 0 for one a core.</summary>
    public int Concurrency { get; init; }

    public int AdminPort { get; init; } = 15000;

    public int AgentPort { get; init; } = 15020;

    public int StatusPort { get; init; } = 15021;

    public int MetricsPort { get; init; } = 15090;

    /// <summary>The DNS proxy's port; 0 for none.</summary>
    public int DnsPort { get; init; } = 15053;

    /// <summary>ISTIO_KUBE_APP_PROBERS: probes of the application that are asked for here; empty for none.</summary>
    public string AppProbers { get; init; } = "";

    /// <summary>The workload's identity: where it comes from and how it is kept.</summary>
    public Secrets.IdentityOptions Identity { get; init; } = new();

    /// <summary>Headers for requests to the certificate authority, from CA_HEADER_NAME.</summary>
    public IReadOnlyDictionary<string, string> AuthorityHeaders { get; init; } = new Dictionary<string, string>();

    /// <summary>Node metadata from ISTIO_META_NAME (texts) and ISTIO_METAJSON_NAME (JSON).</summary>
    public JsonObject Metadata { get; init; } = [];

    /// <summary>Where the agent's own services listen.</summary>
    public string LocalAddress => Bind ?? "127.0.0.1";

    /// <summary>The node's id, as xDS servers know it.</summary>
    public string NodeId => $"{Role}~{Address}~{Name}.{Namespace}~{Namespace}.svc.{Domain}";

    /// <summary>Reads the environment of this process.</summary>
    public static AgentOptions FromEnvironment(string role)
    {
        AgentOptions options = From(role, Environment.GetEnvironmentVariables()
            .Cast<System.Collections.DictionaryEntry>().ToDictionary(pair => (string)pair.Key, pair => (string?)pair.Value ?? ""));
        Bootstrap.DownwardFile.AddTo(options.Metadata, PodFolder);
        return options;
    }

    /// <summary>Reads an environment.</summary>
    public static AgentOptions From(string role, IReadOnlyDictionary<string, string> environment)
    {
        string Text(string name, string otherwise) =>
            environment.TryGetValue(name, out string? value) && value.Length > 0 ? value : otherwise;
        int Number(string name, int otherwise) =>
            int.TryParse(Text(name, ""), NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : otherwise;
        Dictionary<string, string> authorityHeaders =
            environment.Where(pair => pair.Key.StartsWith(AuthorityHeaderPrefix, StringComparison.Ordinal))
                .ToDictionary(pair => pair.Key[AuthorityHeaderPrefix.Length..], pair => pair.Value);
        JsonObject? proxyConfig = Json(Text("PROXY_CONFIG", "")) as JsonObject;
        return new AgentOptions
        {
            Role = role,
            Name = Text("POD_NAME", Environment.MachineName),
            Namespace = Text("POD_NAMESPACE", "default"),
            Address = Text("INSTANCE_IP", "127.0.0.1"),
            ServiceAccount = Text("SERVICE_ACCOUNT", "default"),
            Domain = Text("TRUST_DOMAIN", "cluster.local"),
            Discovery = Text("LATEEN_DISCOVERY", proxyConfig?["discoveryAddress"]?.ToString() ?? "istiod.istio-system.svc:15012"),
            Folder = Text("LATEEN_FOLDER", "."),
            Bind = Text("LATEEN_BIND", "") is { Length: > 0 } bind ? bind : null,
            Program = Text("LATEEN_PROGRAM", "") is { Length: > 0 } program ? program : null,
            ProgramPorts = [.. Text("LATEEN_PORTS", "").Split(',', StringSplitOptions.RemoveEmptyEntries)
                .Select(port => int.Parse(port, CultureInfo.InvariantCulture))],
            Workloads = IPNetwork.TryParse(Text("LATEEN_WORKLOADS", ""), out IPNetwork workloads) ? workloads : null,
            Mark = Number("LATEEN_MARK", 0),
            Concurrency = Number("LATEEN_CONCURRENCY", proxyConfig?["concurrency"]?.GetValue<int>() ?? 0),
            AdminPort = Number("LATEEN_ADMIN_PORT", 15000),
            AgentPort = Number("LATEEN_AGENT_PORT", 15020),
            StatusPort = Number("ENVOY_STATUS_PORT", 15021),
            MetricsPort = Number("ENVOY_PROMETHEUS_PORT", 15090),
            DnsPort = role == "sidecar" && Text("ISTIO_META_DNS_CAPTURE", "false") == "true" ? 15053 : 0,
            AppProbers = Text("ISTIO_KUBE_APP_PROBERS", ""),
            AuthorityHeaders = authorityHeaders,
            Identity = Secrets.IdentityOptions.From(environment) with { Headers = authorityHeaders },
            Metadata = MetadataOf(environment),
        };
    }

    private static JsonObject MetadataOf(IReadOnlyDictionary<string, string> environment)
    {
        var metadata = new JsonObject();
        foreach ((string name, string value) in environment.OrderBy(e => e.Key, StringComparer.Ordinal))
        {
            if (name.StartsWith("ISTIO_METAJSON_", StringComparison.Ordinal)) metadata[name["ISTIO_METAJSON_".Length..]] = Json(value);
            else if (name.StartsWith("ISTIO_META_", StringComparison.Ordinal)) metadata[name["ISTIO_META_".Length..]] = value;
        }
        return metadata;
    }

    private static JsonNode? Json(string text)
    {
        try { return text.Length == 0 ? null : JsonNode.Parse(text); }
        catch (System.Text.Json.JsonException) { return null; }
    }
}
