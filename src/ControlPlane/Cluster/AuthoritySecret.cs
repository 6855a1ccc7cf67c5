using System.Text;
using System.Text.Json.Nodes;
using Kubernetes.Core.V1;
using Lateen.Citadel.Authorities;
using Lateen.Config.Resources;
using Lateen.Config.Sources.Kubernetes;
using Lateen.Config.Store;

namespace Lateen.ControlPlane.Cluster;

/// <summary>The keys of an authority of our own where all replicas find them: Istio's Secret `istio-ca-secret`. A replica that is lost
/// takes nothing with it, and one that is added signs with the same root.</summary>
/// <remarks>
/// What the Secret says is written into the replica's folder, from where it is read like keys that an administrator plugged in: checked
/// against what is trusted now. The leader alone makes a new root before the old one ends, and only in the Secret: the watch brings it to
/// every replica, the leader among them.
/// </remarks>
public sealed class AuthoritySecret : IDisposable
{
    private const string Name = "istio-ca-secret", Type = "istio.io/ca-root";
    private const string SignerMember = "ca-cert.pem", KeyMember = "ca-key.pem", RootsMember = "root-cert.pem",
        ChainMember = "cert-chain.pem", Unused = "key.pem";

    private readonly ClusterObjects _objects;
    private readonly ResourceKey _key;
    private readonly KeyFolder _folder;
    private readonly AuthorityOptions _options;
    private readonly Action<string> _say;
    private ResourceStore? _store;
    private ITimer? _timer;
    private Func<bool> _mayWrite = () => false;

    private AuthoritySecret(ClusterObjects objects, string ns, KeyFolder folder, AuthorityOptions options, Action<string> say) =>
        (_objects, _key, _folder, _options, _say) = (objects, new ResourceKey(Kinds.Secret, ns, Name), folder, options, say);

    /// <summary>Brings the shared keys into a folder; where there are none, those of the folder or new ones are shared.</summary>
    /// <param name="objects">The cluster.</param>
    /// <param name="ns">Where the Secret lies.</param>
    /// <param name="folder">Where the authority reads its keys.</param>
    /// <param name="organization">Whose root it is, when one is made: the trust domain.</param>
    /// <param name="options">Bounds.</param>
    /// <param name="say">Takes a line for the log.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <returns>Null where the Secret can be neither read nor made: keys are this replica's own then.</returns>
    /// <exception cref="IOException">There is a Secret whose keys can't be used.</exception>
    public static async Task<AuthoritySecret?> OpenAsync(ClusterObjects objects, string ns, KeyFolder folder, string organization,
        AuthorityOptions options, Action<string> say, CancellationToken cancel)
    {
        var secret = new AuthoritySecret(objects, ns, folder, options, say);
        ApiResult<JsonObject> read = await objects.ReadAsync(secret.Path, cancel);
        if (read.Value is null && read.Failure is null)
        {
            SigningBundle first = folder.Read(out _) ?? RootRotation.First(organization, options, objects.Now);
            WishEnd made = WishEnd.Of(await objects.CreateAsync(secret.Collection, Written(first), cancel));
            // Another replica may have been first: its keys hold.
            read = made.Failure is null or { IsConflict: true } ? await objects.ReadAsync(secret.Path, cancel) : made.Failure;
        }
        if (read.Value is not { } present)
        {
            say($"warn\tcitadel\tthe Secret {ns}/{Name} can't be had, so that this replica signs with keys of its own: {read.Failure}");
            return null;
        }
        folder.Write(Bundle(present["data"] as JsonObject, out string? problem)
            ?? throw new IOException($"the Secret {ns}/{Name} has no keys that can be used: {problem}; delete it, and a new root is made"));
        return secret;
    }

    /// <summary>Follows the Secret, and renews the root in it while this replica leads.</summary>
    public void Follow(ResourceStore from, Func<bool> leads, TimeProvider time)
    {
        (_store, _mayWrite) = (from, leads);
        _store.Changed += OnChanged;
        _timer = time.CreateTimer(_ => _ = RotateAsync(), null, _options.RootCheck, _options.RootCheck);
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _timer?.Dispose();
        if (_store is not null) _store.Changed -= OnChanged;
    }

    /// <summary>Makes a new root where it is time for one.</summary>
    public async Task RotateAsync()
    {
        if (!_mayWrite()) return;
        ApiResult<JsonObject> read = await _objects.ReadAsync(Path, CancellationToken.None);
        if (read.Value is not { } present || Bundle(present["data"] as JsonObject, out _) is not { } now
            || !RootRotation.IsDue(now, _options, _objects.Now)) return;
        present["data"] = Written(RootRotation.Next(now, _options, _objects.Now))["data"]!.DeepClone();
        WishEnd end = WishEnd.Of(await _objects.ReplaceAsync(Path, present, CancellationToken.None));
        _say(end.Failure is { } failure ? $"warn\tcitadel\tthe root certificate can't be renewed: {failure}"
            : $"info\tcitadel\tthe root certificate in {_key} was renewed");
    }

    private string Collection => $"/api/v1/namespaces/{_key.Namespace}/secrets";

    private string Path => $"{Collection}/{Name}";

    // The authority looks at its folder every few seconds, and takes up what may follow what it has.
    private void OnChanged(StoreChange change)
    {
        if (!change.Keys.Contains(_key) || change.After.Find(_key) is not Resource<Secret> { Spec: var secret }) return;
        string Text(string name) => secret.Data.TryGetValue(name, out var bytes) ? bytes.ToStringUtf8() : "";
        if (SigningBundle.Create(Text(SignerMember), Text(KeyMember), Text(ChainMember), Text(RootsMember),
            out string? problem) is { } bundle) _folder.Write(bundle);
        else _say($"error\tcitadel\tthe keys in {_key} can't be used, the last good ones stay: {problem}");
    }

    private static SigningBundle? Bundle(JsonObject? data, out string? problem)
    {
        string Text(string name) => (string?)data?[name] is { } coded ? Encoding.UTF8.GetString(Convert.FromBase64String(coded)) : "";
        return SigningBundle.Create(Text(SignerMember), Text(KeyMember), Text(ChainMember), Text(RootsMember), out problem);
    }

    private static JsonObject Written(SigningBundle bundle)
    {
        static string Coded(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
        return new JsonObject
        {
            ["apiVersion"] = "v1", ["kind"] = "Secret", ["type"] = Type, ["metadata"] = new JsonObject { ["name"] = Name },
            ["data"] = new JsonObject
            {
                [SignerMember] = Coded(bundle.Signer.ExportCertificatePem() + "\n"), [KeyMember] =
                    Coded(bundle.KeyPem + "\n"), [RootsMember] = Coded(bundle.RootsPem),
                [ChainMember] = Coded(bundle.ChainPem), [Unused] = "",
            },
        };
    }
}
