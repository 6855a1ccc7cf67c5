using System.Text;
using System.Text.Json.Nodes;
using Lateen.Citadel.Authorities;
using Lateen.Config.Resources;
using Lateen.Config.Sources.Kubernetes;
using Lateen.Config.Store;
using Lateen.ControlPlane.Cluster;
using Lateen.Test.Rigs.Clusters;
using Xunit;

namespace Lateen.Test.Unit.ControlPlane.Cluster;

/// <summary>Keys of an authority that all replicas share.</summary>
public sealed class AuthoritySecretTests : IDisposable
{
    private const string Ns = "istio-system", Name = "istio-ca-secret";
    private readonly MemoryApiServer _server = new(Kinds.Secret);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("lateen");
    private readonly List<string> _said = [];

    public void Dispose() => _folder.Delete(recursive: true);

    private KeyFolder Folder(string replica) => new(Path.Combine(_folder.FullName, replica));

    private Task<AuthoritySecret?> OpenAsync(string replica, AuthorityOptions? options = null) =>
        AuthoritySecret.OpenAsync(new ClusterObjects(new ApiClient(_server, MemoryApiServer.Address), TimeProvider.System), Ns,
            Folder(replica), "cluster.local", options ?? new AuthorityOptions(), _said.Add, CancellationToken.None);

    [Fact]
    public async Task Two_replicas_sign_with_one_root_and_so_does_a_third_after_both_are_gone()
    {
        Assert.All(await Task.WhenAll(OpenAsync("one"), OpenAsync("two")), Assert.NotNull);
        SigningBundle one = Folder("one").Read(out _)!, two = Folder("two").Read(out _)!;
        Assert.Equal(one.RootsPem, two.RootsPem);
        Assert.Equal(one.KeyPem.Trim(), two.KeyPem.Trim());
        Assert.NotNull(await OpenAsync("three"));
        Assert.Equal(one.RootsPem, Folder("three").Read(out _)!.RootsPem);
        JsonObject secret = _server.Get(Kinds.Secret, Ns, Name)!;
        Assert.Equal("istio.io/ca-root", (string?)secret["type"]);
        Assert.Equal(["ca-cert.pem", "ca-key.pem", "cert-chain.pem", "key.pem", "root-cert.pem"],
            secret["data"]!.AsObject().Select(member => member.Key).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task The_leader_alone_renews_the_root_and_every_replica_follows()
    {
        // Nearly all of its life is grace: it is due after some minutes.
        var options = new AuthorityOptions { RootGracePercent = 99, RootLife = TimeSpan.FromHours(6) };
        SigningBundle old = RootRotation.First("cluster.local", options with { RootLife = TimeSpan.FromDays(1) },
            TimeProvider.System.GetUtcNow() - TimeSpan.FromHours(1));
        Folder("one").Write(old);
        var store = new ResourceStore(_ => [], TimeProvider.System);
        using AuthoritySecret one = (await OpenAsync("one", options))!, two = (await OpenAsync("two", options))!;
        bool leads = false;
        one.Follow(store, () => leads, TimeProvider.System);
        two.Follow(store, () => false, TimeProvider.System);
        await one.RotateAsync();
        await two.RotateAsync();
        Assert.Single(Folder("two").Read(out _)!.Roots);
        leads = true;
        await one.RotateAsync();
        // The watch of each replica brings the Secret into its store.
        var data = _server.Get(Kinds.Secret, Ns, Name)!["data"]!.AsObject();
        var told = new Kubernetes.Core.V1.Secret();
        foreach ((string name, JsonNode? coded) in data)
            told.Data[name] = Google.Protobuf.ByteString.CopyFrom(Convert.FromBase64String((string)coded!));
        store.Apply(new ChangeSet { Put = [Kinds.Secret.Create(Ns, Name, told)], IsObserved = true });
        foreach (string replica in new[] { "one", "two" })
        {
            SigningBundle now = Folder(replica).Read(out _)!;
            Assert.Equal(2, now.Roots.Count);
            Assert.Null(KeyReload.Problem(old, now, TimeProvider.System.GetUtcNow()));
        }
    }

    [Fact]
    public async Task Who_may_not_read_the_secret_goes_on_with_keys_of_its_own_and_says_so()
    {
        _server.Forbidden.Add("secrets");
        Assert.Null(await OpenAsync("one"));
        Assert.Contains("can't be had", Assert.Single(_said), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_secret_without_good_keys_is_refused_by_name()
    {
        _server.Put(Kinds.Secret, Ns, Name,
            new JsonObject { ["data"] =
                new JsonObject { ["ca-cert.pem"] = Convert.ToBase64String(Encoding.UTF8.GetBytes("no")) } }.ToJsonString());
        Assert.Contains("istio-system/istio-ca-secret", (await Assert.ThrowsAsync<IOException>(() => OpenAsync("one"))).Message,
            StringComparison.Ordinal);
    }
}
