using System.Globalization;
using System.Runtime.InteropServices;

namespace Lateen.Proxy.Tls;

/// <summary>
/// What a TLS failure is called: BoringSSL's numbers and names in Envoy's frame (<c>TLS_error:|number:SSL
/// routines:OPENSSL_internal:NAME:detail:TLS_error_end</c>), which access logs, answers and users' alerts know. Spaces stay; the log's
/// operators turn them into underscores.
/// </summary>
public static unsafe class TlsFailures
{
    /// <summary>The peer's handshake took too long (Envoy's connection termination detail).</summary>
    public const string HandshakeTimeout = "transport socket timeout was reached";

    /// <summary>A context that waits for its certificate or roots.</summary>
    public const string NoSecret = "TLS_error: Secret is not supplied by SDS";

    /// <summary>The peer ended or broke the connection in the middle of the handshake.</summary>
    public const string PeerGone = "TLS_error:|33554536:system library:OPENSSL_internal:Connection reset by peer:TLS_error_end";

    // ERR_LIB_SSL is 16 in BoringSSL, so a number is 16 << 24 | reason.
    private const int Library = 16 << 24;

    // OpenSSL's reason (sslerr.h) to BoringSSL's reason and name. Alerts have 1000 + their number in both.
    private static readonly Dictionary<int, (int Reason, string Name)> Reasons = new()
    {
        [134] = (125, "CERTIFICATE_VERIFY_FAILED"),
        [156] = (156, "HTTP_REQUEST"),
        [155] = (157, "HTTPS_PROXY_REQUEST"),
        [193] = (184, "NO_SHARED_CIPHER"),
        [199] = (192, "PEER_DID_NOT_RETURN_A_CERTIFICATE"),
        [258] = (240, "UNSUPPORTED_PROTOCOL"),
        [396] = (240, "UNSUPPORTED_PROTOCOL"),
        [266] = (246, "WRONG_VERSION_NUMBER"),
        [267] = (247, "WRONG_VERSION_NUMBER"),
        [244] = (226, "UNEXPECTED_MESSAGE"),
        [235] = (307, "NO_APPLICATION_PROTOCOL"),
        [101] = (183, "NO_SHARED_GROUP"),
        [118] = (253, "NO_COMMON_SIGNATURE_ALGORITHMS"),
        [145] = (136, "DATA_LENGTH_TOO_LONG"),
        [159] = (137, "DECODE_ERROR"),
        [281] = (130, "DECRYPTION_FAILED_OR_BAD_RECORD_MAC"),
        [1010] = (1010, "SSLV3_ALERT_UNEXPECTED_MESSAGE"),
        [1020] = (1020, "SSLV3_ALERT_BAD_RECORD_MAC"),
        [1040] = (1040, "SSLV3_ALERT_HANDSHAKE_FAILURE"),
        [1042] = (1042, "SSLV3_ALERT_BAD_CERTIFICATE"),
        [1043] = (1043, "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE"),
        [1044] = (1044, "SSLV3_ALERT_CERTIFICATE_REVOKED"),
        [1045] = (1045, "SSLV3_ALERT_CERTIFICATE_EXPIRED"),
        [1046] = (1046, "SSLV3_ALERT_CERTIFICATE_UNKNOWN"),
        [1047] = (1047, "SSLV3_ALERT_ILLEGAL_PARAMETER"),
        [1048] = (1048, "TLSV1_ALERT_UNKNOWN_CA"),
        [1049] = (1049, "TLSV1_ALERT_ACCESS_DENIED"),
        [1050] = (1050, "TLSV1_ALERT_DECODE_ERROR"),
        [1051] = (1051, "TLSV1_ALERT_DECRYPT_ERROR"),
        [1070] = (1070, "TLSV1_ALERT_PROTOCOL_VERSION"),
        [1071] = (1071, "TLSV1_ALERT_INSUFFICIENT_SECURITY"),
        [1080] = (1080, "TLSV1_ALERT_INTERNAL_ERROR"),
        [1090] = (1090, "TLSV1_ALERT_USER_CANCELLED"),
        [1112] = (1112, "TLSV1_ALERT_UNRECOGNIZED_NAME"),
        [1113] = (1113, "TLSV1_ALERT_BAD_CERTIFICATE_STATUS_RESPONSE"),
        [1114] = (1114, "TLSV1_ALERT_BAD_CERTIFICATE_HASH_VALUE"),
        [1115] = (1115, "TLSV1_ALERT_UNKNOWN_PSK_IDENTITY"),
        [1116] = (1116, "TLSV1_ALERT_CERTIFICATE_REQUIRED"),
        [1120] = (1120, "TLSV1_ALERT_NO_APPLICATION_PROTOCOL"),
    };

    // OpenSSL's texts of verification errors that BoringSSL words otherwise.
    private static readonly Dictionary<int, string> VerifyTexts = new()
    {
        [18] = "self signed certificate",
        [19] = "self signed certificate in certificate chain",
        [26] = "unsupported certificate purpose",
    };

    /// <summary>Takes the thread's oldest error and gives it its name; <paramref name="detail"/> is what our verification found.</summary>
    internal static string Take(string detail)
    {
        ulong error = OpenSsl.ERR_get_error();
        OpenSsl.ERR_clear_error();
        if (error == 0)
            return PeerGone;
        // ERR_GET_REASON of OpenSSL 3: the low 23 bits.
        int reason = (int)(error & 0x7fffff);
        if (!Reasons.TryGetValue(reason, out (int Reason, string Name) known))
            known = (reason, Named(error));
        if (detail.Length == 0 && known.Reason == 192)
            detail = "peer did not provide required client certificate";
        return Format(known.Reason, known.Name, detail);
    }

    private static string Format(int reason, string name, string detail) => string.Create(CultureInfo.InvariantCulture,
        $"TLS_error:|{Library | reason}:SSL routines:OPENSSL_internal:{name}{(detail.Length == 0 ? "" : ":")}{detail}:TLS_error_end");

    // "no suitable key share" becomes NO_SUITABLE_KEY_SHARE.
    private static string Named(ulong error) =>
        (Marshal.PtrToStringUTF8((nint)OpenSsl.ERR_reason_error_string(error)) ?? "UNKNOWN").ToUpperInvariant().Replace(' ', '_');

    /// <summary>What a chain verification found.</summary>
    internal static string Chain(int error, int depth)
    {
        string text = VerifyTexts.GetValueOrDefault(error) ?? Marshal.PtrToStringUTF8((nint)OpenSsl.X509_verify_cert_error_string(error))
            ?? "";
        // X509_V_ERR_UNABLE_TO_GET_CRL, CRL signature, revoked, CRL times.
        if (error is 3 or 5 or 8 or 11 or 12 or 23)
            text = "certificate revocation check against provided CRLs failed: " + text;
        return string.Create(CultureInfo.InvariantCulture,
            $"verify cert failed: X509_verify_cert: certificate verification error at depth {depth}: {text}");
    }

    /// <summary>Our own verdict after a resumed handshake.</summary>
    internal static string Resumed(string detail) => Format(125, "CERTIFICATE_VERIFY_FAILED", detail);

    /// <summary>What the tls_inspector's parse of plain text is called in logs: the first bytes tell whether somebody spoke HTTP.</summary>
    public static string Inspected(ReadOnlySpan<byte> first)
    {
        bool http = first.StartsWith("GET "u8) || first.StartsWith("POST "u8) || first.StartsWith("HEAD "u8) || first.StartsWith("PUT "u8);
        return http ? "TLS_error|error:1000009c:SSL routines:OPENSSL_internal:HTTP_REQUEST:TLS_error_end"
            : first.StartsWith("CONNE"u8) ? "TLS_error|error:1000009d:SSL routines:OPENSSL_internal:HTTPS_PROXY_REQUEST:TLS_error_end"
            : "TLS_error|error:100000f7:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end";
    }
}
