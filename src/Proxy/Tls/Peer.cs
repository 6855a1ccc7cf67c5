using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Tls.Certificates;

namespace Lateen.Proxy.Tls;

/// <summary>
/// Who is at the other end, and how we speak with it: fixed when the handshake is complete. Bytes of certificates are taken then; names and
/// texts are read when somebody asks. It outlives the connection, since logs are written after its end.
/// </summary>
public sealed unsafe class Peer : TlsFacts
{
    // Names of versions and ciphers are constants of libssl: by their address each becomes a string once.
    private static readonly ConcurrentDictionary<nint, string> s_constants = new();

    private readonly PresentedChain _shown, _local;

    private Peer(PresentedChain shown, PresentedChain local, string version)
    {
        _shown = shown;
        _local = local;
        Version = version;
    }

    /// <inheritdoc/>
    public override bool PeerPresented => _shown.Certificates.Length > 0;

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
    public override IReadOnlyList<string> PeerUris => _shown.Uris;

    /// <inheritdoc/>
    public override IReadOnlyList<string> PeerDnsNames => _shown.DnsNames;

    /// <inheritdoc/>
    public override IReadOnlyList<string> PeerIps => Names.Of(SanKind.Ip);

    /// <inheritdoc/>
    public override IReadOnlyList<string> PeerEmails => Names.Of(SanKind.Email);

    /// <inheritdoc/>
    public override IReadOnlyList<string> LocalIps => _local.Names.Of(SanKind.Ip);

    /// <inheritdoc/>
    public override IReadOnlyList<string> LocalEmails => _local.Names.Of(SanKind.Email);

    /// <inheritdoc/>
    public override IReadOnlyList<string> PeerChainSha256 =>
        [.. _shown.Certificates.Select(static c => Convert.ToHexStringLower(SHA256.HashData(c)))];

    /// <inheritdoc/>
    public override IReadOnlyList<string> PeerChainSha1 => [.. _shown.Certificates.Select(static c => Sha1(c))];

    /// <inheritdoc/>
    public override IReadOnlyList<string> PeerChainSerials => [.. _shown.Certificates.Select(static c => CertificateNames.Read(c).Serial)];

    /// <inheritdoc/>
    public override IReadOnlyList<string> LocalUris => _local.Names.Of(SanKind.Uri);

    /// <inheritdoc/>
    public override IReadOnlyList<string> LocalDnsNames => _local.Names.Of(SanKind.Dns);

    /// <inheritdoc/>
    public override string PeerSubject => _shown.Subject;

    /// <inheritdoc/>
    public override string PeerIssuer => NameText.Of(_shown.Leaf, subject: false);

    /// <inheritdoc/>
    public override string LocalSubject => _local.Subject;

    /// <inheritdoc/>
    public override string PeerSerial => Names.Serial;

    /// <inheritdoc/>
    public override string PeerSha256 => _shown.Sha256;

    /// <inheritdoc/>
    public override string PeerSha1 => PeerPresented ? Sha1(_shown.Leaf) : "";

    /// <inheritdoc/>
    public override string PeerPem => PeerPresented ? Pem.Text(_shown.Leaf) : "";

    /// <inheritdoc/>
    public override string PeerChainPem => string.Concat(_shown.Certificates.Select(Pem.Text));

    /// <inheritdoc/>
    public override long PeerValidFrom => Names.ValidFrom;

    /// <inheritdoc/>
    public override long PeerValidTo => Names.ValidTo;

    private bool Validated { get; init; }

    private string CipherName { get; init; } = "";

    private string Session { get; init; } = "";

    private CertificateNames Names => _shown.Names;

    /// <summary>Reads everything that libssl will not tell later.</summary>
    internal static Peer Of(nint ssl, TlsContext context, PresentedChain shown, bool validated)
    {
        byte* protocol;
        uint length;
        OpenSsl.SSL_get0_alpn_selected(ssl, &protocol, &length);
        nint local = OpenSsl.SSL_get_certificate(ssl);
        uint idLength = 0;
        nint session = OpenSsl.SSL_get_session(ssl);
        byte* id = session == 0 ? null : OpenSsl.SSL_SESSION_get_id(session, &idLength);
        string version = Constant(OpenSsl.SSL_get_version(ssl));
        return new Peer(shown, local == 0 ? PresentedChain.None : context.Shelf.Shown(local), version)
        {
            Validated = validated,
            CipherName = Constant(OpenSsl.SSL_CIPHER_get_name(OpenSsl.SSL_get_current_cipher(ssl))),
            Alpn = protocol is null ? "" : Known(new ReadOnlySpan<byte>(protocol, (int)length)),
            ServerName = Text(OpenSsl.SSL_get_servername(ssl, 0)),
            Resumed = OpenSsl.SSL_session_reused(ssl) == 1,
            // TLS 1.3 has tickets, and no session ids that would mean anything.
            Session = id is null || version == "TLSv1.3" ? "" : Convert.ToHexStringLower(new ReadOnlySpan<byte>(id, (int)idLength)),
        };
    }

    private static string Text(byte* text) => Marshal.PtrToStringUTF8((nint)text) ?? "";

    private static string Constant(byte* text) => text is null ? "" : s_constants.GetOrAdd((nint)text, static at => Text((byte*)at));

    private static string Known(ReadOnlySpan<byte> protocol) =>
        protocol.SequenceEqual("h2"u8) ? "h2" : protocol.SequenceEqual("http/1.1"u8) ? "http/1.1" : Encoding.Latin1.GetString(protocol);

    // A fingerprint that logs show, not a measure of trust.
#pragma warning disable CA5350
    private static string Sha1(byte[] der) => Convert.ToHexStringLower(SHA1.HashData(der));
#pragma warning restore CA5350
}
