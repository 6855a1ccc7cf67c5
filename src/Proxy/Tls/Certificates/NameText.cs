using System.Text;

namespace Lateen.Proxy.Tls.Certificates;

/// <summary>Distinguished names of a certificate as text (RFC 2253), in libcrypto's words.</summary>
internal static unsafe class NameText
{
    // XN_FLAG_RFC2253 (x509.h).
    private const ulong Rfc2253 = 0x1110317;

    private const int BytesMax = 2048;

    /// <summary>The subject, or the issuer. Empty where there is no certificate.</summary>
    public static string Of(ReadOnlySpan<byte> der, bool subject)
    {
        nint certificate = der.IsEmpty ? 0 : Pem.Certificate(der);
        if (certificate == 0)
            return "";
        nint bio = OpenSsl.BIO_new(OpenSsl.BIO_s_mem());
        OpenSsl.X509_NAME_print_ex(bio, subject ? OpenSsl.X509_get_subject_name(certificate) : OpenSsl.X509_get_issuer_name(certificate), 0,
            Rfc2253);
        byte* buffer = stackalloc byte[BytesMax];
        int length = OpenSsl.BIO_read(bio, buffer, BytesMax);
        OpenSsl.BIO_free(bio);
        OpenSsl.X509_free(certificate);
        return length <= 0 ? "" : Encoding.UTF8.GetString(buffer, length);
    }
}
