using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Lateen.Citadel.Tokens;

/// <summary>Issues service account tokens where no Kubernetes does: for the workloads of one machine.</summary>
public sealed class TokenIssuer : IDisposable
{
    /// <summary>Whom tokens are from.</summary>
    public const string Issuer = "https://lateen.local/tokens";

    /// <summary>For whom they are, as Istio's are.</summary>
    public const string Audience = "istio-ca";

    /// <summary>How long one is good: what Istio's injector asks Kubernetes for.</summary>
    public static readonly TimeSpan Life = TimeSpan.FromSeconds(43_200);

    private const string KeyFile = "token-key.pem", KeySetFile = "token-keys.json";
    private readonly ECDsa _key;
    private readonly string _keyId;

    private TokenIssuer(ECDsa key)
    {
        _key = key;
        _keyId = Convert.ToHexStringLower(SHA256.HashData(key.ExportSubjectPublicKeyInfo()).AsSpan(0, 8));
    }

    /// <summary>The public half, for those who check.</summary>
    public string KeySetText => KeySet.Write(_key, _keyId);

    /// <summary>Where the public half of a folder's key is.</summary>
    public static string KeySetPath(string folder) => Path.Combine(folder, KeySetFile);

    /// <summary>An issuer with a new key.</summary>
    public static TokenIssuer Create() => new(ECDsa.Create(ECCurve.NamedCurves.nistP256));

    /// <summary>The issuer of a folder: with the key that is there, or with a new one that is put there.</summary>
    /// <exception cref="IOException">The folder can't be used.</exception>
    public static TokenIssuer Open(string folder)
    {
        Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, KeyFile);
        ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        try
        {
            if (File.Exists(path)) key.ImportFromPem(File.ReadAllText(path));
        }
        catch (Exception damaged) when (damaged is ArgumentException or CryptographicException)
        {
            // Tokens are renewed within hours, and no certificate depends on the key: a new one harms nobody.
            File.Delete(path);
        }
        if (!File.Exists(path))
        {
            using var file = new StreamWriter(
                new FileStream(path, new FileStreamOptions
                {
                    Mode = FileMode.CreateNew,
                    Access = FileAccess.Write,
                    UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
                }));
            file.Write(key.ExportPkcs8PrivateKeyPem() + "\n");
        }
        var issuer = new TokenIssuer(key);
        File.WriteAllText(KeySetPath(folder), issuer.KeySetText);
        return issuer;
    }

    /// <summary>A token of an account, in the form of Kubernetes' projected ones.</summary>
    public string Issue(string ns, string account, string pod, DateTimeOffset now, string audience = Audience)
    {
        var head = new JsonObject { ["alg"] = "ES256", ["kid"] = _keyId };
        var claims = new JsonObject
        {
            ["aud"] = new JsonArray(audience),
            ["exp"] = (now + Life).ToUnixTimeSeconds(),
            ["iat"] = now.ToUnixTimeSeconds(),
            ["iss"] = Issuer,
            ["kubernetes.io"] = new JsonObject
            {
                ["namespace"] = ns,
                ["pod"] = new JsonObject { ["name"] = pod },
                ["serviceaccount"] = new JsonObject { ["name"] = account },
            },
            ["nbf"] = now.ToUnixTimeSeconds(),
            ["sub"] = $"system:serviceaccount:{ns}:{account}",
        };
        string content = $"{Encoded(head)}.{Encoded(claims)}";
        return $"{content}.{Base64Url.EncodeToString(_key.SignData(Encoding.ASCII.GetBytes(content), HashAlgorithmName.SHA256))}";
    }

    /// <inheritdoc/>
    public void Dispose() => _key.Dispose();

    private static string Encoded(JsonObject part) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(part.ToJsonString()));
}
