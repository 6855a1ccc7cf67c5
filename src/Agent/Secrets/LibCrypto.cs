using System.Runtime.InteropServices;

namespace Lateen.Agent.Secrets;

/// <summary>libcrypto 3, as far as a key and its request need it. The proxy has it loaded anyway; the framework's own classes round it
/// would cost a sidecar megabytes.</summary>
internal static unsafe partial class LibCrypto
{
    private const string C = "libcrypto.so.3";

    /// <summary>NID_subject_alt_name (obj_mac.h).</summary>
    public const int SubjectAltName = 85;

    [LibraryImport(C, StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint EVP_PKEY_CTX_new_from_name(nint library, string name, string? properties);
    [LibraryImport(C)] public static partial int EVP_PKEY_keygen_init(nint context);
    [LibraryImport(C, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int EVP_PKEY_CTX_set_group_name(nint context, string name);
    [LibraryImport(C)] public static partial int EVP_PKEY_CTX_set_rsa_keygen_bits(nint context, int bits);
    [LibraryImport(C)] public static partial int EVP_PKEY_generate(nint context, nint* key);
    [LibraryImport(C)] public static partial void EVP_PKEY_CTX_free(nint context);
    [LibraryImport(C)] public static partial void EVP_PKEY_free(nint key);
    [LibraryImport(C)] public static partial nint EVP_sha256();
    [LibraryImport(C)] public static partial nint X509_REQ_new();
    [LibraryImport(C)] public static partial int X509_REQ_set_version(nint request, long version);
    [LibraryImport(C)] public static partial int X509_REQ_set_pubkey(nint request, nint key);
    [LibraryImport(C)] public static partial int X509_REQ_add_extensions(nint request, nint extensions);
    [LibraryImport(C)] public static partial int X509_REQ_sign(nint request, nint key, nint digest);
    [LibraryImport(C)] public static partial void X509_REQ_free(nint request);
    [LibraryImport(C, StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint X509V3_EXT_conf_nid(nint configuration, nint context, int nid, string value);
    [LibraryImport(C)] public static partial void X509_EXTENSION_free(nint extension);
    [LibraryImport(C)] public static partial nint OPENSSL_sk_new_null();
    [LibraryImport(C)] public static partial int OPENSSL_sk_push(nint stack, nint item);
    [LibraryImport(C)] public static partial void OPENSSL_sk_free(nint stack);
    [LibraryImport(C)] public static partial nint BIO_s_mem();
    [LibraryImport(C)] public static partial nint BIO_new(nint method);
    [LibraryImport(C)] public static partial nint BIO_new_mem_buf(byte* bytes, int length);
    [LibraryImport(C)] public static partial int BIO_read(nint bio, byte* buffer, int length);
    [LibraryImport(C)] public static partial int BIO_free(nint bio);
    [LibraryImport(C)] public static partial int PEM_write_bio_PKCS8PrivateKey(nint bio, nint key, nint cipher, nint text, int length,
        nint callback, nint argument);
    [LibraryImport(C)] public static partial int PEM_write_bio_X509_REQ(nint bio, nint request);
    [LibraryImport(C)] public static partial nint PEM_read_bio_X509(nint bio, nint target, nint callback, nint argument);
    [LibraryImport(C)] public static partial nint X509_get0_notBefore(nint certificate);
    [LibraryImport(C)] public static partial nint X509_get0_notAfter(nint certificate);
    [LibraryImport(C)] public static partial void X509_free(nint certificate);
    [LibraryImport(C)] public static partial nint ASN1_TIME_set(nint target, long seconds);
    [LibraryImport(C)] public static partial int ASN1_TIME_diff(int* days, int* seconds, nint from, nint to);
    [LibraryImport(C)] public static partial void ASN1_STRING_free(nint text);
    [LibraryImport(C)] public static partial void ERR_clear_error();
}
