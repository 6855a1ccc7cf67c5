using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Lateen.Api.Diagnostics;
using Lateen.Config.Sources.Kubernetes.Access;
using Xunit;

namespace Lateen.Test.Unit.Config.Sources.Kubernetes;

public sealed class KubeConfigTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("lateen-kube-").FullName;
    private readonly DiagnosticBag _found = [];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Write(string name, string text)
    {
        var path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        return path;
    }

    private ClusterAccess? Read(string yaml, string? context = null) =>
        new KubeConfigReader(TimeProvider.System).Read([Write("config", yaml)], context, _found);

    private static string Config(string user, string cluster = "server: https://api.test:6443") => $$"""
        apiVersion: v1
        kind: Config
        current-context: here
        clusters:
        - name: c
          cluster: { {{cluster}} }
        users:
        - name: u
          user: { {{user}} }
        contexts:
        - name: here
          context: {cluster: c, user: u, namespace: shop}
        """;

    private static (string Certificate, string Key) Pair()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=admin", key, HashAlgorithmName.SHA256);
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        return (certificate.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem());
    }

    private async Task<Credential> CredentialAsync(ClusterAccess? access, bool refused = false)
    {
        Assert.Empty(_found);
        return await access!.Credentials.CurrentAsync(refused, CancellationToken.None);
    }

    [Fact]
    public async Task A_token()
    {
        var access = Read(Config("token: secret"));
        Assert.Equal("Bearer secret", (await CredentialAsync(access)).Authorization);
        Assert.Equal(("here", "shop", "https://api.test:6443/"), (access!.Name, access.Namespace, access.Server.AbsoluteUri));
    }

    [Fact]
    public async Task A_name_and_a_password() =>
    Assert.Equal("Basic dTpw", (await CredentialAsync(Read(Config("username: u, password: p")))).Authorization);

    [Fact]
    public async Task Certificates_inline_and_by_files_relative_to_the_kubeconfig()
    {
        var (certificate, key) = Pair();
        Write("admin.crt", certificate);
        Write("admin.key", key);
        var byFile = Read(Config("client-certificate: admin.crt, client-key: admin.key",
            "server: https://a, certificate-authority: admin.crt"));
        Assert.True((await CredentialAsync(byFile)).Certificate!.HasPrivateKey);
        Assert.Single(byFile!.Authorities!);
        var inline = Read(Config($"client-certificate-data: {Base64(certificate)}, client-key-data: {Base64(key)}",
            $"server: https://a, certificate-authority-data: {Base64(certificate)}"));
        Assert.Equal("CN=admin", (await CredentialAsync(inline)).Certificate!.Subject);
        Assert.Single(inline!.Authorities!);
    }

    [Fact]
    public async Task A_token_file_is_read_again_when_the_server_refuses_it()
    {
        Write("token", "one\n");
        var access = Read(Config("tokenFile: token"));
        Assert.Equal("Bearer one", (await CredentialAsync(access)).Authorization);
        Write("token", "two");
        Assert.Equal("Bearer one", (await CredentialAsync(access)).Authorization);
        Assert.Equal("Bearer two", (await CredentialAsync(access, refused: true)).Authorization);
        File.Delete(Path.Combine(_folder, "token"));
        Assert.Equal("Bearer two", (await CredentialAsync(access, refused: true)).Authorization);
    }

    [Fact]
    public async Task A_plugin_is_run_with_what_it_asked_for_and_again_when_its_credential_expires()
    {
        var script = Write("plugin", """
            #!/bin/sh
            echo run >> "$(dirname "$0")/runs"
            echo "$KUBERNETES_EXEC_INFO" > "$(dirname "$0")/info"
            echo '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "'$1-$WHO'", "expirationTimestamp": "2000-01-01T00:00:00Z"}}'
            """);
        File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        var access = Read(Config(
            "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin, args: [tok], env: [{name: WHO, value: me}], "
            + "provideClusterInfo: true, interactiveMode: IfAvailable}"));
        Assert.Equal("Bearer tok-me", (await CredentialAsync(access)).Authorization);
        await CredentialAsync(access);
        Assert.Equal(2, File.ReadAllLines(Path.Combine(_folder, "runs")).Length);
        Assert.Contains("\"server\":\"https://api.test:6443\"", File.ReadAllText(Path.Combine(_folder, "info")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_plugin_that_is_not_there_is_told_with_its_hint()
    {
        var access = Read(Config(
            "exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: no-such-plugin, installHint: install it from there}"));
        var failure = await Assert.ThrowsAsync<CredentialException>(() => CredentialAsync(access));
        Assert.Contains("install it from there", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("auth-provider: {name: gcp}", "LTN2302", "auth-provider \"gcp\"")]
    [InlineData("exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: x}", "LTN2302", "v1alpha1")]
    [InlineData("exec: {apiVersion: client.authentication.k8s.io/v1, command: x, interactiveMode: Always}", "LTN2302", "needs a terminal")]
    [InlineData("client-certificate-data: bm9uZQ==", "LTN2303", "only one of")]
    [InlineData("client-certificate: nowhere.crt, client-key: nowhere.key", "LTN2303", "client-certificate of \"u\"")]
    public void What_is_not_supported_is_refused_by_name(string user, string code, string words)
    {
        Assert.Null(Read(Config(user)));
        Assert.Contains(_found, d => d.Code.Id == code && d.Text.Contains(words, StringComparison.Ordinal));
    }

    [Fact]
    public void Clusters_have_a_proxy_a_name_and_may_be_insecure()
    {
        var access = Read(Config("token: t, as: alice, as-groups: [dev, ops]",
            "server: https://a, proxy-url: socks5://p:1080, tls-server-name: inner, insecure-skip-tls-verify: true, "
            + "disable-compression: true"))!;
        Assert.Equal(("socks5://p:1080/", "inner", true, true),
            (access.Proxy!.AbsoluteUri, access.TlsServerName, access.IsInsecure, access.DisableCompression));
        Assert.Equal(["Impersonate-User: alice", "Impersonate-Group: dev", "Impersonate-Group: ops"],
            access.Impersonation.Select(h => $"{h.Key}: {h.Value}"));
    }

    [Fact]
    public async Task Of_several_files_the_first_that_names_something_wins()
    {
        var first = Write("first", "current-context: b\nusers: [{name: u, user: {token: first}}]\n");
        var second = Write("second",
            "current-context: a\nusers: [{name: u, user: {token: second}}]\nclusters: [{name: c, cluster: {server: "
            + "'https://x'}}]\ncontexts: [{name: b, context: {cluster: c, user: u}}]\n");
        var access = new KubeConfigReader(TimeProvider.System).Read([first, Path.Combine(_folder, "none"), second], null, _found);
        Assert.Equal("Bearer first", (await CredentialAsync(access)).Authorization);
    }

    [Fact]
    public void A_context_that_is_not_there_is_told_with_the_nearest()
    {
        Assert.Null(Read(Config("token: t"), "hree"));
        Assert.Contains("did you mean \"here\"?", Assert.Single(_found).Text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_kubeconfig_out_of_a_secret_runs_no_programs()
    {
        var yaml = Config("exec: {apiVersion: client.authentication.k8s.io/v1, command: /bin/sh}");
        Assert.Null(new KubeConfigReader(TimeProvider.System).Read(yaml, "secret", null, KubeConfigReader.Allow.None, _found));
        Assert.Equal("LTN2302", Assert.Single(_found).Code.Id);
    }

    [Fact]
    public async Task A_pod_finds_its_own_server()
    {
        Write("token", "of-the-pod");
        Write("ca.crt", Pair().Certificate);
        Write("namespace", "istio-system");
        var environment = new Dictionary<string, string> { ["KUBERNETES_SERVICE_HOST"] = "fd00::1", ["KUBERNETES_SERVICE_PORT"] = "443" };
        var access = InCluster.Find(environment.GetValueOrDefault, _folder, TimeProvider.System);
        Assert.Equal(("https://[fd00::1]/", "istio-system"), (access!.Server.AbsoluteUri, access.Namespace));
        Assert.Equal("Bearer of-the-pod", (await CredentialAsync(access)).Authorization);
        Assert.Null(InCluster.Find(_ => null, _folder, TimeProvider.System));
    }

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
}
