using System.Collections.Concurrent;
using System.Security.Cryptography.X509Certificates;
using Istio.Mesh.V1Alpha1;
using Istio.Networking.V1Alpha3;
using Lateen.Citadel.Authorities;
using Lateen.Config.Resources;
using Lateen.Config.Sources.Discovery;
using Lateen.Config.Store;
using Lateen.ControlPlane;
using Lateen.ControlPlane.Mcp;
using Lateen.Test.Rigs.Clusters;
using Lateen.Test.Rigs.Discovery;
using Xunit;
using TlsMode = Istio.Networking.V1Alpha3.ClientTLSSettings.Types.TLSmode;

namespace Lateen.Test.Unit.ControlPlane;

/// <summary>MeshConfig.configSources: one control plane's configuration as another's source, over TLS and real sockets.</summary>
public sealed class ConfigStreamSecurityTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly Lazy<Authority> Other = new(() =>
        new Authority(RootRotation.First("cluster.local", new AuthorityOptions(), TimeProvider.System.GetUtcNow()), new AuthorityOptions()));

    private readonly string _folder = Directory.CreateTempSubdirectory("lateen").FullName;
    private readonly ResourceStore _copy = new(_ => [], TimeProvider.System);
    private readonly BlockingCollection<string> _said = [];
    private RunningControlPlane _server = null!;

    private string KeysOfServer => Path.Combine(_folder, "server", "ca");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        Write("mesh/a.yaml", """
            apiVersion: networking.istio.io/v1
            kind: ServiceEntry
            metadata: {name: a}
            spec: {hosts: [a.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}
            """);
        _server = await StartAsync("server", "mesh");
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private Task<RunningControlPlane> StartAsync(string state, string config, string authority = "none") => Wiring.StartAsync(
        LocalControlPlane.OwnPorts(Path.Combine(_folder, state)) with
        {
            ConfigFolder = Path.Combine(_folder, config),
            AuthorityFolder = authority,
        }, TimeProvider.System, Cancel);

    private string Write(string name, string text)
    {
        string path = Path.Combine(_folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        return path;
    }

    private static Authority AuthorityOf(string folder) => new(new KeyFolder(folder).Read(out _)!, new AuthorityOptions());

    private Task<ConfigSources> FollowAsync(ClientTLSSettings tls, Authority own, CancellationToken cancel) => ConfigSources.OpenAsync(
        [new ConfigSource { Address = "xds://" + _server.Address.SecureGrpc, TlsSettings = tls }], followsCluster: false,
        new SourceSecurity(own, "cluster.local", "istio-system", TimeProvider.System), _copy, new FastTime(20), _said.Add, cancel);

    private bool HasEntry => _copy.Current.Find(Kinds.ServiceEntry, "default", "a") is not null;

    private async Task RefusedAsync(ClientTLSSettings tls, Authority own, string said)
    {
        using var given = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        Task<ConfigSources> following = FollowAsync(tls, own, given.Token);
        string line;
        do Assert.True(_said.TryTake(out line!, Patience), "nothing was said"); while (!line.Contains(said, StringComparison.Ordinal));
        Assert.False(HasEntry);
        await given.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => following);
    }

    [Fact]
    public async Task The_mesh_configuration_of_another_control_plane_names_it_as_its_source()
    {
        Write("other/mesh.yaml", $$"""
            apiVersion: v1
            kind: ConfigMap
            metadata: {name: istio, namespace: istio-system}
            data:
              mesh: |
                configSources:
                - address: xds://{{_server.Address.SecureGrpc}}
                  tlsSettings: {mode: ISTIO_MUTUAL}
            """);
        await using RunningControlPlane other = await StartAsync("other-state", "other", KeysOfServer);
        // What it took over it serves in turn.
        await using var last = new ConfigStreamSource(other.Address.Grpc, _copy, new FastTime(20), Random.Shared, _ => { });
        await last.Synced.WaitAsync(Patience, Cancel);
        Assert.True(HasEntry);
    }

    [Fact]
    public async Task Files_name_who_is_trusted_and_who_we_are()
    {
        Authority authority = AuthorityOf(KeysOfServer);
        using X509Certificate2 own = authority.Serving(["spiffe://cluster.local/ns/istio-system/sa/reader"], TimeProvider.System.GetUtcNow());
        var tls = new ClientTLSSettings
        {
            Mode = TlsMode.Mutual,
            CaCertificates = Path.Combine(KeysOfServer, "root-cert.pem"),
            ClientCertificate = Write("own.pem", own.ExportCertificatePem()),
            PrivateKey = Write("own.key", own.GetRSAPrivateKey()!.ExportPkcs8PrivateKeyPem()),
            SubjectAltNames = { "spiffe://cluster.local/ns/istio-system/sa/istiod", "istiod.istio-system.svc" },
        };
        await using ConfigSources sources = await FollowAsync(tls, Stranger(), Cancel);
        Assert.True(HasEntry);
    }

    [Fact]
    public Task Who_does_not_have_the_name_is_not_listened_to() => RefusedAsync(
        new ClientTLSSettings { Mode = TlsMode.IstioMutual, SubjectAltNames = { "istiod.elsewhere.svc" } }, AuthorityOf(KeysOfServer),
        "is not reached");

    [Fact]
    public Task Who_is_of_another_authority_is_not_listened_to() =>
        RefusedAsync(new ClientTLSSettings { Mode = TlsMode.IstioMutual }, Stranger(), "is not reached");

    [Fact]
    public Task Who_does_not_say_who_he_is_is_told_nothing() => RefusedAsync(
        new ClientTLSSettings
        {
            Mode = TlsMode.Simple,
            CaCertificates = Path.Combine(KeysOfServer, "root-cert.pem"),
            Sni = "istiod.istio-system.svc",
        }, Stranger(), "ended");

    [Fact]
    public Task A_file_that_is_missing_is_named() => RefusedAsync(
        new ClientTLSSettings { Mode = TlsMode.Simple, CaCertificates = Path.Combine(_folder, "no-roots.pem") }, Stranger(), "no-roots.pem");

    private static Authority Stranger() => Other.Value;
}
