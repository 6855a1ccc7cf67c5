using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Lateen.Citadel.Tokens;

/// <summary>Public keys of an issuer (JSON Web Key Set, RFC 7517).</summary>
public sealed class KeySet
{
    private readonly IReadOnlyList<(string Id, AsymmetricAlgorithm Key)> _keys;

    private KeySet(IReadOnlyList<(string Id, AsymmetricAlgorithm Key)> keys) => _keys = keys;

    /// <summary>No key at all: no token is good.</summary>
    public static KeySet None { get; } = new([]);

    /// <summary>Reads a key set; keys of other kinds are left aside. Null where the text is none.</summary>
    public static KeySet? Read(string json)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            if (!document.RootElement.TryGetProperty("keys", out JsonElement list) || list.ValueKind != JsonValueKind.Array) return null;
            return new KeySet([.. list.EnumerateArray().Select(static k => (Of(k, "kid"), KeyOf(k)!))
                .Where(static k => k.Item2 is not null)]);
        }
        catch (Exception unreadable)
            when (unreadable is JsonException or FormatException or CryptographicException or InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>The key set of one elliptic key.</summary>
    public static string Write(ECDsa key, string id)
    {
        ECParameters parameters = key.ExportParameters(includePrivateParameters: false);
        return $$"""{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","use":"sig","kid":"{{id}}","x":"{{Base64Url.EncodeToString(parameters.Q.X)}}","y":"{{Base64Url.EncodeToString(parameters.Q.Y)}}"}]}""";
    }

    /// <summary>Whether one of the keys signed the token. The algorithm must be one of the key's own kind: a token does not choose how it
    /// is checked.</summary>
    public bool IsSigned(string token, out string? problem)
    {
        problem = null;
        if (token.Split('.') is not [var head, var payload, var signature] || Header(head) is not var (algorithm, id)
            || Decoded(signature) is not { } signed)
        {
            problem = "the token is no signed JWT";
            return false;
        }
        byte[] content = Encoding.ASCII.GetBytes($"{head}.{payload}");
        // One lock for all: keys are shared, and .NET promises nothing of several threads on one.
        lock (_keys)
        {
            foreach ((string keyId, AsymmetricAlgorithm key) in _keys)
            {
                if ((id.Length == 0 || keyId.Length == 0 || id == keyId) && Verifies(key, algorithm, content, signed)) return true;
            }
        }
        problem = "no known key has signed the token";
        return false;
    }

    private static bool Verifies(AsymmetricAlgorithm key, string algorithm, byte[] content, byte[] signature) => (key, algorithm) switch
    {
        (RSA rsa, "RS256" or "RS384" or "RS512") => rsa.VerifyData(content, signature, Hash(algorithm), RSASignaturePadding.Pkcs1),
        (RSA rsa, "PS256" or "PS384" or "PS512") => rsa.VerifyData(content, signature, Hash(algorithm), RSASignaturePadding.Pss),
        (ECDsa { KeySize: 256 } elliptic, "ES256") => elliptic.VerifyData(content, signature, Hash(algorithm)),
        (ECDsa { KeySize: 384 } elliptic, "ES384") => elliptic.VerifyData(content, signature, Hash(algorithm)),
        _ => false,
    };

    private static HashAlgorithmName Hash(string algorithm) => algorithm[2..] switch
    {
        "384" => HashAlgorithmName.SHA384,
        "512" => HashAlgorithmName.SHA512,
        _ => HashAlgorithmName.SHA256,
    };

    private static (string Algorithm, string KeyId)? Header(string text)
    {
        if (Decoded(text) is not { } bytes) return null;
        try
        {
            using JsonDocument header = JsonDocument.Parse(bytes);
            return header.RootElement.ValueKind == JsonValueKind.Object
                ? (Of(header.RootElement, "alg"), Of(header.RootElement, "kid")) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static AsymmetricAlgorithm? KeyOf(JsonElement key) => Of(key, "kty") switch
    {
        "RSA" => RSA.Create(new RSAParameters { Modulus = Decoded(Of(key, "n")), Exponent = Decoded(Of(key, "e")) }),
        "EC" when CurveOf(Of(key, "crv")) is { } curve =>
            ECDsa.Create(new ECParameters { Curve = curve, Q = new ECPoint { X = Decoded(Of(key, "x")), Y = Decoded(Of(key, "y")) } }),
        _ => null,
    };

    private static ECCurve? CurveOf(string name) =>
        name switch { "P-256" => ECCurve.NamedCurves.nistP256, "P-384" => ECCurve.NamedCurves.nistP384, _ => null };

    private static string Of(JsonElement element, string name) =>
        element.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";

    private static byte[]? Decoded(string text)
    {
        try { return Base64Url.DecodeFromChars(text); }
        catch (FormatException) { return null; }
    }
}
