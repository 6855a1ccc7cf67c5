using System.Text;
using Lateen.Proxy;

namespace Lateen.Agent.Secrets;

/// <summary>A fresh key and the request that asks for its certificate.</summary>
/// <param name="KeyPem">PEM of the private key (PKCS #8).</param>
/// <param name="RequestPem">PEM of the certificate signing request, which names the identity that is hoped for; the authority knows better.</param>
internal sealed record WorkloadKey(string KeyPem, string RequestPem)
{
    private const int PemBytesMax = 32 << 10;

    /// <summary>Makes both.</summary>
    public static WorkloadKey Make(IdentityOptions options, string identity)
    {
        nint key = Generate(options);
        try
        {
            return new(Pem(bio => LibCrypto.PEM_write_bio_PKCS8PrivateKey(bio, key, 0, 0, 0, 0, 0)), Request(key, identity));
        }
        finally
        {
            LibCrypto.EVP_PKEY_free(key);
        }
    }

    private static unsafe nint Generate(IdentityOptions options)
    {
        bool isRsa = options.Key == KeyKind.Rsa;
        nint context = LibCrypto.EVP_PKEY_CTX_new_from_name(0, isRsa ? "RSA" : "EC", null), key = 0;
        Check(LibCrypto.EVP_PKEY_keygen_init(context));
        Check(isRsa ? LibCrypto.EVP_PKEY_CTX_set_rsa_keygen_bits(context, options.RsaBits) : LibCrypto.EVP_PKEY_CTX_set_group_name(context, options.Key == KeyKind.EllipticP384 ? "P-384" : "P-256"));
        Check(LibCrypto.EVP_PKEY_generate(context, &key));
        LibCrypto.EVP_PKEY_CTX_free(context);
        return key;
    }

    private static string Request(nint key, string identity)
    {
        nint request = LibCrypto.X509_REQ_new(), extensions = LibCrypto.OPENSSL_sk_new_null();
        nint names = LibCrypto.X509V3_EXT_conf_nid(0, 0, LibCrypto.SubjectAltName, "critical,URI:" + identity);
        try
        {
            Check(LibCrypto.X509_REQ_set_version(request, 0));
            Check(LibCrypto.X509_REQ_set_pubkey(request, key));
            // A name that can't be written is left out: the authority writes the names.
            if (names != 0 && LibCrypto.OPENSSL_sk_push(extensions, names) > 0) Check(LibCrypto.X509_REQ_add_extensions(request, extensions));
            if (LibCrypto.X509_REQ_sign(request, key, LibCrypto.EVP_sha256()) <= 0) Check(0);
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
