using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Lateen.Citadel.Authorities;
using Lateen.Citadel.Tokens;
using Lateen.Config.Sources.Kubernetes.Access;
using Lateen.ControlPlane;
using Lateen.Test.Rigs.Clusters;
using Lateen.Test.Rigs.Discovery;

namespace Lateen.Test.Conformance.Runners.Live;

/// <summary>A control plane with open ports on the recorded cluster. It takes tokens of its own issuer and certificates of its own
/// authority.</summary>
internal sealed class LiveStand : IDisposable
{
    /// <summary>Where services lie.</summary>
    public const string Services = "/api/v1/services";

    // Ten times as fast: what is looked at each half minute is looked at each three seconds.
    private const string Any = "127.0.0.1:0";
    private readonly string _folder = Directory.CreateTempSubdirectory("lateen-live-").FullName;
    private readonly TokenIssuer _issuer = TokenIssuer.Create();
    private readonly SigningBundle _authority;
    private readonly Authority _signing;
    private readonly RunningControlPlane _running;

    public LiveStand(LiveWorld world)
    {
        Cluster.Put(world.Yaml);
        foreach (string ns in new[] { "istio-system", "default" })
            Cluster.Put($"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {ns}}}\n");
        string keys = Path.Combine(_folder, "keys");
        File.WriteAllText(keys, _issuer.KeySetText);
        ClusterAccess access = Cluster.OpenAsync().GetAwaiter().GetResult();
        _running = Wiring.StartAsync(new ControlPlaneOptions
        {
            StateFolder = Path.Combine(_folder, "state"), TokenKeysFile = keys, AuthorityFolder =
                Path.Combine(_folder, "none"), Kubernetes = access, Instance = "istiod-0",
            HttpAddress = Any, GrpcAddress = Any, SecureGrpcAddress = Any, MonitoringAddress = Any, HttpsAddress = Any,
        }, new FastTime(10, TimeProvider.System.GetUtcNow()), CancellationToken.None).GetAwaiter().GetResult();
        Cluster.Webhook = At.Https!;
        // The keys that it made and shares with its replicas: by them this stand is any workload.
        _authority = new KeyFolder(Path.Combine(_folder, "state", "ca")).Read(out _)!;
        _signing = new Authority(_authority, new AuthorityOptions());
    }

    /// <summary>The cluster.</summary>
    public LiveCluster Cluster { get; } = new();

    /// <summary>The ports.</summary>
    public ControlPlaneAddress At => _running.Address;

    /// <summary>A token of the account that the recording asked with.</summary>
    public string Token => _issuer.Issue("shop", "productpage", "p", TimeProvider.System.GetUtcNow());

    /// <summary>The authorities that clients believe.</summary>
    public X509Certificate2Collection Roots => [.. _authority.Roots];

    /// <summary>A certificate with its key for an identity.</summary>
    public X509Certificate2 CertificateOf(string identity) =>
        X509CertificateLoader.LoadPkcs12(_signing.Serving([identity], TimeProvider.System.GetUtcNow()).Export(X509ContentType.Pkcs12),
            null);

    /// <summary>A stream in clear text.</summary>
    public Task<AdsClient> OpenAsync() => AdsClient.OpenAsync(At.Grpc, AdsClient.StateOfTheWorld);

    /// <summary>A load balancer has an address for a service, and the control plane knows it.</summary>
    public void GiveAddress(string ns, string name, string address)
    {
        if (Cluster.Server.Get(Services, ns, name) is not { } service || service["status"] is not null) return;
        service["status"] = new JsonObject { ["loadBalancer"] =
            new JsonObject { ["ingress"] = new JsonArray(new JsonObject { ["ip"] = address }) } };
        Cluster.Server.Put(Services, ns, name, service);
        Until(
            () => _running.Writer.AskAsync(
                (loop, _) => loop.Hub.Snapshot?.Registry.Find($"{name}.{ns}.svc.cluster.local", ns)?.ExternalAddresses.Count > 0)
                .AsTask().GetAwaiter().GetResult(), seconds: 10);
    }

    /// <summary>The address is gone again.</summary>
    public void TakeAddress(string ns, string name)
    {
        if (Cluster.Server.Get(Services, ns, name) is not { } service) return;
        service.Remove("status");
        Cluster.Server.Put(Services, ns, name, service);
        Until(
            () => _running.Writer.AskAsync(
                (loop, _) => loop.Hub.Snapshot?.Registry.Find($"{name}.{ns}.svc.cluster.local", ns)?.ExternalAddresses.Count == 0)
                .AsTask().GetAwaiter().GetResult(), seconds: 10);
    }

    /// <summary>Waits for something to become so.</summary>
    public static bool Until(Func<bool> condition, double seconds)
    {
        using var pause = new ManualResetEventSlim();
        for (DateTime until = DateTime.UtcNow.AddSeconds(seconds); !condition(); pause.Wait(10)) if (DateTime.UtcNow > until) return false;
        return true;
    }

    public void Dispose()
    {
        _running.DisposeAsync().AsTask().GetAwaiter().GetResult();
        Cluster.DisposeAsync().AsTask().GetAwaiter().GetResult();
        _issuer.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
