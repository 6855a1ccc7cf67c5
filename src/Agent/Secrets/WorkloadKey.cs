using System.Text;
using Lateen.Proxy;

namespace Lateen.Agent.Secrets;

/// <summary>A fresh key and the request that asks for its certificate.</summary>
/// <param name="KeyPem">PEM of the private key (PKCS #8).</param>
/// <param name="RequestPem">PEM of the certificate signing request, which names the identity that is hoped for; the authority knows
/// better.</param>
internal sealed record WorkloadKey(string KeyPem, string RequestPem)
{
    private const int PemBytesMax = 32 << 10;

    private const string Ed25519 = "ED25519";

    /// <summary>Makes both for a workload.</summary>
    public static WorkloadKey Make(IdentityOptions options, string identity) => options.Key == KeyKind.Rsa
        ? Make("RSA", null, options.RsaBits, "URI:" + identity)
        : Make("EC", options.Key == KeyKind.EllipticP384 ? "P-384" : "P-256", 0, "URI:" + identity);

    /// <summary>Makes both.</summary>
    /// <param name="algorithm">As libcrypto calls it: EC, RSA, ED25519.</param>
    /// <param name="curve">Of EC.</param>
    /// <param name="bits">Of RSA.</param>
    /// <param name="names">Names that are asked for, in libcrypto's form; may be empty.</param>
    internal static WorkloadKey Make(string algorithm, string? curve, int bits, string names)
    {
        nint key = Generate(algorithm, curve, bits);
        try
        {
            string pem = Pem(bio => LibCrypto.PEM_write_bio_PKCS8PrivateKey(bio, key, 0, 0, 0, 0, 0));
            // Ed25519 hashes by itself.
            return new(pem, Request(key, names, algorithm == Ed25519 ? 0 : LibCrypto.EVP_sha256()));
        }
        finally
        {
            LibCrypto.EVP_PKEY_free(key);
        }
    }

    private static unsafe nint Generate(string algorithm, string? curve, int bits)
    {
        nint context = LibCrypto.EVP_PKEY_CTX_new_from_name(0, algorithm, null), key = 0;
        Check(LibCrypto.EVP_PKEY_keygen_init(context));
        if (bits > 0) Check(LibCrypto.EVP_PKEY_CTX_set_rsa_keygen_bits(context, bits));
        if (curve is not null) Check(LibCrypto.EVP_PKEY_CTX_set_group_name(context, curve));
        Check(LibCrypto.EVP_PKEY_generate(context, &key));
        LibCrypto.EVP_PKEY_CTX_free(context);
        return key;
    }

    private static string Request(nint key, string wanted, nint digest)
    {
        nint request = LibCrypto.X509_REQ_new(), extensions = LibCrypto.OPENSSL_sk_new_null();
        nint names = wanted.Length == 0 ? 0 : LibCrypto.X509V3_EXT_conf_nid(0, 0, LibCrypto.SubjectAltName, "critical," + wanted);
        try
        {
            Check(LibCrypto.X509_REQ_set_version(request, 0));
            Check(LibCrypto.X509_REQ_set_pubkey(request, key));
            // A name that can't be written is left out: the authority writes the names.
            if (names != 0 && LibCrypto.OPENSSL_sk_push(extensions, names) > 0)
                Check(LibCrypto.X509_REQ_add_extensions(request, extensions));
            if (LibCrypto.X509_REQ_sign(request, key, digest) <= 0) Check(0);
            return Pem(bio => LibCrypto.PEM_write_bio_X509_REQ(bio, request));
        }
        finally
        {
            if (names != 0) LibCrypto.X509_EXTENSION_free(names);
            LibCrypto.OPENSSL_sk_free(extensions);
            LibCrypto.X509_REQ_free(request);
            LibCrypto.ERR_clear_error();
        }
    }

    private static unsafe string Pem(Func<nint, int> write)
    {
        nint bio = LibCrypto.BIO_new(LibCrypto.BIO_s_mem());
        try
        {
            Check(write(bio));
            byte[] bytes = new byte[PemBytesMax];
            fixed (byte* start = bytes) return Encoding.ASCII.GetString(bytes, 0, LibCrypto.BIO_read(bio, start, bytes.Length));
        }
        finally
        {
            _ = LibCrypto.BIO_free(bio);
        }
    }

    private static void Check(int result)
    {
        if (result != 1) throw new InvariantException("a key can't be made");
    }
}
