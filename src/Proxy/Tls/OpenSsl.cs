// Tls: TLS as a transport around a transport, for both sides and both grounds. OpenSSL's libssl does the protocol (measured: half the
// memory of SslStream and 2 us less a request); this folder decides whom to trust, which certificate to show and what a failure is called.
// A TlsContext is immutable and shared by all workers; rotation makes a new one for new connections. A TlsTransport belongs to its loop
// like any transport. libssl never sees a socket: its bytes pass through one BIO of ours whose ends are buffers of the current call. The
// clock that certificates are judged by is the loop's.
// Peers' failures are values with Envoy's words, so that logs and users' alerts go on working. Nothing here reads files or knows protobuf.
// Refused: SslStream (a task per read, twice the memory), SSL_set_fd (would bind TLS to real sockets), a session cache of our own (tickets,
// or libssl's: decision 0017).
using System.Runtime.InteropServices;

namespace Lateen.Proxy.Tls;

/// <summary>libssl and libcrypto 3, as far as they are needed.</summary>
internal static unsafe partial class OpenSsl
{
    private const string S = "libssl.so.3", C = "libcrypto.so.3";

    public const int WantRead = 2, WantWrite = 3, ErrorSsl = 1, ErrorSyscall = 5, ZeroReturn = 6;
    // SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN.
    public const int ShutdownBoth = 3;

    public const int VerifyPeer = 1, VerifyRequired = 2;

    // SSL_ctrl and SSL_CTX_ctrl commands (ssl.h).
    public const int CtrlMode = 33, CtrlSessionCacheSize = 42, CtrlSessionCacheMode = 44, CtrlSetName = 55, CtrlSetGroups = 92,
        CtrlMinVersion = 123, CtrlMaxVersion = 124;

    // ENABLE_PARTIAL_WRITE is off: a write takes everything, since our BIO does. ACCEPT_MOVING_WRITE_BUFFER | RELEASE_BUFFERS.
    public const int Mode = 0x2 | 0x10;

    public const ulong OptionServerPreference = 1UL << 22, OptionNoRenegotiation = 1UL << 30, OptionNoTicket = 1UL << 14;

    [LibraryImport(S)] public static partial nint TLS_method();
    [LibraryImport(S)] public static partial nint SSL_CTX_new(nint method);
    [LibraryImport(S)] public static partial void SSL_CTX_free(nint context);
    [LibraryImport(S)] public static partial long SSL_CTX_ctrl(nint context, int command, long number, void* pointer);
    [LibraryImport(S)] public static partial ulong SSL_CTX_set_options(nint context, ulong options);
    [LibraryImport(S)] public static partial int SSL_CTX_use_certificate(nint context, nint certificate);
    [LibraryImport(S)] public static partial int SSL_CTX_use_cert_and_key(nint context, nint certificate, nint key, nint chain,
        int replace);
    [LibraryImport(S)] public static partial int SSL_use_cert_and_key(nint ssl, nint certificate, nint key, nint chain, int replace);
    [LibraryImport(S)] public static partial void SSL_certs_clear(nint ssl);
    [LibraryImport(S)] public static partial void SSL_CTX_set_verify(nint context, int mode, void* callback);
    [LibraryImport(S)] public static partial void SSL_CTX_set_cert_verify_callback(nint context,
        delegate* unmanaged<nint, void*, int> callback, void* argument);
    [LibraryImport(S)] public static partial void SSL_CTX_set_cert_cb(nint context, delegate* unmanaged<nint, void*, int> callback,
        void* argument);
    [LibraryImport(S)] public static partial void SSL_CTX_set_alpn_select_cb(nint context,
        delegate* unmanaged<nint, byte**, byte*, byte*, uint, void*, int> callback, void* argument);
    [LibraryImport(S)] public static partial void SSL_CTX_sess_set_new_cb(nint context, delegate* unmanaged<nint, nint, int> callback);
    [LibraryImport(S)] public static partial int SSL_CTX_set_session_id_context(nint context, byte* id, uint length);
    [LibraryImport(S)] public static partial int SSL_CTX_set_num_tickets(nint context, nuint count);
    [LibraryImport(S)] public static partial int SSL_CTX_add_client_CA(nint context, nint certificate);
    [LibraryImport(S, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int SSL_CTX_set_cipher_list(nint context, string ciphers);
    [LibraryImport(S)] public static partial nint SSL_new(nint context);
    [LibraryImport(S)] public static partial void SSL_free(nint ssl);
    [LibraryImport(S)] public static partial long SSL_ctrl(nint ssl, int command, long number, void* pointer);
    [LibraryImport(S)] public static partial void SSL_set_accept_state(nint ssl);
    [LibraryImport(S)] public static partial void SSL_set_connect_state(nint ssl);
    [LibraryImport(S)] public static partial void SSL_set_bio(nint ssl, nint read, nint write);
    [LibraryImport(S)] public static partial int SSL_do_handshake(nint ssl);
    [LibraryImport(S)] public static partial int SSL_read(nint ssl, byte* buffer, int length);
    [LibraryImport(S)] public static partial int SSL_write(nint ssl, byte* buffer, int length);
    [LibraryImport(S)] public static partial int SSL_shutdown(nint ssl);
    [LibraryImport(S)] public static partial void SSL_set_shutdown(nint ssl, int mode);
    [LibraryImport(S)] public static partial int SSL_get_error(nint ssl, int result);
    [LibraryImport(S)] public static partial int SSL_session_reused(nint ssl);
    [LibraryImport(S)] public static partial int SSL_set_session(nint ssl, nint session);
    [LibraryImport(S)] public static partial nint SSL_get_session(nint ssl);
    [LibraryImport(S)] public static partial byte* SSL_SESSION_get_id(nint session, uint* length);
    [LibraryImport(S)] public static partial void SSL_SESSION_free(nint session);
    [LibraryImport(S)] public static partial long SSL_get_verify_result(nint ssl);
    [LibraryImport(S)] public static partial int SSL_set_alpn_protos(nint ssl, byte* list, uint length);
    [LibraryImport(S)] public static partial void SSL_get0_alpn_selected(nint ssl, byte** protocol, uint* length);
    [LibraryImport(S)] public static partial byte* SSL_get_servername(nint ssl, int type);
    [LibraryImport(S)] public static partial byte* SSL_get_version(nint ssl);
    [LibraryImport(S)] public static partial nint SSL_get_current_cipher(nint ssl);
    [LibraryImport(S)] public static partial byte* SSL_CIPHER_get_name(nint cipher);
    [LibraryImport(S)] public static partial nint SSL_get0_peer_certificate(nint ssl);
    [LibraryImport(S)] public static partial nint SSL_get_peer_cert_chain(nint ssl);
    [LibraryImport(S)] public static partial nint SSL_get_certificate(nint ssl);

    [LibraryImport(C, StringMarshalling = StringMarshalling.Utf8)] public static partial nint BIO_meth_new(int type, string name);
    [LibraryImport(C)] public static partial int BIO_meth_set_write(nint method, delegate* unmanaged<nint, byte*, int, int> write);
    [LibraryImport(C)] public static partial int BIO_meth_set_read(nint method, delegate* unmanaged<nint, byte*, int, int> read);
    [LibraryImport(C)] public static partial int BIO_meth_set_ctrl(nint method, delegate* unmanaged<nint, int, long, nint, long> control);
    [LibraryImport(C)] public static partial nint BIO_new(nint method);
    [LibraryImport(C)] public static partial nint BIO_s_mem();
    [LibraryImport(C)] public static partial nint BIO_new_mem_buf(byte* bytes, int length);
    [LibraryImport(C)] public static partial int BIO_read(nint bio, byte* buffer, int length);
    [LibraryImport(C)] public static partial int BIO_free(nint bio);
    [LibraryImport(C)] public static partial void BIO_set_init(nint bio, int init);
    [LibraryImport(C)] public static partial void BIO_set_flags(nint bio, int flags);
    [LibraryImport(C)] public static partial void BIO_clear_flags(nint bio, int flags);

    [LibraryImport(C)] public static partial nint d2i_X509(nint target, byte** bytes, nint length);
    [LibraryImport(C)] public static partial nint d2i_X509_CRL(nint target, byte** bytes, nint length);
    [LibraryImport(C)] public static partial int i2d_X509(nint certificate, byte** bytes);
    [LibraryImport(C)] public static partial void X509_free(nint certificate);
    [LibraryImport(C)] public static partial void X509_CRL_free(nint list);
    [LibraryImport(C)] public static partial nint X509_get_subject_name(nint certificate);
    [LibraryImport(C)] public static partial nint X509_get_issuer_name(nint certificate);
    [LibraryImport(C)] public static partial int X509_NAME_print_ex(nint bio, nint name, int indent, ulong flags);
    [LibraryImport(C)] public static partial byte* X509_verify_cert_error_string(long error);
    [LibraryImport(C)] public static partial nint X509_STORE_new();
    [LibraryImport(C)] public static partial void X509_STORE_free(nint store);
    [LibraryImport(C)] public static partial int X509_STORE_add_cert(nint store, nint certificate);
    [LibraryImport(C)] public static partial int X509_STORE_add_crl(nint store, nint list);
    [LibraryImport(C)] public static partial nint X509_STORE_CTX_new();
    [LibraryImport(C)] public static partial void X509_STORE_CTX_free(nint context);
    [LibraryImport(C)] public static partial int X509_STORE_CTX_init(nint context, nint store, nint leaf, nint chain);
    [LibraryImport(C, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int X509_STORE_CTX_set_default(nint context, string name);
    [LibraryImport(C)] public static partial nint X509_STORE_CTX_get0_param(nint context);
    [LibraryImport(C)] public static partial nint X509_STORE_CTX_get0_cert(nint context);
    [LibraryImport(C)] public static partial nint X509_STORE_CTX_get0_chain(nint context);
    [LibraryImport(C)] public static partial nint X509_STORE_CTX_get0_untrusted(nint context);
    [LibraryImport(C)] public static partial int X509_STORE_CTX_get_error(nint context);
    [LibraryImport(C)] public static partial void X509_STORE_CTX_set_error(nint context, int error);
    [LibraryImport(C)] public static partial int X509_STORE_CTX_get_error_depth(nint context);
    [LibraryImport(C)] public static partial int X509_verify_cert(nint context);
    [LibraryImport(C)] public static partial int X509_VERIFY_PARAM_set_flags(nint parameters, ulong flags);
    [LibraryImport(C)] public static partial void X509_VERIFY_PARAM_set_depth(nint parameters, int depth);
    [LibraryImport(C)] public static partial void X509_VERIFY_PARAM_set_time(nint parameters, long time);
    [LibraryImport(C)] public static partial nint PEM_read_bio_PrivateKey(nint bio, nint target, void* callback, void* password);
    [LibraryImport(C)] public static partial int X509_check_private_key(nint certificate, nint key);
    [LibraryImport(C)] public static partial int EVP_PKEY_get_base_id(nint key);
    [LibraryImport(C)] public static partial void EVP_PKEY_free(nint key);
    [LibraryImport(C)] public static partial nint OPENSSL_sk_new_null();
    [LibraryImport(C)] public static partial int OPENSSL_sk_push(nint stack, nint item);
    [LibraryImport(C)] public static partial int OPENSSL_sk_num(nint stack);
    [LibraryImport(C)] public static partial nint OPENSSL_sk_value(nint stack, int index);
    [LibraryImport(C)] public static partial void OPENSSL_sk_free(nint stack);
    [LibraryImport(C)] public static partial ulong ERR_get_error();
    [LibraryImport(C)] public static partial byte* ERR_reason_error_string(ulong error);
    [LibraryImport(C)] public static partial void ERR_clear_error();
}
