using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Lateen.Proxy.Tls.Certificates;

namespace Lateen.Proxy.Tls;

/// <summary>
/// One side's TLS settings, ready to use: immutable, shared by all workers. Rotation of a certificate makes a new context; connections of
/// the old one live on, and tickets of the old one are worth nothing to the new one, so that nobody resumes past a change of whom we trust.
/// </summary>
public sealed unsafe class TlsContext
{
    private const string DefaultCiphers =
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
            + "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";

    // SSL_SESS_CACHE_CLIENT | NO_INTERNAL; SSL_SESS_CACHE_SERVER.
    private const int CacheClient = 0x0001 | 0x0300, CacheServer = 0x0002, CacheOff = 0;

    // Sessions with a client's certificate, at three to six kilobytes each.
    private const int SessionsMax = 1024;

    private readonly nint _context;
    private readonly CertificateShelf _shelf;
    private ResumableSession? _session;

    private TlsContext(TlsOptions options, nint context, CertificateShelf shelf, Verifier? verifier)
    {
        Options = options;
        _context = context;
        _shelf = shelf;
        Verifier = verifier;
        AlpnWire = Wire(options.Alpn);
    }

    ~TlsContext()
    {
        OpenSsl.SSL_CTX_free(_context);
        if (_session is { } kept)
            OpenSsl.SSL_SESSION_free(kept.Session);
    }

    /// <summary>What it was made from.</summary>
    public TlsOptions Options { get; }

    internal Verifier? Verifier { get; }

    internal byte[] AlpnWire { get; }

    internal CertificateShelf Shelf => _shelf;

    /// <summary>Makes a context. Null with one clear sentence in <paramref name="error"/> where a certificate, key, bundle or cipher cannot
    /// be used.</summary>
    public static TlsContext? Create(TlsOptions options, out string error)
    {
        CertificateShelf? shelf = CertificateShelf.Create(options.Certificates, out error);
        if (shelf is null)
            return null;
        nint context = OpenSsl.SSL_CTX_new(OpenSsl.TLS_method());
        Verifier? verifier = null;
        bool good = true;
        if (options.Validation is { } validation)
        {
            verifier = Verifier.Create(validation, options.IsServer,
                ca => { if (options.IsServer) OpenSsl.SSL_CTX_add_client_CA(context, ca); }, out error);
            good = verifier is not null;
        }
        good = good && Configure(context, options, shelf, out error);
        if (good)
            return new TlsContext(options, context, shelf, verifier);
        OpenSsl.SSL_CTX_free(context);
        OpenSsl.ERR_clear_error();
        return null;
    }

    private static bool Configure(nint context, TlsOptions options, CertificateShelf shelf, out string error)
    {
        error = "";
        OpenSsl.SSL_CTX_ctrl(context, OpenSsl.CtrlMode, OpenSsl.Mode, null);
        OpenSsl.SSL_CTX_set_options(context,
            OpenSsl.OptionNoRenegotiation | OpenSsl.OptionServerPreference | (options.Resumption ? 0 : OpenSsl.OptionNoTicket));
        OpenSsl.SSL_CTX_ctrl(context, OpenSsl.CtrlMinVersion, Number(options.VersionMin, TlsVersion.Tls12), null);
        OpenSsl.SSL_CTX_ctrl(context, OpenSsl.CtrlMaxVersion,
            Number(options.VersionMax, options.IsServer ? TlsVersion.Tls13 : TlsVersion.Tls12), null);
        if (!SetCiphers(context, options, out error))
            return false;
        shelf.UseFirst(context);
        SetVerification(context, options);
        if (options.IsServer)
        {
            SetResumption(context, options);
            if (shelf.HasChoice)
                OpenSsl.SSL_CTX_set_cert_cb(context, &TlsCallbacks.ChooseCertificate, null);
            if (options.Alpn.Count > 0)
                OpenSsl.SSL_CTX_set_alpn_select_cb(context, &TlsCallbacks.ChooseProtocol, null);
        }
        else if (options.Resumption)
        {
            OpenSsl.SSL_CTX_ctrl(context, OpenSsl.CtrlSessionCacheMode, CacheClient, null);
            OpenSsl.SSL_CTX_sess_set_new_cb(context, &TlsCallbacks.KeepSession);
        }
        return true;
    }

    private static long Number(TlsVersion version, TlsVersion automatic) =>
        0x0301 + ((version == TlsVersion.Auto ? automatic : version) - TlsVersion.Tls10);

    private static bool SetCiphers(nint context, TlsOptions options, out string error)
    {
        error = "";
        string ciphers = options.Ciphers.Count == 0
            ? DefaultCiphers : string.Join(':', options.Ciphers).Replace("[", "", StringComparison.Ordinal)
                .Replace("]", "", StringComparison.Ordinal).Replace('|', ':');
        if (OpenSsl.SSL_CTX_set_cipher_list(context, ciphers) != 1)
        {
            error = $"Failed to initialize cipher suites {ciphers}";
            return false;
        }
        string curves = options.Curves.Count == 0 ? "X25519:P-256" : string.Join(':', options.Curves);
        fixed (byte* list = Encoding.ASCII.GetBytes(curves + '\0'))
        {
            if (OpenSsl.SSL_CTX_ctrl(context, OpenSsl.CtrlSetGroups, 0, list) == 1)
                return true;
        }
        error = $"Failed to initialize ECDH curves {curves}";
        return false;
    }

    private static void SetVerification(nint context, TlsOptions options)
    {
        if (options.Validation is null)
            return;
        bool required = options.IsServer && options.RequireClientCertificate;
        OpenSsl.SSL_CTX_set_verify(context, OpenSsl.VerifyPeer | (required ? OpenSsl.VerifyRequired : 0), null);
        OpenSsl.SSL_CTX_set_cert_verify_callback(context, &TlsCallbacks.Verify, null);
    }

    // A ticket has the whole session in it, and with it the client's certificate, which libcrypto parses anew whenever a ticket is made or
    // read: a third of a resumption. So sessions with certificates stay here, and the ticket (the session id before TLS 1.3) is only their
    // name; without certificates tickets are cheaper than memory. One, not two: it is enough for one resumption.
    private static void SetResumption(nint context, TlsOptions options)
    {
        bool keeps = options is { Resumption: true, Validation: not null };
        if (keeps)
        {
            OpenSsl.SSL_CTX_set_options(context, OpenSsl.OptionNoTicket);
            OpenSsl.SSL_CTX_ctrl(context, OpenSsl.CtrlSessionCacheSize, SessionsMax, null);
        }
        OpenSsl.SSL_CTX_ctrl(context, OpenSsl.CtrlSessionCacheMode, keeps ? CacheServer : CacheOff, null);
        OpenSsl.SSL_CTX_set_num_tickets(context, options.Resumption ? 1u : 0u);
        SetSessionContext(context, options);
    }

    // A ticket is good for the context whose name is in it. Keys differ by context anyway; this also holds should they ever be shared.
    private static void SetSessionContext(nint context, TlsOptions options)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (TlsCertificate certificate in options.Certificates)
            hash.AppendData(certificate.Chain.Span);
        if (options.Validation is { } validation)
        {
            hash.AppendData(validation.TrustedCa.Span);
            hash.AppendData(Encoding.UTF8.GetBytes(string.Join('\n', validation.Sans)));
        }
        Span<byte> id = stackalloc byte[32];
        hash.GetHashAndReset(id);
        fixed (byte* start = id)
            OpenSsl.SSL_CTX_set_session_id_context(context, start, 32);
    }

    internal static byte[] Wire(IReadOnlyList<string> protocols)
    {
        var bytes = new List<byte>();
        foreach (string protocol in protocols.Where(p => p.Length is > 0 and < 256))
        {
            bytes.Add((byte)protocol.Length);
            bytes.AddRange(Encoding.Latin1.GetBytes(protocol));
        }
        return [.. bytes];
    }

    /// <summary>A new SSL for one connection.</summary>
    internal nint NewSession() => OpenSsl.SSL_new(_context);

    /// <summary>Takes the session kept for this server name, if there is one; the caller frees it.</summary>
    internal nint TakeSession(string sni)
    {
        ResumableSession? kept = Interlocked.Exchange(ref _session, null);
        if (kept is null || kept.Sni == sni)
            return kept?.Session ?? 0;
        OpenSsl.SSL_SESSION_free(kept.Session);
        return 0;
    }

    /// <summary>Keeps a session (one a context, as Envoy's default max_session_keys has it).</summary>
    internal void KeepSession(string sni, nint session)
    {
        if (Interlocked.Exchange(ref _session, new ResumableSession(sni, session)) is { } replaced)
            OpenSsl.SSL_SESSION_free(replaced.Session);
    }

    private sealed record ResumableSession(string Sni, nint Session);
}

/// <summary>What libssl calls back, on the thread that called it: the owner is the current scratch's.</summary>
internal static unsafe class TlsCallbacks
{
    private const int AlpnAccept = 0, AlpnIgnore = 3;

    [UnmanagedCallersOnly]
    public static int Verify(nint context, void* argument) => TlsScratch.Current!.Owner.Judge(context) ? 1 : 0;

    [UnmanagedCallersOnly]
    public static int ChooseCertificate(nint ssl, void* argument)
    {
        TlsContext context = TlsScratch.Current!.Owner.Context;
        string name = Marshal.PtrToStringUTF8((nint)OpenSsl.SSL_get_servername(ssl, 0)) ?? "";
        context.Shelf.UseFor(name, ssl);
        return 1;
    }

    // Our order counts; without a common protocol the handshake goes on without one.
    [UnmanagedCallersOnly]
    public static int ChooseProtocol(nint ssl, byte** chosen, byte* chosenLength, byte* offered, uint offeredLength, void* argument)
    {
        ReadOnlySpan<byte> ours = TlsScratch.Current!.Owner.Context.AlpnWire;
        for (int i = 0; i < ours.Length; i += 1 + ours[i])
        {
            for (uint j = 0; j < offeredLength && j + 1 + offered[j] <= offeredLength; j += 1u + offered[j])
            {
                if (!ours.Slice(i + 1, ours[i]).SequenceEqual(new ReadOnlySpan<byte>(offered + j + 1, offered[j])))
                    continue;
                *chosen = offered + j + 1;
                *chosenLength = offered[j];
                return AlpnAccept;
            }
        }
        return AlpnIgnore;
    }

    // 1 takes the reference over.
    [UnmanagedCallersOnly]
    public static int KeepSession(nint ssl, nint session) => TlsScratch.Current!.Owner.KeepSession(session) ? 1 : 0;
}
