using Lateen.Config.Sources.Kubernetes.Access;

namespace Lateen.ControlPlane;

/// <summary>What a control plane is told from outside. Addresses are written `[host]:port`; no host means every interface, port 0 a free
/// one.</summary>
public sealed record ControlPlaneOptions
{
    /// <summary>Readiness, debug pages, the operator's API.</summary>
    public string HttpAddress { get; init; } = ":8080";

    /// <summary>xDS in clear text.</summary>
    public string GrpcAddress { get; init; } = ":15010";

    /// <summary>xDS and certificates over TLS.</summary>
    public string SecureGrpcAddress { get; init; } = ":15012";

    /// <summary>What an API server calls, where configuration comes from one.</summary>
    public string HttpsAddress { get; init; } = ":15017";

    /// <summary>Metrics and version.</summary>
    public string MonitoringAddress { get; init; } = ":15014";

    /// <summary>A unix socket that serves xDS as well, or none.</summary>
    public string? GrpcSocket { get; init; }

    /// <summary>A unix socket that serves xDS and certificates over TLS as well, or none.</summary>
    public string? SecureGrpcSocket { get; init; }

    /// <summary>A folder with keys for the authority (Istio's `cacerts`); where it has none, the authority makes its own in the state
    /// folder.</summary>
    public string AuthorityFolder { get; init; } = "etc/cacerts";

    /// <summary>A file with the public keys of whoever issues tokens for this machine's workloads, or none.</summary>
    public string? TokenKeysFile { get; init; }

    /// <summary>Where the journal and the control plane's address are kept.</summary>
    public required string StateFolder { get; init; }

    /// <summary>A folder of YAML files that is served and watched, or none.</summary>
    public string? ConfigFolder { get; init; }

    /// <summary>host:port of another control plane whose configuration is taken over, or none.</summary>
    public string? ConfigStream { get; init; }

    /// <summary>The API server whose objects are served, or none.</summary>
    public ClusterAccess? Kubernetes { get; init; }

    /// <summary>The revision of this control plane: configuration that is labelled for another one is left alone. Empty takes
    /// all.</summary>
    public string Revision { get; init; } = "";

    /// <summary>The name of this replica, which no other may have: the pod's, or the machine's.</summary>
    public string Instance { get; init; } = System.Environment.GetEnvironmentVariable("POD_NAME") ?? System.Environment.MachineName;

    /// <summary>The DNS domain of services.</summary>
    public string Domain { get; init; } = "cluster.local";

    /// <summary>The namespace whose resources hold for the whole mesh.</summary>
    public string RootNamespace { get; init; } = "istio-system";

    /// <summary>Name of the cluster that configuration comes from.</summary>
    public string ClusterId { get; init; } = "Kubernetes";

    /// <summary>Settings that istiod takes from its environment, by their names.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>Quiet time after a change before it is compiled and pushed.</summary>
    public TimeSpan DebounceAfter { get; init; } = TimeSpan.FromMilliseconds(20);

    /// <summary>Longest wait for that quiet.</summary>
    public TimeSpan DebounceMax { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How old a stream may become before its client is sent to look for a replica anew; null for any age.</summary>
    public TimeSpan? ConnectionAgeMax { get; init; }

    /// <summary>How long streams may take to go to other replicas when this one is told to stop.</summary>
    public TimeSpan ShutdownDuration { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Largest xDS request taken, in bytes.</summary>
    public int RequestBytesMax { get; init; } = 4 << 20;
}
