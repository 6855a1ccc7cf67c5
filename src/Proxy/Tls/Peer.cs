using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Lateen.Proxy.Formats;

namespace Lateen.Proxy.Tls;

/// <summary>
/// Who is at the other end, and how we speak with it: fixed when the handshake is complete. Bytes of certificates are taken then; names and texts are read when somebody asks. It outlives the
/// connection, since logs are written after its end.
/// </summary>
public sealed unsafe class Peer : TlsFacts
{
    // XN_FLAG_RFC2253 (x509.h).
    private const ulong Rfc2253 = 0x1110317;

    private readonly byte[][] _chain;
    private readonly byte[] _local;
    private CertificateNames? _names, _localNames;
    private string[]? _uris, _dnsNames;
    private string? _subject;

    private Peer(byte[][] chain, byte[] local, string version)
    {
        _chain = chain;
        _local = local;
        Version = version;
    }

    /// <inheritdoc/>
    public override bool PeerPresented => _chain.Length > 0;

    /// <inheritdoc/>
    public override bool PeerValidated => Validated;

    /// <inheritdoc/>
    public override string Version { get; }

    /// <inheritdoc/>
    public override string Cipher => CipherName;

    /// <inheritdoc/>
    public override string SessionId => Session;

    /// <summary>The protocol agreed by ALPN; empty for none.</summary>
    public string Alpn { get; private init; } = "";

    /// <summary>The server name that the client sent; empty for none.</summary>
    public string ServerName { get; private init; } = "";

    /// <summary>An earlier session was resumed.</summary>
    public bool Resumed { get; private init; }

    /// <inheritdoc/>
    public override IReadOnlyList<string> PeerUris => _uris ??= Names.Of(SanKind.Uri);

    /// <inheritdoc/>
    public override IReadOnlyList<string> PeerDnsNames => _dnsNames ??= Names.Of(SanKind.Dns);

    /// <inheritdoc/>
    public override IReadOnlyList<string> PeerIps => Names.Of(SanKind.Ip);

    /// <inheritdoc/>
    public override IReadOnlyList<string> PeerEmails => Names.Of(SanKind.Email);

    /// <inheritdoc/>
    public override IReadOnlyList<string> LocalIps => LocalNames.Of(SanKind.Ip);

    /// <inheritdoc/>
    public override IReadOnlyList<string> LocalEmails => LocalNames.Of(SanKind.Email);

    /// <inheritdoc/>
    public override IReadOnlyList<string> PeerChainSha256 => [.. _chain.Select(static c => Convert.ToHexStringLower(SHA256.HashData(c)))];

    /// <inheritdoc/>
    public override IReadOnlyList<string> PeerChainSha1 => [.. _chain.Select(static c => Sha1(c))];

    /// <inheritdoc/>
    public override IReadOnlyList<string> PeerChainSerials => [.. _chain.Select(static c => CertificateNames.Read(c).Serial)];

    /// <inheritdoc/>
    public override IReadOnlyList<string> LocalUris => LocalNames.Of(SanKind.Uri);

    /// <inheritdoc/>
    public override IReadOnlyList<string> LocalDnsNames => LocalNames.Of(SanKind.Dns);

    /// <inheritdoc/>
    public override string PeerSubject => _subject ??= PeerPresented ? NameOf(_chain[0], subject: true) : "";

    /// <inheritdoc/>
    public override string PeerIssuer => PeerPresented ? NameOf(_chain[0], subject: false) : "";

    /// <inheritdoc/>
    public override string LocalSubject => _local.Length > 0 ? NameOf(_local, subject: true) : "";

    /// <inheritdoc/>
    public override string PeerSerial => Names.Serial;

    /// <inheritdoc/>
    public override string PeerSha256 => PeerPresented ? Convert.ToHexStringLower(SHA256.HashData(_chain[0])) : "";

    /// <inheritdoc/>
    public override string PeerSha1 => PeerPresented ? Sha1(_chain[0]) : "";

    /// <inheritdoc/>
    public override string PeerPem => PeerPresented ? Pem.Text(_chain[0]) : "";

    /// <inheritdoc/>
    public override string PeerChainPem => string.Concat(_chain.Select(Pem.Text));

    /// <inheritdoc/>
    public override long PeerValidFrom => Names.ValidFrom;

    /// <inheritdoc/>
    public override long PeerValidTo => Names.ValidTo;

    private bool Validated { get; init; }

    private string CipherName { get; init; } = "";

    private string Session { get; init; } = "";

    private CertificateNames Names => _names ??= CertificateNames.Read(PeerPresented ? _chain[0] : ReadOnlyMemory<byte>.Empty);

    private CertificateNames LocalNames => _localNames ??= CertificateNames.Read(_local);

    /// <summary>Reads everything that libssl will not tell later.</summary>
    internal static Peer Of(nint ssl, bool validated)
    {
        byte* protocol;
        uint length;
        OpenSsl.SSL_get0_alpn_selected(ssl, &protocol, &length);
        nint local = OpenSsl.SSL_get_certificate(ssl);
        uint idLength = 0;
        nint session = OpenSsl.SSL_get_session(ssl);
        byte* id = session == 0 ? null : OpenSsl.SSL_SESSION_get_id(session, &idLength);
        return new Peer(ChainOf(ssl), local == 0 ? [] : Pem.Der(local), Text(OpenSsl.SSL_get_version(ssl)))
        {
            Validated = validated,
            CipherName = Text(OpenSsl.SSL_CIPHER_get_name(OpenSsl.SSL_get_current_cipher(ssl))),
            Alpn = protocol is null ? "" : Encoding.Latin1.GetString(protocol, (int)length),
            ServerName = Text(OpenSsl.SSL_get_servername(ssl, 0)),
            Resumed = OpenSsl.SSL_session_reused(ssl) == 1,
            // TLS 1.3 has tickets, and no session ids that would mean anything.
            Session = id is null || Text(OpenSsl.SSL_get_version(ssl)) == "TLSv1.3" ? "" : Convert.ToHexStringLower(new ReadOnlySpan<byte>(id, (int)idLength)),
        };
    }

    private static string Text(byte* text) => Marshal.PtrToStringUTF8((nint)text) ?? "";

    // A client's view of the chain has the leaf in it, a server's has not (SSL_get_peer_cert_chain).
    private static byte[][] ChainOf(nint ssl)
    {
        nint leaf = OpenSsl.SSL_get0_peer_certificate(ssl);
        if (leaf == 0)
            return [];
        var chain = new List<byte[]> { Pem.Der(leaf) };
        nint stack = OpenSsl.SSL_get_peer_cert_chain(ssl);
        int count = stack == 0 ? 0 : OpenSsl.OPENSSL_sk_num(stack);
        for (int i = 0; i < count; i++)
        {
            byte[] der = Pem.Der(OpenSsl.OPENSSL_sk_value(stack, i));
            if (i > 0 || !der.AsSpan().SequenceEqual(chain[0]))
                chain.Add(der);
        }
        return [.. chain];
    }

    private static string NameOf(byte[] der, bool subject)
    {
        nint certificate = Pem.Certificate(der);
        if (certificate == 0)
            return "";
        nint bio = OpenSsl.BIO_new(OpenSsl.BIO_s_mem());
        OpenSsl.X509_NAME_print_ex(bio, subject ? OpenSsl.X509_get_subject_name(certificate) : OpenSsl.X509_get_issuer_name(certificate), 0, Rfc2253);
        byte* buffer = stackalloc byte[2048];
        int length = OpenSsl.BIO_read(bio, buffer, 2048);
        OpenSsl.BIO_free(bio);
        OpenSsl.X509_free(certificate);
        return length <= 0 ? "" : Encoding.UTF8.GetString(buffer, length);
    }

    // A fingerprint that logs show, not a measure of trust.
#pragma warning disable CA5350
    private static string Sha1(byte[] der) => Convert.ToHexStringLower(SHA1.HashData(der));
#pragma warning restore CA5350
}
