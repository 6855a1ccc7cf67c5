using System.CommandLine;
using Lateen.Cli.Printing;
using Lateen.ControlPlane;
using Lateen.Pilot.Meaning;

namespace Lateen.Cli.Verbs;

/// <summary>`lateen controlplane`: runs the control plane in this process until it is told to stop.</summary>
internal static class ControlPlaneVerb
{
    public static Command Command(Terminal terminal)
    {
        var http = Address("--http-addr", "--httpAddr", ":8080", "where readiness, debug pages and the operator's API are served");
        var grpc = Address("--grpc-addr", "--grpcAddr", ":15010", "where xDS is served in clear text (gRPC over h2c)");
        var secureGrpc = Address("--secure-grpc-addr", "--secureGRPCAddr", ":15012",
            "where xDS and certificates are served over TLS, to those who prove who they are");
        var monitoring = Address("--monitoring-addr", "--monitoringAddr", ":15014", "where metrics and the version are served");
        var https = Address("--https-addr", "--httpsAddr", ":15017",
            "where a Kubernetes API server calls the webhooks, when it is followed");
        var socket = new Option<string?>("--grpc-socket") { Description = "a unix socket that serves xDS as well", HelpName = "path" };
        var secureSocket = new Option<string?>("--secure-grpc-socket")
        {
            Description = "a unix socket that serves xDS and certificates over TLS as well",
            HelpName = "path",
        };
        var authority = new Option<string>("--ca-dir")
        {
            Description =
                "keys for the certificate authority: ca-cert.pem, ca-key.pem, root-cert.pem, cert-chain.pem; without them it makes its own",
            DefaultValueFactory = _ => "etc/cacerts",
            HelpName = "folder",
        };
        var tokenKeys = new Option<string?>("--token-keys")
        {
            Description = "public keys (JWKS) of whoever issues tokens for workloads here",
            HelpName = "file",
        };
        var configFolder = new Option<string?>("--config-dir", "--configDir")
        {
            Description = "a folder of YAML files to serve and to watch",
            HelpName = "folder",
        };
        var configSource = new Option<string?>("--config-source")
        {
            Description = "another control plane whose configuration is taken over: xds://host:port",
            HelpName = "address",
        };
        ClusterFlags cluster = new();
        var revision = new Option<string>("--revision")
        {
            Description = "this control plane's revision: leaves configuration alone whose label istio.io/rev names another",
            DefaultValueFactory = _ => Environment.GetEnvironmentVariable("REVISION") ?? "",
        };
        var domain = new Option<string>("--domain")
        {
            Description = "the DNS domain of services",
            DefaultValueFactory = _ => "cluster.local",
        };
        var clusterId = new Option<string>("--cluster-id", "--clusterID")
        {
            Description = "the name of the cluster that configuration comes from",
            DefaultValueFactory = _ => "Kubernetes",
        };
        var rootNamespace = new Option<string>("--namespace", "-n")
        {
            Description = "the root namespace of the mesh",
            DefaultValueFactory = _ => "istio-system",
        };
        var debounce = new Option<int>("--debounce")
        {
            Description = "quiet time after a change before it is pushed, in ms (PILOT_DEBOUNCE_AFTER)",
            DefaultValueFactory = _ => (int)Settings.Duration("PILOT_DEBOUNCE_AFTER", TimeSpan.FromMilliseconds(100)).TotalMilliseconds,
            HelpName = "ms",
        };
        var debounceMax = new Option<int>("--debounce-max")
        {
            Description = "longest wait for that quiet, in ms (PILOT_DEBOUNCE_MAX)",
            DefaultValueFactory = _ => (int)Settings.Duration("PILOT_DEBOUNCE_MAX", TimeSpan.FromSeconds(10)).TotalMilliseconds,
            HelpName = "ms",
        };
        var shutdown = new Option<int>("--shutdown-duration")
        {
            Description = "how long streams may take to go to other replicas when this one is told to stop, in s",
            DefaultValueFactory = _ => 10,
            HelpName = "s",
        };
        var connectionAge = new Option<int>("--max-connection-age")
        {
            Description =
                "age at which a proxy is sent to look for a replica anew, in minutes; 0 for none (30 where a cluster is followed)",
            DefaultValueFactory = _ => -1,
            HelpName = "min",
        };
        Option<string?> state = Shared.State();
        var command = new Command("controlplane", "Run the control plane: configuration in, xDS out") { http, grpc, secureGrpc, monitoring,
            https, socket, secureSocket, authority, tokenKeys, configFolder, configSource, cluster.KubeConfig, cluster.Context, revision,
            domain, clusterId, rootNamespace, debounce, debounceMax, shutdown, connectionAge, state };
        command.SetAction((parsed, cancel) => Wiring.RunAsync(new ControlPlaneOptions
        {
            HttpAddress = parsed.GetRequiredValue(http),
            GrpcAddress = parsed.GetRequiredValue(grpc),
            MonitoringAddress = parsed.GetRequiredValue(monitoring),
            SecureGrpcAddress = parsed.GetRequiredValue(secureGrpc),
            HttpsAddress = parsed.GetRequiredValue(https),
            GrpcSocket = parsed.GetValue(socket),
            SecureGrpcSocket = parsed.GetValue(secureSocket),
            AuthorityFolder = parsed.GetRequiredValue(authority),
            TokenKeysFile = parsed.GetValue(tokenKeys),
            ConfigFolder = parsed.GetValue(configFolder),
            ConfigStream = StreamOf(parsed.GetValue(configSource)),
            Kubernetes = cluster.Access(parsed, isWanted: parsed.GetValue(configFolder) is null),
            Revision = parsed.GetRequiredValue(revision),
            StateFolder = Remote.StateFolder.ForControlPlane(parsed.GetValue(state)),
            Domain = parsed.GetRequiredValue(domain),
            RootNamespace = parsed.GetRequiredValue(rootNamespace),
            ClusterId = parsed.GetRequiredValue(clusterId),
            Environment = Variables,
            RequestBytesMax = (int)Math.Clamp(Settings.Number("ISTIO_GPRC_MAXRECVMSGSIZE", 4 << 20), 1 << 10, 1 << 30),
            ShutdownDuration = TimeSpan.FromSeconds(parsed.GetRequiredValue(shutdown)),
            ConnectionAgeMax = Age(parsed.GetRequiredValue(connectionAge), hasReplicas: parsed.GetValue(cluster.KubeConfig) is not null),
            DebounceAfter = TimeSpan.FromMilliseconds(parsed.GetRequiredValue(debounce)),
            DebounceMax = TimeSpan.FromMilliseconds(parsed.GetRequiredValue(debounceMax)),
        }, terminal.Error, cancel, Proxy.Server.StartMemory.GiveBackAll));
        return command;
    }

    private static string? StreamOf(string? address) => address is null ? null
        : Uri.TryCreate(address, UriKind.Absolute, out Uri? uri) && uri is { Scheme: "xds", Port: > 0 } ? uri.Authority
        : throw new CommandException($"--config-source {address} is no address of xDS",
            "Write xds://host:port; a folder is named with --config-dir, a cluster with --kubeconfig.", CommandException.Misuse);

    private static readonly Dictionary<string, string> Variables = Environment.GetEnvironmentVariables()
        .Cast<System.Collections.DictionaryEntry>()
        .ToDictionary(variable => (string)variable.Key, variable => (string?)variable.Value ?? "");

    private static readonly Features Settings = new(Variables);

    private static TimeSpan? Age(int minutes, bool hasReplicas) => (minutes, hasReplicas) switch
    {
        (0, _) or (< 0, false) => null,
        (< 0, true) => TimeSpan.FromMinutes(30),
        _ => TimeSpan.FromMinutes(minutes),
    };

    private static Option<string> Address(string name, string alias, string preset, string says) =>
        new(name, alias) { Description = says, DefaultValueFactory = _ => preset, HelpName = "[host]:port" };
}
