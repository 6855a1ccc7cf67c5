using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Lateen.Proxy.Filters.Jwt;

namespace Lateen.Test.Unit.Proxy.Filters;

/// <summary>Signs tokens, as an issuer would.</summary>
internal sealed class Tokens : IDisposable
{
    private readonly RSA _rsa = RSA.Create(2048);

    public void Dispose() => _rsa.Dispose();

    public string Jwks(string id = "k1")
    {
        RSAParameters key = _rsa.ExportParameters(false);
        return JsonSerializer.Serialize(
            new { keys = new[] { new { kid = id, kty = "RSA", n = Base64Url.EncodeToString(key.Modulus),
                e = Base64Url.EncodeToString(key.Exponent) } } });
    }

    public KeySet Keys(string id = "k1") => KeySet.Parse(Encoding.UTF8.GetBytes(Jwks(id)))!;

    public string Sign(object claims, string id = "k1", string algorithm = "RS256")
    {
        string signed = Part(new { alg = algorithm, kid = id }) + "." + Part(claims);
        return signed + "."
            + Base64Url.EncodeToString(_rsa.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
    }

    /// <summary>A token whose MAC is made with the public key's text: the classic confusion.</summary>
    public string Confused(object claims)
    {
        string signed = Part(new { alg = "HS256", kid = "k1" }) + "." + Part(claims);
        return signed + "."
            + Base64Url.EncodeToString(HMACSHA256.HashData(_rsa.ExportSubjectPublicKeyInfo(), Encoding.ASCII.GetBytes(signed)));
    }

    /// <summary>A token that brings its own key along, and the address of more.</summary>
    public string Carrying(object claims)
    {
        RSAParameters key = _rsa.ExportParameters(false);
        var header = new { alg = "RS256", kid = "k1", jku = "https://evil.test/keys", jwk = new { kty = "RSA",
            n = Base64Url.EncodeToString(key.Modulus), e = Base64Url.EncodeToString(key.Exponent) } };
        string signed = Part(header) + "." + Part(claims);
        return signed + "."
            + Base64Url.EncodeToString(_rsa.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
    }

    public static string Part(object json) => Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(json));
}
