using System.Security.Cryptography;
using System.Text;

namespace Lateen.Proxy.Tls.Certificates;

/// <summary>PEM blocks to libcrypto's objects.</summary>
internal static unsafe class Pem
{
    /// <summary>Every certificate of a bundle, in order; the caller frees them. Null where a block is broken.</summary>
    public static List<nint>? Certificates(ReadOnlySpan<byte> pem, List<nint>? revocations = null)
    {
        var found = new List<nint>();
        string text = Encoding.Latin1.GetString(pem);
        ReadOnlySpan<char> rest = text;
        while (PemEncoding.TryFind(rest, out PemFields block))
        {
            ReadOnlySpan<char> label = rest[block.Label];
            var der = new byte[block.DecodedDataLength];
            bool decoded = Convert.TryFromBase64Chars(rest[block.Base64Data], der, out int length);
            if (decoded && label is "CERTIFICATE" or "X509 CERTIFICATE" or "TRUSTED CERTIFICATE")
            {
                nint certificate = Certificate(der.AsSpan(0, length));
                if (certificate == 0)
                    return null;
                found.Add(certificate);
            }
            else if (decoded && label is "X509 CRL" && revocations is not null)
            {
                nint list = Revocations(der.AsSpan(0, length));
                if (list == 0)
                    return null;
                revocations.Add(list);
            }
            rest = rest[block.Location.End..];
        }
        return found;
    }

    /// <summary>One certificate; 0 where it is none.</summary>
    public static nint Certificate(ReadOnlySpan<byte> der)
    {
        fixed (byte* start = der)
        {
            byte* at = start;
            return OpenSsl.d2i_X509(0, &at, der.Length);
        }
    }

    private static nint Revocations(ReadOnlySpan<byte> der)
    {
        fixed (byte* start = der)
        {
            byte* at = start;
            return OpenSsl.d2i_X509_CRL(0, &at, der.Length);
        }
    }

    /// <summary>A private key; 0 where there is none or the password is wrong.</summary>
    public static nint PrivateKey(ReadOnlySpan<byte> pem, string? password)
    {
        byte[] secret = Encoding.UTF8.GetBytes((password ?? "") + '\0');
        fixed (byte* start = pem, with = secret)
        {
            nint bio = OpenSsl.BIO_new_mem_buf(start, pem.Length);
            // Without a callback the argument is the password; an empty one keeps libcrypto from asking the terminal.
            nint key = OpenSsl.PEM_read_bio_PrivateKey(bio, 0, null, with);
            OpenSsl.BIO_free(bio);
            OpenSsl.ERR_clear_error();
            return key;
        }
    }

    /// <summary>A certificate's bytes.</summary>
    public static byte[] Der(nint certificate)
    {
        int length = OpenSsl.i2d_X509(certificate, null);
        var der = new byte[Math.Max(length, 0)];
        fixed (byte* start = der)
        {
            byte* at = start;
            OpenSsl.i2d_X509(certificate, &at);
        }
        return der;
    }

    /// <summary>A certificate's bytes, in the room that is given where they fit.</summary>
    public static ReadOnlySpan<byte> Der(nint certificate, Span<byte> room)
    {
        int length = OpenSsl.i2d_X509(certificate, null);
        if (length <= 0 || length > room.Length)
            return Der(certificate);
        fixed (byte* start = room)
        {
            byte* at = start;
            OpenSsl.i2d_X509(certificate, &at);
        }
        return room[..length];
    }

    /// <summary>The PEM text of a certificate, with a line feed at its end.</summary>
    public static string Text(byte[] der) => PemEncoding.WriteString("CERTIFICATE", der) + "\n";
}
