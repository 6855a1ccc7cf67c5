using System.Security.Cryptography;
using System.Text.Json;

namespace Lateen.Proxy.Filters.Jwt;

/// <summary>One key of a set: verifies what its kind can. A key is used only for algorithms of its own kind, so that a public key is never
/// taken for a secret.</summary>
public abstract class SigningKey(string id, string algorithm)
{
    /// <summary>Algorithms that are served.</summary>
    internal static readonly HashSet<string> Algorithms =
        new(StringComparer.Ordinal) { "ES256", "ES384", "ES512", "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384",
            "PS512", "EdDSA" };

    /// <summary>Its id; empty for none.</summary>
    public string Id => id;

    /// <summary>The one algorithm that it is for; empty for any of its kind.</summary>
    public string Algorithm => algorithm;

    /// <summary>True where the token's signature is this key's.</summary>
    public abstract JwtStatus Verify(Token token);

    private protected static HashAlgorithmName HashOf(string algorithm) => algorithm[2..] switch
    {
        "384" => HashAlgorithmName.SHA384,
        "512" => HashAlgorithmName.SHA512,
        _ => HashAlgorithmName.SHA256,
    };

    /// <summary>A key of a JSON Web Key (RFC 7517); null where it is none that is served.</summary>
    public static SigningKey? Of(JsonElement jwk)
    {
        if (jwk.ValueKind != JsonValueKind.Object || Text(jwk, "kty") is not { } kind)
            return null;
        string id = Text(jwk, "kid") ?? "", algorithm = Text(jwk, "alg") ?? "";
        return kind switch
        {
            "RSA" when algorithm.Length == 0 || algorithm.StartsWith("RS", StringComparison.Ordinal)
                || algorithm.StartsWith("PS", StringComparison.Ordinal) => Rsa(jwk, id, algorithm),
            "EC" when algorithm.Length == 0 || algorithm.StartsWith("ES", StringComparison.Ordinal) => Ec(jwk, id, algorithm),
            "oct" when (algorithm.Length == 0 || algorithm is "HS256" or "HS384" or "HS512")
                && Bytes(jwk, "k") is { Length: > 0 } k => new SecretKey(id, algorithm, k),
            "OKP" when algorithm is "" or "EdDSA" && Text(jwk, "crv") == "Ed25519"
                && Bytes(jwk, "x") is { Length: 32 } x => new Ed25519Key(id, algorithm, x),
            _ => null,
        };
    }

    private static RsaKey? Rsa(JsonElement jwk, string id, string algorithm)
    {
        if (Bytes(jwk, "n") is not { Length: > 0 } n || Bytes(jwk, "e") is not { Length: > 0 } e)
            return null;
        // Exponents that nobody uses only make verifying slow.
        if (e is not ([3] or [1, 0, 1]) || n.Length > 2048)
            return null;
        return RsaKey.Create(id, algorithm, new RSAParameters { Modulus = n, Exponent = e });
    }

    private static EcKey? Ec(JsonElement jwk, string id, string algorithm)
    {
        string curve = Text(jwk, "crv") is { Length: > 0 } crv
            ? crv : algorithm switch { "ES384" => "P-384", "ES512" => "P-521", _ => "P-256" };
        string wanted = curve switch { "P-256" => "ES256", "P-384" => "ES384", "P-521" => "ES512", _ => "" };
        if (wanted.Length == 0 || (algorithm.Length > 0 && algorithm != wanted) || Bytes(jwk, "x") is not { } x
            || Bytes(jwk, "y") is not { } y)
            return null;
        ECCurve named = wanted switch
        {
            "ES256" => ECCurve.NamedCurves.nistP256,
            "ES384" => ECCurve.NamedCurves.nistP384,
            _ => ECCurve.NamedCurves.nistP521,
        };
        return EcKey.Create(id, algorithm, named, x, y, wanted switch { "ES256" => 32, "ES384" => 48, _ => 66 });
    }

    /// <summary>A key of a certificate.</summary>
    public static SigningKey? OfCertificate(string id, string pem)
    {
        try
        {
            using var certificate = System.Security.Cryptography.X509Certificates.X509Certificate2.CreateFromPem(pem);
            using RSA? rsa = System.Security.Cryptography.X509Certificates.RSACertificateExtensions.GetRSAPublicKey(certificate);
            return rsa is null ? null : RsaKey.Create(id, "", rsa.ExportParameters(false));
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    private static string? Text(JsonElement jwk, string field) =>
        jwk.TryGetProperty(field, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static byte[]? Bytes(JsonElement jwk, string field) =>
        Text(jwk, field) is { } text && Token.TryDecode(System.Text.Encoding.UTF8.GetBytes(text), out byte[] bytes) ? bytes : null;
}

/// <summary>RSA, both paddings.</summary>
internal sealed class RsaKey : SigningKey
{
    private readonly RSAParameters _parameters;
    private RSA? _spare;

    private RsaKey(string id, string algorithm, RSAParameters parameters) : base(id, algorithm) => _parameters = parameters;

    public static RsaKey? Create(string id, string algorithm, RSAParameters parameters)
    {
        try
        {
            return new RsaKey(id, algorithm, parameters) { _spare = RSA.Create(parameters) };
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    public override JwtStatus Verify(Token token)
    {
        if (token.Algorithm[0] is not ('R' or 'P'))
            return JwtStatus.VerificationFails;
        RSASignaturePadding padding = token.Algorithm[0] == 'R' ? RSASignaturePadding.Pkcs1 : RSASignaturePadding.Pss;
        // One object serves one thread at a time; another thread that comes meanwhile makes its own.
        RSA key = Interlocked.Exchange(ref _spare, null) ?? RSA.Create(_parameters);
        bool good = key.VerifyData(token.Signed, token.Signature, HashOf(token.Algorithm), padding);
        Volatile.Write(ref _spare, key);
        return good ? JwtStatus.Ok : JwtStatus.VerificationFails;
    }
}

/// <summary>ECDSA over the three NIST curves.</summary>
internal sealed class EcKey : SigningKey
{
    private readonly ECParameters _parameters;
    private readonly int _size;
    private ECDsa? _spare;

    private EcKey(string id, string algorithm, ECParameters parameters, int size) : base(id, algorithm)
    {
        _parameters = parameters;
        _size = size;
    }

    public static EcKey? Create(string id, string algorithm, ECCurve curve, byte[] x, byte[] y, int size)
    {
        if (x.Length > size || y.Length > size)
            return null;
        var parameters = new ECParameters { Curve = curve, Q = new ECPoint { X = Padded(x, size), Y = Padded(y, size) } };
        try
        {
            return new EcKey(id, algorithm, parameters, size) { _spare = ECDsa.Create(parameters) };
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    private static byte[] Padded(byte[] number, int size) => [.. new byte[size - number.Length], .. number];

    public override JwtStatus Verify(Token token)
    {
        if (token.Algorithm[0] != 'E' || token.Algorithm[1] != 'S' || token.Signature.Length != 2 * _size)
            return JwtStatus.VerificationFails;
        ECDsa key = Interlocked.Exchange(ref _spare, null) ?? ECDsa.Create(_parameters);
        bool good = key.VerifyData(token.Signed, token.Signature, HashOf(token.Algorithm));
        Volatile.Write(ref _spare, key);
        return good ? JwtStatus.Ok : JwtStatus.VerificationFails;
    }
}

/// <summary>A shared secret (HMAC).</summary>
internal sealed class SecretKey(string id, string algorithm, byte[] secret) : SigningKey(id, algorithm)
{
    public override JwtStatus Verify(Token token)
    {
        if (token.Algorithm[0] != 'H')
            return JwtStatus.VerificationFails;
        Span<byte> mac = stackalloc byte[64];
        int n = CryptographicOperations.HmacData(HashOf(token.Algorithm), secret, token.Signed, mac);
        return CryptographicOperations.FixedTimeEquals(mac[..n], token.Signature) ? JwtStatus.Ok : JwtStatus.VerificationFails;
    }
}

/// <summary>EdDSA over Ed25519 (RFC 8037), by libcrypto: the framework has none.</summary>
internal sealed unsafe partial class Ed25519Key(string id, string algorithm, byte[] key) : SigningKey(id, algorithm)
{
    private const string Crypto = "libcrypto.so.3";
    private const int Kind = 1087, SignatureLength = 64;

    [System.Runtime.InteropServices.LibraryImport(Crypto)]
    private static partial nint EVP_PKEY_new_raw_public_key(int type, nint engine, byte* key, nuint length);

    [System.Runtime.InteropServices.LibraryImport(Crypto)]
    private static partial void EVP_PKEY_free(nint key);

    [System.Runtime.InteropServices.LibraryImport(Crypto)]
    private static partial nint EVP_MD_CTX_new();

    [System.Runtime.InteropServices.LibraryImport(Crypto)]
    private static partial void EVP_MD_CTX_free(nint context);

    [System.Runtime.InteropServices.LibraryImport(Crypto)]
    private static partial int EVP_DigestVerifyInit(nint context, nint* keyContext, nint digest, nint engine, nint key);

    [System.Runtime.InteropServices.LibraryImport(Crypto)]
    private static partial int EVP_DigestVerify(nint context, byte* signature, nuint signatureLength, byte* data, nuint length);

    public override JwtStatus Verify(Token token)
    {
        if (token.Algorithm != "EdDSA")
            return JwtStatus.VerificationFails;
        if (token.Signature.Length != SignatureLength)
            return JwtStatus.Ed25519WrongLength;
        nint context = EVP_MD_CTX_new(), handle = 0;
        try
        {
            fixed (byte* k = key, s = token.Signature, d = token.Signed)
            {
                handle = EVP_PKEY_new_raw_public_key(Kind, 0, k, (nuint)key.Length);
                bool good = handle != 0 && EVP_DigestVerifyInit(context, null, 0, 0, handle) == 1
                    && EVP_DigestVerify(context, s, SignatureLength, d, (nuint)token.Signed.Length) == 1;
                return good ? JwtStatus.Ok : JwtStatus.VerificationFails;
            }
        }
        finally
        {
            EVP_PKEY_free(handle);
            EVP_MD_CTX_free(context);
        }
    }
}
