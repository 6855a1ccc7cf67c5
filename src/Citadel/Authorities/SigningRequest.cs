using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Lateen.Citadel.Authorities;

/// <summary>Certificate signing requests (PKCS #10), of which the key counts alone.</summary>
internal static partial class SigningRequest
{
    /// <summary>Requests of workloads have a kilobyte or two; reading more is work for nobody.</summary>
    private const int PemCharsMax = 64 << 10;

    private const int RsaBitsMin = 1024, RsaBitsMax = 8192;

    private const string Crypto = "libcrypto.so.3";

    /// <summary>The key, once the request has proved that its sender has it; null with the problem said.</summary>
    public static PublicKey? Read(string pem, out SigningProblem? problem)
    {
        problem = null;
        if (pem.Length > PemCharsMax) return Refused("certificate signing request is too large", out problem);
        if (!PemEncoding.TryFind(pem, out PemFields fields)
            || pem[fields.Label] is not ("CERTIFICATE REQUEST" or "NEW CERTIFICATE REQUEST"))
            return Refused("certificate signing request is not properly encoded", out problem);
        byte[] bytes = Convert.FromBase64String(pem[fields.Base64Data]);
        try
        {
            // Whatever extensions it asks for are left aside unread: names come from the caller's proof.
            CertificateRequest request = CertificateRequest.LoadSigningRequest(bytes, HashAlgorithmName.SHA256,
                CertificateRequestLoadOptions.SkipSignatureValidation);
            if (!IsStrong(request.PublicKey))
                return Refused("key of the certificate signing request has a size that is not taken", out problem);
            return IsProven(bytes) ? request.PublicKey
                : Refused("signature of the certificate signing request does not match its key", out problem);
        }
        catch (Exception unreadable) when (unreadable is CryptographicException or ArgumentException)
        {
            return Refused("failed to parse X.509 certificate signing request", out problem);
        }
    }

    private static PublicKey? Refused(string why, out SigningProblem problem)
    {
        problem = new(SigningFault.Request, why);
        return null;
    }

    private static bool IsStrong(PublicKey key)
    {
        using RSA? rsa = key.GetRSAPublicKey();
        return rsa is null || rsa.KeySize is >= RsaBitsMin and <= RsaBitsMax;
    }

    // By OpenSSL itself, on which .NET stands here: it knows Ed25519, too, and wants no promise of the algorithm beforehand.
    private static unsafe bool IsProven(byte[] der)
    {
        fixed (byte* start = der)
        {
            byte* at = start;
            nint request = d2i_X509_REQ(0, &at, der.Length);
            if (request == 0)
            {
                ERR_clear_error();
                return false;
            }
            bool good = X509_REQ_verify(request, X509_REQ_get0_pubkey(request)) == 1;
            X509_REQ_free(request);
            ERR_clear_error();
            return good;
        }
    }

    [LibraryImport(Crypto)] private static unsafe partial nint d2i_X509_REQ(nint target, byte** bytes, nint length);
    [LibraryImport(Crypto)] private static partial nint X509_REQ_get0_pubkey(nint request);
    [LibraryImport(Crypto)] private static partial int X509_REQ_verify(nint request, nint key);
    [LibraryImport(Crypto)] private static partial void X509_REQ_free(nint request);
    [LibraryImport(Crypto)] private static partial void ERR_clear_error();
}
